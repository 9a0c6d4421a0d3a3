use url::Url;

use crate::connection::Connection;
use crate::error::Error;
use crate::pool::{PoolConfig, PoolStats};
use crate::session::Session;
use crate::url_text::{IntoUrl, Resolver};

/// A pool of connections that sessions can share, and that hands out single connections. Cloning is cheap and shares it.
///
/// Sessions that share a pool with [`SessionBuilder::connection_pool`](crate::SessionBuilder::connection_pool) share its limits.
/// They share connections only where TLS settings, network settings and proxies agree.
///
/// ```
/// use reqivo::{ConnectionPool, PoolConfig, Session};
///
/// # async fn example() -> Result<(), reqivo::Error> {
/// let pool = ConnectionPool::new(PoolConfig::default().total(100))?;
/// let session = Session::builder().connection_pool(&pool).build()?;
/// session.get("https://example.com/").send().await?;
///
/// let connection = pool.get("https://example.com/").await?;
/// connection.head("/").send().await?;
/// pool.put(connection);
/// println!("{:?}", pool.stats());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionPool(pub(crate) Session);

#[bifrons::dual(blocking = crate::blocking::ConnectionPool)]
impl ConnectionPool {
    /// Creates a pool. Connections that [`get`](Self::get) opens have the default settings; for others see
    /// [`Session::connection_pool`].
    ///
    /// # Errors
    ///
    /// When the pool could hold no connection.
    pub fn new(config: PoolConfig) -> Result<Self, Error> {
        Session::builder().pool(config).build().map(Self)
    }

    /// Takes an idle connection to the host of a URL out of the pool, or opens one; waits when there are as many
    /// as there may be. It goes back with [`put`](Self::put), or when it is dropped.
    ///
    /// # Errors
    ///
    /// When the URL is neither http nor https, no connection comes about, or a time limit expires.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future frees the place in the pool.
    #[blocking(wrap = crate::blocking::Connection)]
    pub async fn get(&self, url: impl IntoUrl + Send) -> Result<Connection, Error> {
        let url = url.into_url(&self.0.0.resolver)?;
        Box::pin(Connection::of_pool(&self.0, url)).await
    }

    /// Gives a connection back to the pool it is from: kept for others when it is usable, else closed. If a response is
    /// still being read from it, that happens at its end.
    pub fn put(&self, connection: impl Into<Connection>) {
        drop(connection.into());
    }

    /// Closes a connection and frees its place.
    pub fn discard(&self, connection: impl Into<Connection>) {
        connection.into().close();
    }

    /// Closes the idle connections to the host of a URL, whatever their settings, and returns how many there were.
    ///
    /// # Errors
    ///
    /// When the URL is malformed.
    pub fn release(&self, url: impl IntoUrl) -> Result<usize, Error> {
        let url: Url = url.into_url(&Resolver::default())?;
        let host = url
            .host_str()
            .ok_or_else(|| Error::builder("url without a host"))?;
        let port = url.port_or_known_default().unwrap_or(80);
        let https = url.scheme() == "https";
        Ok(self.0.0.pool.close_origin(https, host, port))
    }

    /// Closes all idle connections and returns how many there were. The pool stays usable.
    pub fn close_all(&self) -> usize {
        self.0.close_idle()
    }

    /// Returns what the pool holds and did.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.0.pool_stats()
    }
}

impl AsRef<Self> for ConnectionPool {
    fn as_ref(&self) -> &Self {
        self
    }
}
