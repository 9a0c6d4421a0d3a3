use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;

use base64::Engine as _;
use url::{Host, Url};

use crate::error::Error;
use crate::headers::Headers;
#[cfg(feature = "tls")]
use crate::net::tls::Tls;

/// A proxy: where it is, what it speaks, and what it is told about us.
#[derive(Clone)]
pub(crate) struct ProxyServer {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    /// For SOCKS; an HTTP proxy gets its credentials as a field.
    pub(crate) login: Option<Login>,
    /// What an HTTP proxy is told.
    pub(crate) headers: Headers,
    /// For the connection to the proxy; `None` is those of the session.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<Tls>>,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
    Socks4,
    Socks4a,
    Socks5,
    Socks5h,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// What code adds to the address of a proxy.
#[derive(Clone, Default)]
pub(super) struct Extras {
    pub(super) login: Option<Login>,
    pub(super) headers: Headers,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Arc<Tls>>,
}

/// What is wrong with the description of a proxy. Never shows the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidProxy {
    #[error("the url is malformed")]
    Url,
    #[error("the scheme is none of http, https, socks4, socks4a, socks5, socks5h")]
    Scheme,
    #[error("an https proxy needs the feature `tls`")]
    NeedsTls,
    #[error("the user name or password cannot be sent")]
    Login,
    #[error("socks4 has no passwords")]
    Password,
}

impl From<InvalidProxy> for Error {
    fn from(source: InvalidProxy) -> Self {
        Self::builder("invalid proxy").with_source(source)
    }
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, InvalidProxy> {
        let known = [
            Self::Http,
            Self::Https,
            Self::Socks4,
            Self::Socks4a,
            Self::Socks5,
            Self::Socks5h,
        ];
        known
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
            .ok_or(InvalidProxy::Scheme)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks4 | Self::Socks4a | Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    pub(crate) fn is_socks(self) -> bool {
        !matches!(self, Self::Http | Self::Https)
    }

    fn is_socks4(self) -> bool {
        matches!(self, Self::Socks4 | Self::Socks4a)
    }
}

impl ProxyServer {
    /// Reads `[scheme://][user[:password]@]host[:port]`; without a scheme it is an HTTP proxy. What follows the
    /// port is of no meaning.
    pub(super) fn parse(text: &str, extras: &Extras) -> Result<Self, InvalidProxy> {
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Scheme::parse(scheme)?, rest),
            None => (Scheme::Http, text),
        };
        if cfg!(not(feature = "tls")) && scheme == Scheme::Https {
            return Err(InvalidProxy::NeedsTls);
        }
        // A host that is left out would be taken from what follows.
        if rest.starts_with(['/', '\\', '?', '#']) {
            return Err(InvalidProxy::Url);
        }
        // Under a scheme of the web the host is parsed as such, but the port that is its default is not told.
        let read = |scheme: &str| Url::parse(&format!("{scheme}://{rest}"));
        let url = read("http").map_err(|_| InvalidProxy::Url)?;
        let other = read("https").map_err(|_| InvalidProxy::Url)?;
        let port = url.port().or_else(|| other.port());
        let host = url.host().ok_or(InvalidProxy::Url)?.to_owned();
        let mut via = Self {
            scheme,
            host,
            port: port.unwrap_or_else(|| scheme.default_port()),
            login: None,
            headers: extras.headers.clone(),
            #[cfg(feature = "tls")]
            tls: extras.tls.clone(),
        };
        if let Some(login) = &extras.login {
            via.set_login(login.clone())?;
        } else if !url.username().is_empty() || url.password().is_some() {
            let decoded = |text: &str| {
                let bytes = percent_encoding::percent_decode_str(text);
                let text = bytes.decode_utf8().map_err(|_| InvalidProxy::Login)?;
                Ok(text.into_owned())
            };
            via.set_login(Login {
                user: decoded(url.username())?,
                password: decoded(url.password().unwrap_or_default())?,
            })?;
        }
        Ok(via)
    }

    fn set_login(&mut self, login: Login) -> Result<(), InvalidProxy> {
        if !self.scheme.is_socks() {
            let value = basic(&login)?;
            let _ = self.headers.remove(PROXY_AUTHORIZATION);
            return self
                .headers
                .append_sensitive(PROXY_AUTHORIZATION, value)
                .map_err(|_| InvalidProxy::Login);
        }
        if self.scheme.is_socks4() {
            if !login.password.is_empty() {
                return Err(InvalidProxy::Password);
            }
            // It ends with a zero byte on the wire.
            if login.user.len() > 255 || login.user.contains('\0') {
                return Err(InvalidProxy::Login);
            }
        } else if login.user.is_empty() || login.user.len() > 255 || login.password.len() > 255 {
            return Err(InvalidProxy::Login);
        }
        self.login = Some(login);
        Ok(())
    }

    /// Whether a request of this scheme goes through a tunnel; otherwise the proxy reads it.
    pub(crate) fn tunnels(&self, scheme: &str) -> bool {
        self.scheme.is_socks() || scheme != "http"
    }

    /// Whether the connection to the proxy is one with the TLS settings of the session.
    pub(crate) fn uses_tls_of_session(&self) -> bool {
        #[cfg(feature = "tls")]
        let own = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let own = false;
        self.scheme == Scheme::Https && !own
    }

    #[cfg(feature = "tls")]
    fn has_tls_of(&self, other: &Self) -> bool {
        match (&self.tls, &other.tls) {
            (Some(a), Some(b)) => a.has_settings_of(b),
            (None, None) => true,
            _ => false,
        }
    }

    #[cfg(not(feature = "tls"))]
    fn has_tls_of(&self, _: &Self) -> bool {
        true
    }
}

/// The value of `Proxy-Authorization` (RFC 7617).
fn basic(login: &Login) -> Result<String, InvalidProxy> {
    let Login { user, password } = login;
    if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
        return Err(InvalidProxy::Login);
    }
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    Ok(format!("Basic {pair}"))
}

/// Connections through one proxy are not for another, nor for other credentials.
impl PartialEq for ProxyServer {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.scheme == other.scheme
                && self.host == other.host
                && self.port == other.port
                && self.login == other.login
                && self.has_tls_of(other)
                && self.headers.raw().eq(other.headers.raw()))
    }
}

impl Eq for ProxyServer {}

/// The address without credentials.
impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.as_str(), self.host, self.port)
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

pub(crate) const PROXY_AUTHORIZATION: &str = "Proxy-Authorization";

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Result<ProxyServer, InvalidProxy> {
        ProxyServer::parse(text, &Extras::default())
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        for (text, shown) in [
            ("proxy", "http://proxy:80"),
            ("proxy:3128", "http://proxy:3128"),
            (" http://Proxy:3128/ ", "http://proxy:3128"),
            ("http://proxy:443", "http://proxy:443"),
            ("https://proxy", "https://proxy:443"),
            ("https://proxy:80", "https://proxy:80"),
            ("socks5://127.0.0.1", "socks5://127.0.0.1:1080"),
            ("SOCKS5H://[::1]:80/x", "socks5h://[::1]:80"),
            (
                "socks4://b\u{fc}cher.example:443",
                "socks4://xn--bcher-kva.example:443",
            ),
            ("socks4a://user@host:9", "socks4a://host:9"),
            ("user:p%40ss@host:9", "http://host:9"),
        ] {
            assert_eq!(via(text).unwrap().to_string(), shown, "{text}");
        }
        for (text, problem) in [
            ("", InvalidProxy::Url),
            ("http://", InvalidProxy::Url),
            ("http:///host", InvalidProxy::Url),
            ("http://a b", InvalidProxy::Url),
            ("http://host:99999", InvalidProxy::Url),
            ("ftp://host", InvalidProxy::Scheme),
            ("socks://host", InvalidProxy::Scheme),
            ("http://us%0aer:p@host", InvalidProxy::Login),
            ("http://%ff:p@host", InvalidProxy::Login),
            ("socks5://:p@host", InvalidProxy::Login),
            ("socks4://u:p@host", InvalidProxy::Password),
            ("socks4://u%00@host", InvalidProxy::Login),
        ] {
            assert_eq!(via(text).unwrap_err(), problem, "{text}");
        }
    }

    #[test]
    fn credentials_are_decoded_kept_apart_and_never_shown() {
        let with = via("http://us%3er:se%20cret@host:9").unwrap();
        // The pair is `us>r:se cret`.
        let sent = with.headers.get(PROXY_AUTHORIZATION).unwrap();
        assert_eq!(sent, "Basic dXM+cjpzZSBjcmV0");
        let socks = via("socks5://us%3ar:se%20cret@host:9").unwrap();
        let login = socks.login.as_ref().unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.as_str()),
            ("us:r", "se cret")
        );
        for via in [&with, &socks] {
            let shown = format!("{via} {via:?}");
            assert!(!shown.contains("cret") && !shown.contains("dXM"), "{shown}");
        }
        let without = via("http://host:9").unwrap();
        assert!(with != without && with == via("us%3Er:se%20cret@HOST:9").unwrap());
        assert!(via("socks5://host:9").unwrap() != via("socks5h://host:9").unwrap());
        assert!(socks != via("socks5://us%3ar:other@host:9").unwrap());
    }
}
