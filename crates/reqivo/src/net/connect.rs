use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::runtime;
use url::{Host, Url};

use super::clock::{Clock, Expiry, until};
use super::conn::Conn;
use super::dial::{Attempts, ConnectConfig, race};
use super::resolve::Names;
use super::route::{Route, SettingsId, Via};
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Phase, TimeLimit};
use crate::proxy::{Proxies, ProxyServer};

/// Opens connections.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    pub(crate) names: Names,
    pub(crate) config: ConnectConfig,
    #[cfg(feature = "tls")]
    pub(crate) tls: super::tls::Tls,
    /// Where they differ from `tls`.
    #[cfg(feature = "tls")]
    pub(crate) tls_for_proxies: Option<super::tls::Tls>,
    /// What is connected to instead of the hosts of URLs.
    pub(crate) via: Option<Via>,
    pub(crate) proxies: Option<Arc<Proxies>>,
    pub(crate) settings: SettingsId,
}

impl Connector {
    /// The way to the origin of a URL; a call may have its own.
    pub(crate) fn route<'a>(
        &'a self,
        url: &'a Url,
        own: Option<&'a Via>,
    ) -> Result<Route<'a>, Error> {
        Route::new(url, own.or(self.via.as_ref()), self.settings)
    }

    /// The proxy for a URL; a call may have proxies of its own. A Unix-domain socket of the session leaves only those.
    pub(crate) fn proxy(
        &self,
        url: &Url,
        own: Option<&Arc<Proxies>>,
    ) -> Result<Option<Via>, Error> {
        let of_session = match self.via {
            Some(_) => None,
            None => self.proxies.as_ref(),
        };
        match own.or(of_session) {
            None => Ok(None),
            Some(proxies) => Ok(proxies.choose(url)?.map(Via::Proxy)),
        }
    }

    /// Opens a connection. Boxed: the state of name lookup, racing attempts and a handshake would make every
    /// request's future large.
    pub(crate) fn connect<'a>(
        &'a self,
        route: Route<'a>,
        clock: &'a Clock,
    ) -> Pin<Box<dyn Future<Output = Result<Conn, Error>> + Send + 'a>> {
        Box::pin(async move {
            let expiry = clock.phase(TimeLimit::Connect);
            let host = route.host();
            let (stream, remote) = match route.via {
                None => {
                    let (socket, remote) = self.dial(&host, route.port, clock, expiry).await?;
                    (Stream::Tcp(socket), Some(remote))
                }
                #[cfg(unix)]
                Some(Via::Unix(path)) => {
                    let socket = until(expiry, Phase::Connect, UnixStream::connect(path)).await?;
                    let socket = socket.map_err(connect_error)?;
                    if let Some(watch) = &clock.watch {
                        watch.connected(None);
                    }
                    (Stream::Unix(socket), None)
                }
                Some(Via::Proxy(proxy)) => {
                    let (stream, remote) = self.through(proxy, &route, clock, expiry).await?;
                    (stream, Some(remote))
                }
                #[cfg(not(unix))]
                Some(Via::Unix(_)) => {
                    return Err(Error::builder("this system has no unix-domain sockets"));
                }
            };
            let stream = match route.https {
                false => stream,
                true => self.secure(&host, stream, None, clock, expiry).await?,
            };
            let mut conn = Conn::new(stream, remote, &runtime::Handle::current());
            if route.https {
                conn.note_tls();
            }
            Ok(conn)
        })
    }

    /// Opens a TCP connection.
    pub(super) async fn dial(
        &self,
        host: &Host<&str>,
        port: u16,
        clock: &Clock,
        expiry: Option<Expiry>,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        let addresses = until(expiry, Phase::Resolve, self.resolve(host, port)).await??;
        if let (Some(watch), Host::Domain(name)) = (&clock.watch, host) {
            watch.resolved(name, &addresses);
        }
        let mut attempts = Attempts::default();
        let race = Box::pin(race(addresses, &self.config, &mut attempts));
        let socket = match until(expiry, Phase::Connect, race).await {
            Ok(Some(socket)) => socket,
            Ok(None) => {
                let message = attempts.message();
                let error = Error::new(ErrorKind::Connect, Phase::Connect).with_text(message);
                return Err(match attempts.is_empty() {
                    true => error,
                    false => error.with_source(attempts),
                });
            }
            Err(expired) if attempts.is_empty() => return Err(expired),
            Err(expired) => return Err(expired.with_source(attempts)),
        };
        let remote = socket.peer_addr().map_err(connect_error)?;
        tracing::debug!(%remote, "connected");
        if let Some(watch) = &clock.watch {
            watch.connected(Some(remote));
        }
        Ok((socket, remote))
    }

    /// Puts TLS on a stream; a proxy may have settings of its own.
    #[cfg(feature = "tls")]
    pub(super) async fn secure(
        &self,
        host: &Host<&str>,
        stream: Stream,
        proxy: Option<&ProxyServer>,
        clock: &Clock,
        expiry: Option<Expiry>,
    ) -> Result<Stream, Error> {
        let own = clock.phase(TimeLimit::Tls);
        let expiry = match (expiry, own) {
            (Some(all), Some(own)) if own.at < all.at => Some(own),
            (None, own) => own,
            (all, _) => all,
        };
        let tls = match proxy {
            None => &self.tls,
            Some(proxy) => {
                let own = proxy.tls.as_deref().or(self.tls_for_proxies.as_ref());
                own.unwrap_or(&self.tls)
            }
        };
        let handshake = Box::pin(tls.handshake(host, stream));
        let stream = until(expiry, Phase::Tls, handshake).await??;
        if let Some(watch) = &clock.watch {
            watch.secured();
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    #[cfg(not(feature = "tls"))]
    pub(super) async fn secure(
        &self,
        _: &Host<&str>,
        _: Stream,
        _: Option<&ProxyServer>,
        _: &Clock,
        _: Option<Expiry>,
    ) -> Result<Stream, Error> {
        Err(Error::builder("https needs the feature `tls`"))
    }

    pub(super) async fn resolve(
        &self,
        host: &Host<&str>,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Error> {
        let name = match host {
            Host::Ipv4(address) => return Ok(vec![SocketAddr::from((*address, port))]),
            Host::Ipv6(address) => return Ok(vec![SocketAddr::from((*address, port))]),
            Host::Domain(name) => *name,
        };
        let failed = || Error::new(ErrorKind::Dns, Phase::Resolve);
        match self.names.look_up(name, port).await {
            Ok(found) if found.is_empty() => Err(failed().with_message("host has no address")),
            Ok(found) => Ok(found),
            Err(error) => Err(failed().with_source(error)),
        }
    }
}

fn connect_error(error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, Phase::Connect).with_source(error)
}
