use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use url::{Host, Url};

use crate::error::Error;

/// Hosts that are reached directly although there is a proxy.
///
/// Made from a list in the form of the environment variable `no_proxy`: entries separated by commas or white space.
///
/// | entry | meets |
/// |---|---|
/// | `example.com`, `.example.com`, `*.example.com` | the host and everything below it, not `badexample.com` |
/// | `10.1.2.3`, `fe80::1`, `[fe80::1]` | a host that is written as this address |
/// | `10.0.0.0/8`, `fd00::/8` | a host that is written as an address of this network |
/// | any of these with `:8080` | only that port; IPv6 addresses then need the brackets |
/// | `*` | every host |
///
/// Case does not matter. Names are not looked up: an address meets only hosts that are written as addresses.
///
/// ```
/// use reqivo::{NoProxy, Url};
///
/// let direct = NoProxy::new("internal.example, 10.0.0.0/8")?;
/// assert!(direct.matches(&Url::parse("https://git.internal.example/")?));
/// assert!(!direct.matches(&Url::parse("https://example.org/")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct NoProxy(Arc<[Entry]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Any,
    /// This name and those below it, in the form that URLs have after parsing.
    Below(Box<str>),
    Net(IpNet),
}

impl NoProxy {
    /// Reads a list of hosts.
    ///
    /// # Errors
    ///
    /// When an entry is none of the forms above.
    pub fn new(list: &str) -> Result<Self, Error> {
        entries(list)
            .map(|entry| {
                Entry::parse(entry)
                    .ok_or_else(|| Error::builder("no_proxy entry is neither a host nor a network"))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|entries| Self(entries.into()))
    }

    /// Reads the environment variable `no_proxy`, or else `NO_PROXY`. An entry that makes no sense is left out.
    ///
    /// Sessions do this by themselves for the proxies of the environment; it is of use for proxies that are set by code.
    #[must_use]
    pub fn from_env() -> Self {
        super::environment::no_proxy(&super::environment::of_process)
    }

    /// Returns whether the host of a URL is among them.
    #[must_use]
    pub fn matches(&self, url: &Url) -> bool {
        match (url.host(), url.port_or_known_default()) {
            (Some(host), Some(port)) => self.0.iter().any(|entry| entry.matches(&host, port)),
            _ => false,
        }
    }

    /// Reads what can be read.
    pub(super) fn lenient(list: &str) -> Self {
        let read = |entry: &str| {
            let parsed = Entry::parse(entry);
            if parsed.is_none() {
                tracing::warn!(entry, "ignoring a no_proxy entry that makes no sense");
            }
            parsed
        };
        Self(entries(list).filter_map(read).collect())
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(|at: char| at == ',' || at.is_whitespace())
        .filter(|entry| !entry.is_empty())
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let any_port = |hosts| Some(Self { hosts, port: None });
        // Before the port is looked for, because addresses hold colons too.
        if let Some(net) = net(text) {
            return any_port(Hosts::Net(net));
        }
        if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let port = match rest {
                "" => None,
                rest => Some(port(rest.strip_prefix(':')?)?),
            };
            let hosts = Hosts::Net(net(host).filter(|net| net.addr().is_ipv6())?);
            return Some(Self { hosts, port });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, digits)) => (host, Some(port(digits)?)),
            None => (text, None),
        };
        let hosts = match host {
            "*" => Hosts::Any,
            // An address that holds colons needs brackets before a port.
            _ if host.contains(':') => return None,
            _ => match net(host) {
                Some(net) => Hosts::Net(net),
                None => names(host)?,
            },
        };
        Some(Self { hosts, port })
    }

    fn matches(&self, host: &Host<&str>, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match (&self.hosts, host) {
            (Hosts::Any, _) => true,
            (Hosts::Below(name), Host::Domain(host)) => is_below(host, name),
            (Hosts::Net(net), Host::Ipv4(address)) => net.contains(&IpAddr::from(*address)),
            (Hosts::Net(net), Host::Ipv6(address)) => {
                net.contains(&IpAddr::from(*address).to_canonical())
            }
            (Hosts::Below(_), _) | (Hosts::Net(_), Host::Domain(_)) => false,
        }
    }
}

/// Whether a host is this name, or one below it.
fn is_below(host: &str, name: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.strip_suffix(name) {
        Some(above) => above.is_empty() || above.ends_with('.'),
        None => false,
    }
}

/// An address or a network.
fn net(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        // IPv4 in the clothes of IPv6 is IPv4.
        Ok(address) => Some(address.to_canonical().into()),
        Err(_) => text.parse().ok(),
    }
}

fn port(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port > 0)
}

fn names(text: &str) -> Option<Hosts> {
    let name = text.strip_prefix('*').unwrap_or(text);
    // A star stands before a dot or not at all.
    if name.len() < text.len() && !name.starts_with('.') {
        return None;
    }
    let name = name.strip_prefix('.').unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.contains('*') {
        return None;
    }
    match Host::parse(name).ok()? {
        Host::Domain(name) => {
            // Percent-encoding and compatible characters may have become what separates entries.
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let dots = name.starts_with('.') || name.ends_with('.');
            let sane = !name.is_empty() && !dots && name.bytes().all(plain);
            sane.then(|| Hosts::Below(name.into()))
        }
        Host::Ipv4(address) => Some(Hosts::Net(IpAddr::from(address).into())),
        Host::Ipv6(_) => None,
    }
}

/// Whether a URL names this machine: `localhost`, a name below it, or a loopback address.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_below(name, "localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical().is_loopback(),
        None => false,
    }
}

impl std::str::FromStr for NoProxy {
    type Err = Error;

    fn from_str(list: &str) -> Result<Self, Error> {
        Self::new(list)
    }
}

/// The entries as a list that [`new`](Self::new) reads.
impl fmt::Display for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match &entry.hosts {
                Hosts::Any => f.write_str("*")?,
                Hosts::Below(name) => f.write_str(name)?,
                Hosts::Net(IpNet::V6(net)) if entry.port.is_some() => write!(f, "[{net}]")?,
                Hosts::Net(net) => write!(f, "{net}")?,
            }
            if let Some(port) = entry.port {
                write!(f, ":{port}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoProxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meets(list: &str, url: &str) -> bool {
        NoProxy::new(list)
            .unwrap()
            .matches(&Url::parse(url).unwrap())
    }

    #[test]
    fn x5_names_meet_themselves_and_what_is_below_them() {
        for list in [
            "example.com",
            ".example.com",
            "*.Example.COM",
            "example.com.",
        ] {
            for (url, met) in [
                ("http://example.com/", true),
                ("https://EXAMPLE.com:8443/", true),
                ("http://a.b.example.com/", true),
                ("http://example.com./", true),
                ("http://badexample.com/", false),
                ("http://example.com.evil/", false),
                ("http://com/", false),
                ("http://10.0.0.1/", false),
            ] {
                assert_eq!(meets(list, url), met, "{list} {url}");
            }
        }
        assert!(meets("bücher.example", "http://www.xn--bcher-kva.example/"));
    }

    #[test]
    fn x5_ports_addresses_networks_and_everything() {
        for (list, url, met) in [
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("example.com:80", "http://example.com/", true),
            ("example.com:443", "wss://example.com/", true),
            ("10.1.2.3", "http://10.1.2.3/", true),
            ("10.1.2.3", "http://10.1.2.4/", false),
            ("10.1.2.3:81", "http://10.1.2.3/", false),
            ("10.1.2.3", "http://[::ffff:10.1.2.3]/", true),
            ("10.0.0.0/8", "http://10.255.0.1/", true),
            ("10.9.9.9/8", "http://10.255.0.1/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
            ("10.0.0.0/8:80", "http://10.0.0.1/", true),
            ("0.0.0.0/0", "http://[::1]/", false),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("fe80::1", "http://[fe80::1]/", true),
            ("[fe80::1]", "http://[fe80::1]:99/", true),
            ("[fe80::1]:99", "http://[fe80::1]:99/", true),
            ("[fe80::1]:98", "http://[fe80::1]:99/", false),
            ("[fd00::/8]:99", "http://[fd00::5]:99/", true),
            ("*", "http://anything/", true),
            ("*", "http://[::1]/", true),
            ("*:81", "http://anything/", false),
            ("a, b\tc,,\n10.0.0.1", "http://10.0.0.1/", true),
            ("a, b\tc,,\n10.0.0.1", "http://x.c/", true),
            ("a b", "http://ab/", false),
            ("", "http://a/", false),
        ] {
            assert_eq!(meets(list, url), met, "{list} {url}");
        }
    }

    #[test]
    fn x5_nonsense_is_refused_by_code_and_left_out_from_the_environment() {
        for entry in [
            "10.0.0.0/33",
            "*example.com",
            "a*b",
            ".",
            "..a",
            "a:",
            "a:0",
            "a:70000",
            "a:+8",
            "[::1",
            "[::1]8",
            "[a]",
            "[10.0.0.1]",
            "::1:99999",
            "http://a",
            "a/b",
            "a..",
            "a%2cb",
            "a\u{ff0c}b",
        ] {
            assert!(NoProxy::new(entry).unwrap_err().is_builder(), "{entry}");
            let rest = NoProxy::lenient(&format!("{entry},good"));
            assert_eq!(rest.to_string(), "good", "{entry}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for (url, is) in [
            ("http://localhost/", true),
            ("http://a.localhost./", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://notlocalhost/", false),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), is, "{url}");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_the_union_of_its_entries_and_survives_being_printed(
            entries in proptest::collection::vec(
                r"[*]?\.?(a|B\.c|c|10\.0\.0\.1|10\.0\.0\.0/8|::1|\[::1\]|fd00::/8|[*]|[ -~\u{e4}]{0,6})\.?(:[0-9]{1,3})?",
                0..6,
            ),
            host in r"(a|x\.b\.c|ab|10\.0\.0\.1|10\.2\.0\.1|\[::1\]|\[fd00::9\])(:[0-9]{1,3})?",
        ) {
            prop_assume!(entries.iter().all(|entry| !entry.contains([',', ' '])));
            let Ok(url) = Url::parse(&format!("http://{host}/")) else {
                return Ok(());
            };
            let each: Vec<_> = entries.iter().map(|entry| NoProxy::new(entry)).collect();
            let all = NoProxy::new(&entries.join(", "));
            prop_assert_eq!(all.is_ok(), each.iter().all(Result::is_ok));
            let lenient = NoProxy::lenient(&entries.join(","));
            let any = each.iter().flatten().any(|one| one.matches(&url));
            prop_assert_eq!(lenient.matches(&url), any);
            let again = NoProxy::new(&lenient.to_string()).unwrap();
            prop_assert_eq!(again.0, lenient.0);
        }
    }
}
