//! Connections through a proxy.

use std::net::SocketAddr;

use url::Host;

use super::clock::{Clock, Expiry, until};
use super::connect::Connector;
use super::route::Route;
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Phase};
use crate::proxy::{Destination, ProxyServer, Scheme, SocksError};

impl Connector {
    /// Opens a stream on which the origin is spoken to: through a tunnel, or to a proxy that reads the requests.
    /// All of it is within the time for connecting. Returns the address of the proxy too.
    pub(super) async fn through(
        &self,
        proxy: &ProxyServer,
        route: &Route<'_>,
        clock: &Clock,
        expiry: Option<Expiry>,
    ) -> Result<(Stream, SocketAddr), Error> {
        let (host, port) = (route.host(), route.port);
        let scheme = if route.https { "https" } else { "http" };
        if !proxy.tunnels(scheme) {
            return self.reach(proxy, clock, expiry).await;
        }
        let to = Destination::new(&host, port);
        if !proxy.scheme.is_socks() {
            let (mut stream, remote) = self.reach(proxy, clock, expiry).await?;
            let ends = expiry.map(|expiry| expiry.at);
            let tunnel = proxy.open_tunnel(&mut stream, to, ends);
            until(expiry, Phase::Proxy, tunnel).await??;
            if let Some(watch) = &clock.watch {
                watch.tunnelled();
            }
            return Ok((stream, remote));
        }
        let mut addresses = match (proxy.scheme, &host) {
            (Scheme::Socks4 | Scheme::Socks5, Host::Domain(_)) => {
                until(expiry, Phase::Resolve, self.resolve(&host, port)).await??
            }
            _ => Vec::new(),
        };
        if proxy.scheme == Scheme::Socks4 && addresses.iter().any(SocketAddr::is_ipv4) {
            addresses.retain(SocketAddr::is_ipv4);
        }
        addresses.truncate(MAX_ADDRESSES);
        let mut addresses = addresses.into_iter();
        let mut to = addresses.next().map_or(to, Destination::Address);
        loop {
            let (mut stream, remote) = self.reach(proxy, clock, expiry).await?;
            let opened = until(expiry, Phase::Proxy, proxy.open_socks(&mut stream, to)).await?;
            match (opened, addresses.next()) {
                (Ok(()), _) => {
                    tracing::debug!(%proxy, "connected through the proxy");
                    if let Some(watch) = &clock.watch {
                        watch.tunnelled();
                    }
                    return Ok((stream, remote));
                }
                // A connection to the proxy serves one attempt.
                (Err(error), Some(next)) if error.may_differ_by_address() => {
                    to = Destination::Address(next);
                }
                (Err(error), _) => return Err(refused(proxy, error)),
            }
        }
    }

    /// Connects to the proxy itself.
    async fn reach(
        &self,
        proxy: &ProxyServer,
        clock: &Clock,
        expiry: Option<Expiry>,
    ) -> Result<(Stream, SocketAddr), Error> {
        let failed = |error: Error| match error.kind() {
            ErrorKind::Timeout | ErrorKind::Builder => error,
            _ => Error::new(ErrorKind::Proxy, error.phase())
                .with_text(format!("{proxy} could not be reached"))
                .with_source(error),
        };
        let host = match &proxy.host {
            Host::Domain(name) => Host::Domain(name.as_str()),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        };
        let (socket, remote) = self
            .dial(&host, proxy.port, clock, expiry)
            .await
            .map_err(failed)?;
        let stream = Stream::Tcp(socket);
        let stream = match proxy.scheme {
            Scheme::Https => self
                .secure(&host, stream, Some(proxy), clock, expiry)
                .await
                .map_err(failed)?,
            _ => stream,
        };
        Ok((stream, remote))
    }
}

fn refused(proxy: &ProxyServer, error: SocksError) -> Error {
    Error::new(ErrorKind::Proxy, Phase::Proxy)
        .with_text(format!("{proxy} opened no connection"))
        .with_source(error)
}

/// How many addresses of a host a SOCKS proxy is asked for in turn.
const MAX_ADDRESSES: usize = 4;
