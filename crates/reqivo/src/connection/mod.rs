//! Single connections in the hands of the user.

mod slot;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use tokio::runtime::Handle;
use tokio::time::Instant;
use url::Url;

pub(crate) use self::slot::Slot;
use crate::error::Error;
use crate::net::clock::Clock;
use crate::pool::Lease;
use crate::request::RequestBuilder;
use crate::session::Session;
use crate::url_text::{IntoUrl, Resolver};

/// One open connection to a server, for those who want to say themselves which request goes over which connection.
///
/// [`open`](Self::open) makes one with the default settings, [`Session::connect`] with those of a session, and
/// [`ConnectionPool::get`](crate::ConnectionPool::get) takes one out of a pool. It carries one request after the other; the next one
/// can be sent when the response before it was read to its end or dropped. After a response that does not let the
/// connection persist it is closed. It is never opened again on its own, and no request is repeated.
///
/// A connection belongs to the runtime it was opened on.
///
/// ```
/// # async fn example() -> Result<(), reqivo::Error> {
/// let connection = reqivo::Connection::open("http://device.example:8080").await?;
/// let mut first = connection.get("/status").send().await?;
/// println!("{}", first.text().await?);
/// connection.post("/restart").send().await?;
/// connection.close();
/// # Ok(())
/// # }
/// ```
pub struct Connection {
    slot: Arc<Slot>,
    session: Session,
    /// Has the address of the server as its base.
    resolver: Resolver,
}

#[bifrons::dual(blocking = crate::blocking::Connection)]
impl Connection {
    /// Opens a connection to the host of a URL with the default settings; for `https` that includes TLS.
    ///
    /// # Errors
    ///
    /// When the URL is neither http nor https, or no connection comes about within 5 s.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn open(url: impl IntoUrl + Send) -> Result<Self, Error> {
        Session::new().connect(url).await
    }

    /// Starts a GET request on the connection. The URL may be relative to the address of the server.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Starts a HEAD request on the connection.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Starts an OPTIONS request on the connection.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn options(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::OPTIONS, url)
    }

    /// Starts a POST request on the connection.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Starts a PUT request on the connection.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Starts a PATCH request on the connection.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Starts a DELETE request on the connection.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Starts a request with any method on the connection, with the settings of the session that opened it.
    ///
    /// As with [`RequestBuilder::on`], a URL of another server is reached over another connection.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let url = url.into_url(&self.resolver);
        RequestBuilder::new(self.session.clone(), method, url).on(self)
    }

    /// Returns whether a request could be sent now: the connection is open, no response is being read from it,
    /// the server has not closed it and has sent nothing unasked. Never waits.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.slot.is_usable()
    }

    /// Closes the connection; at the end of the response that is being read, if there is one. Closing again does
    /// nothing.
    pub fn close(&self) {
        self.slot.close();
    }

    /// Returns the scheme, host and port it was opened for, as a URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.slot.url()
    }

    /// Returns the address of the peer, which may be a proxy; a Unix-domain socket has none.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.slot.remote_addr()
    }

    /// Returns the own address; a Unix-domain socket has none.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.slot.local_addr()
    }

    /// Returns whether TLS is spoken with the server.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url().scheme() == "https"
    }

    /// Returns what was agreed on about TLS with the server.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(&self) -> Option<&crate::TlsInfo> {
        self.slot.tls()
    }

    /// Returns how many requests were sent on it in these hands.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.slot.requests()
    }
}

impl Connection {
    /// Opens a connection with the settings of a session, outside of its pool.
    pub(crate) async fn open_for(session: &Session, url: Url) -> Result<Self, Error> {
        let opened = async {
            let inner = &*session.0;
            let _ = session.check_connectable(&url)?;
            let clock = Clock::new(inner.timeouts.clone(), Instant::now());
            let proxy = inner.connector.proxy(&url, None)?;
            let route = inner.connector.route(&url, proxy.as_ref())?;
            let conn = inner.connector.connect(route, &clock).await?;
            Ok((Lease::detached(conn), proxy))
        };
        match opened.await {
            Ok((lease, proxy)) => Self::new(session, &url, lease, proxy),
            Err(error) => Err(Error::with_url(error, &url)),
        }
    }

    /// Takes a connection out of the pool of a session, or opens one for it.
    pub(crate) async fn of_pool(session: &Session, url: Url) -> Result<Self, Error> {
        let taken = async {
            let inner = &*session.0;
            let runtime = session.check_connectable(&url)?;
            let now = Instant::now();
            let clock = Clock::new(inner.timeouts.clone(), now);
            let proxy = inner.connector.proxy(&url, None)?;
            let route = inner.connector.route(&url, proxy.as_ref())?;
            let mut lease = inner.pool.acquire(&route, runtime, &clock, now).await?;
            if !lease.find_usable(runtime, now) {
                lease.put(inner.connector.connect(route, &clock).await?);
            }
            Ok((lease, proxy))
        };
        match taken.await {
            Ok((lease, proxy)) => Self::new(session, &url, lease, proxy),
            Err(error) => Err(Error::with_url(error, &url)),
        }
    }

    fn new(
        session: &Session,
        url: &Url,
        lease: Lease,
        proxy: Option<crate::net::route::Via>,
    ) -> Result<Self, Error> {
        let slot = Slot::new(url, lease, proxy)?;
        Ok(Self {
            resolver: Resolver::new(Some(slot.url().clone())),
            slot: Arc::new(slot),
            session: session.clone(),
        })
    }

    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }
}

impl Session {
    /// The runtime to connect on, if this session connects at all.
    fn check_connectable(&self, url: &Url) -> Result<tokio::runtime::Id, Error> {
        if self.0.stands_in {
            return Err(Error::builder(
                "the session has a transport in place of the network",
            ));
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::builder("url scheme is neither http nor https"));
        }
        let runtime = Handle::try_current().map_err(|_| {
            Error::builder(
                "called outside a tokio runtime; use the blocking face or enter a runtime",
            )
        })?;
        Ok(runtime.id())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.slot.release();
    }
}

impl AsRef<Self> for Connection {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("url", &self.url().as_str())
            .field("remote", &self.remote_addr())
            .finish_non_exhaustive()
    }
}
