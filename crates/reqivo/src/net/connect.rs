use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::runtime;
use tokio::time::Instant;
use url::{Host, Url};

use super::clock::{Clock, Expiry, until};
use super::conn::Conn;
use super::route::{Route, SettingsId, Via};
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Phase, TimeLimit};
use crate::proxy::{Proxies, ProxyServer};

/// Opens connections.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    /// Addresses of hosts that are not looked up.
    pub(crate) overrides: HashMap<String, Vec<IpAddr>>,
    #[cfg(feature = "tls")]
    pub(crate) tls: super::tls::Tls,
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
        let race = Box::pin(race(addresses));
        let socket = until(expiry, Phase::Connect, race)
            .await?
            .map_err(connect_error)?;
        socket.set_nodelay(true).map_err(connect_error)?;
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
        let own = proxy.and_then(|proxy| proxy.tls.as_deref());
        let handshake = Box::pin(own.unwrap_or(&self.tls).handshake(host, stream));
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
        let found: Vec<SocketAddr> = match self.overrides.get(name) {
            Some(addresses) => addresses
                .iter()
                .map(|ip| SocketAddr::new(*ip, port))
                .collect(),
            None => tokio::net::lookup_host((name, port))
                .await
                .map_err(|error| Error::new(ErrorKind::Dns, Phase::Resolve).with_source(error))?
                .collect(),
        };
        if found.is_empty() {
            return Err(
                Error::new(ErrorKind::Dns, Phase::Resolve).with_message("host has no address")
            );
        }
        Ok(in_turns(found))
    }
}

fn connect_error(error: io::Error) -> Error {
    Error::new(ErrorKind::Connect, Phase::Connect).with_source(error)
}

/// Orders addresses as RFC 8305 says: both families in turn, IPv6 first, each in its given order.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let mut ordered = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        let (a, b) = (six.next(), four.next());
        if a.is_none() && b.is_none() {
            return ordered;
        }
        ordered.extend(a);
        ordered.extend(b);
    }
}

/// Tries the addresses one after the other, the next 250 ms after the one before it or at once when all
/// failed so far; the first that answers wins and the others are dropped.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;
    if let [address] = addresses[..] {
        return TcpStream::connect(address).await;
    }
    let mut waiting = addresses.into_iter();
    let mut running: Vec<Attempt> = Vec::new();
    let mut first_error = None;
    let mut next = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(move |cx| {
        loop {
            let mut at = 0;
            while at < running.len() {
                match running[at].as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(socket)) => return Poll::Ready(Ok(socket)),
                    Poll::Ready(Err(error)) => {
                        first_error.get_or_insert(error);
                        drop(running.swap_remove(at));
                    }
                }
            }
            let due = running.is_empty() || next.as_mut().poll(cx).is_ready();
            match (due, waiting.as_slice().is_empty()) {
                (true, false) => {
                    if let Some(address) = waiting.next() {
                        running.push(Box::pin(TcpStream::connect(address)));
                        next.as_mut().reset(Instant::now() + ATTEMPT_DELAY);
                    }
                }
                (_, true) if running.is_empty() => {
                    let error = first_error.take();
                    return Poll::Ready(Err(
                        error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())
                    ));
                }
                _ => return Poll::Pending,
            }
        }
    })
    .await
}

/// The pause of RFC 8305 before the next address is tried.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_alternate_between_families_with_ipv6_first() {
        let addresses = ["1.1.1.1:1", "2.2.2.2:1", "[::1]:1", "3.3.3.3:1", "[::2]:1"];
        let addresses = addresses.map(|text| text.parse().unwrap()).to_vec();
        let ordered: Vec<String> = in_turns(addresses)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            ordered,
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"]
        );
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_the_first_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let closed = {
            let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            unused.local_addr().unwrap()
        };
        let socket = race(vec![closed, good]).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), good);
        let error = race(vec![closed, closed]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
