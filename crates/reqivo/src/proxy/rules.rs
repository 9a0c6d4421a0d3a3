use std::fmt;
use std::sync::Arc;

use url::Url;

use super::address::{Extras, InvalidProxy, Login, ProxyServer};
use super::environment::Environment;
use super::no_proxy::{NoProxy, is_loopback};
use crate::error::{Error, ErrorKind, Phase};
#[cfg(feature = "tls")]
use crate::net::tls::{Tls, TlsConfig};

/// A proxy, and which requests go through it.
///
/// Set one or more with [`SessionBuilder::proxy`](crate::SessionBuilder::proxy); the first that is for the URL of a
/// request is used, and a request that none is for goes directly. Every hop of a redirect is looked at anew.
///
/// A proxy is named by a URL: `http://`, `https://` (TLS to the proxy), `socks4://` and `socks5://` (host names are looked
/// up here), `socks4a://` and `socks5h://` (host names are looked up by the proxy). Without a scheme it is an HTTP
/// proxy. User name and password may stand in the URL, percent-encoded.
///
/// Requests to `http://` are handed to an HTTP proxy, which reads them; everything else goes through a tunnel
/// (`CONNECT`) of which the proxy sees host and port only. A refusal is an error with
/// [`is_proxy`](crate::Error::is_proxy), the status and the body of the answer.
///
/// ```
/// use reqivo::{NoProxy, Proxy, Session};
///
/// # fn main() -> Result<(), reqivo::Error> {
/// let session = Session::builder()
///     .proxy(Proxy::https("http://proxy.example:3128")?.basic_auth("user", "secret"))
///     .proxy(Proxy::all("socks5h://127.0.0.1:1080")?.no_proxy(NoProxy::new("internal.example")?))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a proxy does nothing until a session has it"]
pub struct Proxy {
    targets: Targets,
    choice: Choice,
    extras: Extras,
    only: Option<NoProxy>,
    except: Option<NoProxy>,
}

/// Which schemes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    Http,
    Https,
    All,
}

type Choose = Arc<dyn Fn(&Url) -> Option<String> + Send + Sync>;

#[derive(Clone)]
enum Choice {
    /// The text was parsed once, so it is well-formed.
    Fixed(Box<str>),
    Custom(Choose),
}

impl Proxy {
    /// Sends requests to `http://` URLs through this proxy.
    ///
    /// # Errors
    ///
    /// When the text is no URL of a proxy.
    pub fn http(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::fixed(Targets::Http, url.as_ref())
    }

    /// Sends requests to `https://` URLs through this proxy, which itself may speak any of the schemes.
    ///
    /// # Errors
    ///
    /// When the text is no URL of a proxy.
    pub fn https(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::fixed(Targets::Https, url.as_ref())
    }

    /// Sends all requests through this proxy, those to this machine included.
    ///
    /// # Errors
    ///
    /// When the text is no URL of a proxy.
    pub fn all(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::fixed(Targets::All, url.as_ref())
    }

    /// Asks a closure for the proxy of each request. It gets the URL of the hop and returns the URL of a proxy, or
    /// `None` when this rule is not for that request.
    ///
    /// An answer that is no URL of a proxy fails the request.
    ///
    /// ```
    /// use reqivo::Proxy;
    ///
    /// let by_port = Proxy::custom(|url| match url.port() {
    ///     Some(8443) => Some("http://proxy-b.example:3128"),
    ///     _ => None,
    /// });
    /// ```
    pub fn custom<T: AsRef<str>>(
        choose: impl Fn(&Url) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        let choose = move |url: &Url| choose(url).map(|text| text.as_ref().to_owned());
        Self::new(Targets::All, Choice::Custom(Arc::new(choose)))
    }

    /// Sets user name and password, in place of those of the URL: `Proxy-Authorization: Basic` for an HTTP proxy,
    /// RFC 1929 for SOCKS 5. SOCKS 4 takes a user name only, with an empty password.
    ///
    /// They are sent to the proxy and never to the server behind it. What cannot be sent is an error of
    /// [`SessionBuilder::build`](crate::SessionBuilder::build).
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.extras.login = Some(Login {
            user: user.to_owned(),
            password: password.to_owned(),
        });
        self
    }

    /// Adds a header field for an HTTP proxy: to the request for a tunnel, and to requests that the proxy reads, which may
    /// pass it on. It is not sent through a tunnel. `Debug` does not show it.
    ///
    /// # Errors
    ///
    /// When name or value are malformed, or the field is one that frames the message.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        if FRAMING.iter().any(|field| field.eq_ignore_ascii_case(name)) {
            return Err(Error::builder("the header field is not free to choose"));
        }
        let _ = self.extras.headers.remove(name);
        self.extras.headers.append_sensitive(name, value)?;
        Ok(self)
    }

    /// Sets how TLS is spoken with an `https://` proxy, instead of the settings of the session without their client
    /// certificate.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.extras.tls = Some(Arc::new(Tls::new(tls)));
        self
    }

    /// Does not use the proxy for these hosts; see also [`NoProxy::from_env`].
    pub fn no_proxy(mut self, hosts: NoProxy) -> Self {
        self.except = Some(hosts);
        self
    }

    /// Uses the proxy for these hosts only. The list is of the form that [`NoProxy`] describes.
    ///
    /// # Errors
    ///
    /// When an entry is malformed.
    pub fn only_for(mut self, hosts: &str) -> Result<Self, Error> {
        self.only = Some(NoProxy::new(hosts)?);
        Ok(self)
    }

    fn fixed(targets: Targets, text: &str) -> Result<Self, Error> {
        ProxyServer::parse(text, &Extras::default())?;
        Ok(Self::new(targets, Choice::Fixed(text.into())))
    }

    fn new(targets: Targets, choice: Choice) -> Self {
        Self {
            targets,
            choice,
            extras: Extras::default(),
            only: None,
            except: None,
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Proxy");
        shown.field("targets", &self.targets);
        if let Choice::Fixed(text) = &self.choice {
            // Without credentials.
            let via = ProxyServer::parse(text, &Extras::default());
            shown.field("via", &via.as_ref().ok());
        }
        shown
            .field("only_for", &self.only)
            .field("no_proxy", &self.except)
            .finish_non_exhaustive()
    }
}

/// A proxy that is ready for use.
#[derive(Clone)]
pub(super) struct Rule {
    targets: Targets,
    choice: Ready,
    only: Option<NoProxy>,
    pub(super) except: Option<NoProxy>,
    spares_loopback: bool,
}

#[derive(Clone)]
enum Ready {
    Fixed(Arc<ProxyServer>),
    Custom(Choose, Extras),
    /// A variable of the environment that makes no sense.
    Broken(&'static str, InvalidProxy),
}

impl Rule {
    fn new(proxy: Proxy) -> Result<Self, Error> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &proxy.extras.tls {
            tls.check()?;
        }
        let choice = match proxy.choice {
            Choice::Fixed(text) => {
                Ready::Fixed(Arc::new(ProxyServer::parse(&text, &proxy.extras)?))
            }
            Choice::Custom(choose) => Ready::Custom(choose, proxy.extras),
        };
        Ok(Self {
            targets: proxy.targets,
            choice,
            only: proxy.only,
            except: proxy.except,
            spares_loopback: false,
        })
    }

    pub(super) fn of_environment(
        targets: Targets,
        variable: &'static str,
        text: &str,
        with_loopback: bool,
    ) -> Self {
        let choice = match ProxyServer::parse(text, &Extras::default()) {
            Ok(via) => Ready::Fixed(Arc::new(via)),
            Err(problem) => Ready::Broken(variable, problem),
        };
        Self {
            targets,
            choice,
            only: None,
            except: None,
            spares_loopback: !with_loopback,
        }
    }

    fn is_for(&self, url: &Url) -> bool {
        let scheme = match self.targets {
            Targets::Http => matches!(url.scheme(), "http" | "ws"),
            Targets::Https => matches!(url.scheme(), "https" | "wss"),
            Targets::All => true,
        };
        scheme
            && self.only.as_ref().is_none_or(|only| only.matches(url))
            && !self
                .except
                .as_ref()
                .is_some_and(|except| except.matches(url))
    }

    fn via(&self, url: &Url) -> Result<Option<Arc<ProxyServer>>, Error> {
        let refused = || Error::new(ErrorKind::Proxy, Phase::Build);
        match &self.choice {
            Ready::Fixed(via) => Ok(Some(Arc::clone(via))),
            Ready::Custom(choose, extras) => match choose(url) {
                None => Ok(None),
                Some(text) => match ProxyServer::parse(&text, extras) {
                    Ok(via) => Ok(Some(Arc::new(via))),
                    Err(problem) => Err(refused()
                        .with_message("the callback chose an invalid proxy")
                        .with_source(problem)),
                },
            },
            Ready::Broken(variable, problem) => Err(refused()
                .with_text(format!("the environment variable {variable} is no proxy"))
                .with_source(*problem)),
        }
    }
}

/// The proxies of a session or a call.
#[derive(Clone)]
pub(crate) struct Proxies(Vec<Rule>);

impl Proxies {
    /// Those that code set, or else those of the environment; `None` when there are none.
    pub(crate) fn new(
        set: Vec<Self>,
        environment: &Environment,
        with_loopback: bool,
    ) -> Option<Arc<Self>> {
        let rules = match set.is_empty() {
            true => environment.rules(with_loopback),
            false => set.into_iter().flat_map(|proxies| proxies.0).collect(),
        };
        (!rules.is_empty()).then(|| Arc::new(Self(rules)))
    }

    /// A single one.
    pub(crate) fn one(proxy: Proxy) -> Result<Self, Error> {
        Ok(Self(vec![Rule::new(proxy)?]))
    }

    /// No proxy at all.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// The proxy for a URL; `None` is the direct way.
    pub(crate) fn choose(&self, url: &Url) -> Result<Option<Arc<ProxyServer>>, Error> {
        for rule in self.0.iter().filter(|rule| rule.is_for(url)) {
            if rule.spares_loopback && is_loopback(url) {
                continue;
            }
            if let Some(via) = rule.via(url)? {
                return Ok(Some(via));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|rule| match &rule.choice {
            Ready::Fixed(via) => via.to_string(),
            Ready::Custom(..) => "custom".to_owned(),
            Ready::Broken(variable, _) => format!("invalid {variable}"),
        });
        f.debug_list().entries(shown).finish()
    }
}

/// Fields that the library decides.
const FRAMING: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(proxies: Vec<Proxy>, url: &str) -> Option<String> {
        let set = proxies
            .into_iter()
            .map(|proxy| Proxies::one(proxy).unwrap());
        let proxies = Proxies::new(set.collect(), &Environment::Ignored, false)?;
        let via = proxies.choose(&Url::parse(url).unwrap()).unwrap()?;
        Some(via.to_string())
    }

    #[test]
    fn x6_the_first_rule_that_is_for_a_url_wins() {
        let rules = || {
            vec![
                Proxy::all("a:1").unwrap().only_for("one.example").unwrap(),
                Proxy::http("b:2")
                    .unwrap()
                    .no_proxy(NoProxy::new("two.example:81").unwrap()),
                Proxy::custom(|url| (url.path() == "/c").then_some("socks5://c:3")),
                Proxy::https("d:4").unwrap(),
            ]
        };
        for (url, via) in [
            ("https://x.one.example/", Some("http://a:1")),
            ("http://two.example/", Some("http://b:2")),
            ("http://two.example:81/", None),
            ("http://two.example:81/c", Some("socks5://c:3")),
            ("https://two.example/c", Some("socks5://c:3")),
            ("https://two.example/", Some("http://d:4")),
        ] {
            assert_eq!(choose(rules(), url).as_deref(), via, "{url}");
        }
    }

    #[test]
    fn x5_a_proxy_that_code_names_also_serves_this_machine() {
        let proxy = || vec![Proxy::all("a:1").unwrap()];
        assert!(choose(proxy(), "http://127.0.0.1/").is_some());
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_secrets_are_not_shown() {
        assert!(Proxy::all("gopher://x").unwrap_err().is_builder());
        let colon = Proxy::all("x").unwrap().basic_auth("a:b", "c");
        assert!(Proxies::one(colon).unwrap_err().is_builder());
        let socks4 = Proxy::all("socks4://x").unwrap().basic_auth("a", "c");
        assert!(Proxies::one(socks4).unwrap_err().is_builder());
        assert!(Proxy::all("x").unwrap().header("Host", "y").is_err());
        let chosen = Proxies::one(Proxy::custom(|_| Some("gopher://u:secret@x"))).unwrap();
        let error = chosen
            .choose(&Url::parse("http://a/").unwrap())
            .unwrap_err();
        assert!(
            error.is_proxy() && !error.to_string().contains("secret"),
            "{error}"
        );
        let proxy = Proxy::all("http://u:secret@host:9")
            .unwrap()
            .basic_auth("u", "secret");
        let proxy = proxy.header("X-Key", "secret").unwrap();
        let shown = format!("{proxy:?} {:?}", Proxies::one(proxy.clone()).unwrap());
        assert!(
            shown.contains("host:9") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
