use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use url::{Host, Url};

use crate::error::Error;
use crate::proxy::ProxyServer;

/// Where a connection leads, and by which way: what it takes to open it, and what the pool tells connections
/// apart by. Made by [`Connector::route`](super::connect::Connector::route).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    /// Whether TLS is spoken with the origin.
    pub(crate) https: bool,
    /// The host of the origin as URLs spell it: an IPv6 address has brackets.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// What is connected to instead of the host itself.
    pub(crate) via: Option<&'a Via>,
    pub(crate) settings: SettingsId,
}

/// What is connected to instead of the host of the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// A Unix-domain socket.
    Unix(Arc<Path>),
    /// A proxy.
    Proxy(Arc<ProxyServer>),
}

/// Which settings a connection was opened with. Sessions that share a pool share connections only where these agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingsId {
    /// Of TLS; 0 when there is none on the way.
    pub(crate) tls: u64,
    /// Of the network: addresses of hosts, local address and the like.
    pub(crate) network: u64,
}

impl Via {
    /// The proxy that reads requests of this scheme instead of tunnelling them.
    pub(crate) fn reading_proxy(&self, scheme: &str) -> Option<&ProxyServer> {
        match self {
            Self::Proxy(proxy) if !proxy.tunnels(scheme) => Some(proxy),
            Self::Proxy(_) | Self::Unix(_) => None,
        }
    }
}

impl<'a> Route<'a> {
    pub(crate) fn new(
        url: &'a Url,
        via: Option<&'a Via>,
        settings: SettingsId,
    ) -> Result<Self, Error> {
        let host = url
            .host_str()
            .ok_or_else(|| Error::builder("url without a host"))?;
        let https = url.scheme() == "https";
        let with_proxy = matches!(via, Some(Via::Proxy(proxy)) if proxy.uses_tls_of_session());
        let tls = match https || with_proxy {
            true => settings.tls,
            false => 0,
        };
        Ok(Self {
            https,
            host,
            port: url.port_or_known_default().unwrap_or(80),
            via,
            settings: SettingsId { tls, ..settings },
        })
    }

    /// The host of the origin, taken apart.
    pub(crate) fn host(&self) -> Host<&'a str> {
        let bracketed = self.host.strip_prefix('[');
        if let Some(address) = bracketed.and_then(|it| it.strip_suffix(']'))
            && let Ok(address) = address.parse::<Ipv6Addr>()
        {
            return Host::Ipv6(address);
        }
        match self.host.parse::<Ipv4Addr>() {
            Ok(address) => Host::Ipv4(address),
            Err(_) => Host::Domain(self.host),
        }
    }
}

/// The form of a host that URLs have: lower case, Punycode, addresses without brackets.
pub(crate) fn host_as_in_urls(host: &str) -> String {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name,
        Ok(Host::Ipv4(address)) => address.to_string(),
        Ok(Host::Ipv6(address)) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

/// A number for settings that differ from the default ones, which have 0.
pub(crate) fn new_settings_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_taken_apart_as_the_url_does() {
        for text in [
            "http://example.org/",
            "https://127.1:8443/",
            "http://[::1]/",
            "http://[2001:db8::1:0]:99/",
            "http://b\u{fc}cher.example/",
            "http://1.2.3.4.example/",
        ] {
            let url = Url::parse(text).unwrap();
            let route = Route::new(&url, None, SettingsId::default()).unwrap();
            assert_eq!(Some(route.host()), url.host(), "{text}");
            assert_eq!(Some(route.port), url.port_or_known_default(), "{text}");
        }
    }

    #[test]
    fn hosts_are_named_as_urls_name_them() {
        for (given, named) in [
            ("Example.ORG", "example.org"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("[0:0::1]", "::1"),
            ("::1", "::1"),
        ] {
            assert_eq!(host_as_in_urls(given), named);
        }
    }

    #[test]
    fn without_tls_its_settings_do_not_matter() {
        let settings = SettingsId { tls: 7, network: 0 };
        let tls = |text: &str| {
            let url = Url::parse(text).unwrap();
            Route::new(&url, None, settings).unwrap().settings.tls
        };
        assert_eq!((tls("http://a/"), tls("https://a/")), (0, 7));
    }
}
