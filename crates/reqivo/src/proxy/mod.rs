//! Proxies: which one a request goes through, and how the way through it is opened.

mod address;
mod connect;
mod environment;
mod no_proxy;
mod rules;
mod socks;

pub(crate) use self::address::{PROXY_AUTHORIZATION, ProxyServer, Scheme};
pub(crate) use self::environment::Environment;
pub use self::no_proxy::NoProxy;
pub(crate) use self::rules::Proxies;
pub use self::rules::Proxy;
pub(crate) use self::socks::SocksError;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use url::Host;

/// What is at the far end of a tunnel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Destination<'a> {
    Name(&'a str, u16),
    Address(SocketAddr),
}

impl<'a> Destination<'a> {
    pub(crate) fn new(host: &Host<&'a str>, port: u16) -> Self {
        let address = match host {
            Host::Domain(name) => return Self::Name(name, port),
            Host::Ipv4(address) => IpAddr::from(*address),
            // IPv4 in the clothes of IPv6 is IPv4.
            Host::Ipv6(address) => IpAddr::from(*address).to_canonical(),
        };
        Self::Address((address, port).into())
    }
}

/// As in the target of `CONNECT`: an IPv6 address has brackets.
impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}
