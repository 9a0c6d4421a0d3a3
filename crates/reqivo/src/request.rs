use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use url::Url;

use crate::auth::CallAuth;
use crate::connection::{Connection, Slot};
use crate::error::Error;
use crate::headers::Headers;
use crate::net::exchange::OnInterim;
use crate::net::route::Via;
use crate::proto::{Head, Limits};
use crate::proxy::{Proxies, Proxy};
use crate::redirect::RedirectPolicy;
use crate::request_body::Body;
use crate::response::Response;
use crate::session::Session;
use crate::timeouts::Timeouts;

/// A request that is being built. [`send`](Self::send) sends it.
///
/// A mistake in one step (a malformed URL, a header with a line break) is reported by `send`, before any IO.
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    session: Session,
    parts: Result<Box<Parts>, Error>,
}

/// What there is to know about one call.
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Headers,
    /// Names of defaults that are not sent.
    pub(crate) without: Vec<Box<str>>,
    pub(crate) body: Option<Body>,
    pub(crate) content_type: Option<&'static str>,
    /// For how long the server is asked for leave to send the body.
    pub(crate) expect: Option<Duration>,
    pub(crate) timeouts: Option<Box<Timeouts>>,
    pub(crate) limits: Option<Box<Limits>>,
    pub(crate) redirects: Option<RedirectPolicy>,
    /// What is connected to instead of the host.
    pub(crate) via: Option<Via>,
    /// Instead of the proxies of the session.
    pub(crate) proxies: Option<Arc<Proxies>>,
    /// What the request goes over if it leads to the same server.
    pub(crate) connection: Option<Arc<Slot>>,
    pub(crate) idempotent: Option<bool>,
    pub(crate) raw_body: bool,
    pub(crate) on_interim: Option<OnInterim>,
    /// Whether the session's own fields are among `headers` already.
    pub(crate) merged: bool,
    pub(crate) without_cookies: bool,
    /// The credentials of the session, unless the call has its own.
    pub(crate) auth: Option<Box<CallAuth>>,
    /// The fields that the session decides for each hop: credentials and cookies. They replace all others.
    pub(crate) added: Option<Box<Headers>>,
    /// Tells the cookies of this hop from those of another.
    pub(crate) cookie_mark: u64,
}

#[bifrons::dual(blocking = crate::blocking::RequestBuilder)]
impl RequestBuilder {
    /// Sets a header field: replaces a default and what was set before under this name.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.change(|parts| parts.headers.insert(name, value))
    }

    /// Adds a header field beside those that were set under this name.
    pub fn append_header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.change(|parts| parts.headers.append(name, value))
    }

    /// Adds a header field that `Debug` does not show and that is not sent on to another origin.
    pub fn sensitive_header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.change(|parts| {
            let _ = parts.headers.remove(name);
            parts.headers.append_sensitive(name, value)
        })
    }

    /// Sets several header fields; each replaces what was set under its name.
    pub fn headers(self, headers: &Headers) -> Self {
        self.change(|parts| {
            parts.headers.overlay(headers);
            Ok(())
        })
    }

    /// Sends no field of this name, neither a default one nor one of the session; `Authorization` leaves out the
    /// session's credentials. `Host` and the fields that frame the body cannot be left out.
    pub fn without_header(self, name: &str) -> Self {
        self.change(|parts| {
            let _ = parts.headers.remove(name);
            parts.without.push(name.into());
            Ok(())
        })
    }

    /// Adds pairs to the query of the URL, in this order; keys may repeat.
    pub fn query<K: AsRef<str>, V: AsRef<str>>(
        self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.change(|parts| {
            let mut pairs = pairs.into_iter().peekable();
            if pairs.peek().is_some() {
                parts.url.query_pairs_mut().extend_pairs(pairs);
            }
            Ok(())
        })
    }

    /// Adds the fields of a value to the query of the URL: a struct, a map, or a list of pairs.
    #[cfg(feature = "urlencoded")]
    pub fn query_from<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.change(|parts| {
            let mut pairs = parts.url.query_pairs_mut();
            let written = value
                .serialize(serde_urlencoded::Serializer::new(&mut pairs))
                .map(drop);
            drop(pairs);
            written.map_err(|error| {
                Error::builder("the value cannot be written as a query").with_source(error)
            })?;
            if parts.url.query() == Some("") {
                parts.url.set_query(None);
            }
            Ok(())
        })
    }

    /// Sends this user name and password as `Authorization: Basic`.
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.change(|parts| set_basic(&mut parts.headers, user, password))
    }

    /// Sends this token as `Authorization: Bearer`.
    pub fn bearer_auth(self, token: &str) -> Self {
        self.change(|parts| {
            let value = crate::auth::bearer_auth_header(token)?;
            let _ = parts.headers.remove("authorization");
            parts.headers.append_sensitive("Authorization", value)
        })
    }

    /// Sends a body: bytes, text (as UTF-8), or what [`Body`] can be made from. No `Content-Type` is invented.
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.change(|parts| {
            parts.body = Some(body.into().checked()?);
            parts.content_type = None;
            Ok(())
        })
    }

    /// Asks the server for leave before the body is sent, with `Expect: 100-continue`, and waits for up to 1 s.
    ///
    /// The body is sent when the server says so with an interim response or stays silent. A final response instead,
    /// such as 401, 413 or 417, is what the call returns; the body is not sent then, and the connection is closed. A
    /// request without a body does not ask.
    pub fn expect_continue(self) -> Self {
        self.expect_continue_within(crate::outgoing::EXPECT_WAIT)
    }

    /// As [`expect_continue`](Self::expect_continue), with another time to wait for the server.
    pub fn expect_continue_within(self, wait: Duration) -> Self {
        self.change(|parts| {
            parts.expect = Some(wait);
            Ok(())
        })
    }

    /// Sends a value as JSON, with `Content-Type: application/json` unless another one is set.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.change(|parts| {
            let body = serde_json::to_vec(value).map_err(|error| {
                Error::builder("the value cannot be written as json").with_source(error)
            })?;
            parts.body = Some(Body::from(body));
            parts.content_type = Some("application/json");
            Ok(())
        })
    }

    /// Sends this call through a proxy instead of those of the session, if the proxy is for its URL; otherwise directly.
    pub fn proxy(self, proxy: Proxy) -> Self {
        self.change(|parts| {
            parts.proxies = Some(Arc::new(Proxies::one(proxy)?));
            Ok(())
        })
    }

    /// Sends this call through no proxy.
    pub fn no_proxy(self) -> Self {
        self.change(|parts| {
            parts.proxies = Some(Arc::new(Proxies::none()));
            Ok(())
        })
    }

    /// Sends pairs as the body, in this order; keys may repeat. The content type is
    /// `application/x-www-form-urlencoded` unless another one is set.
    pub fn form<K: AsRef<str>, V: AsRef<str>>(
        self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.change(|parts| {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(pairs);
            parts.body = Some(Body::from(form.finish()));
            parts.content_type = Some(URLENCODED);
            Ok(())
        })
    }

    /// Sends the fields of a value as [`form`](Self::form) does: a struct, a map, or a list of pairs.
    #[cfg(feature = "urlencoded")]
    pub fn form_from<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        self.change(|parts| {
            let form = serde_urlencoded::to_string(value).map_err(|error| {
                Error::builder("the value cannot be written as a form").with_source(error)
            })?;
            parts.body = Some(Body::from(form));
            parts.content_type = Some(URLENCODED);
            Ok(())
        })
    }

    /// Sends a form of several parts, with its content type.
    #[cfg(feature = "multipart")]
    pub fn multipart(self, form: crate::multipart::Form) -> Self {
        self.change(|parts| {
            parts.headers.insert("Content-Type", form.content_type())?;
            parts.body = Some(Body::from(form).checked()?);
            parts.content_type = None;
            Ok(())
        })
    }

    /// Sets the time limits of this call instead of those of the session. A plain `Duration` limits
    /// connect, read and total; [`Timeouts::none`] lifts all.
    pub fn timeout(self, timeouts: impl Into<Timeouts>) -> Self {
        self.change(|parts| {
            let timeouts = timeouts.into();
            timeouts.check()?;
            parts.timeouts = Some(Box::new(timeouts));
            Ok(())
        })
    }

    /// Sets the limits for the reply to this call instead of those of the session.
    pub fn limits(self, limits: Limits) -> Self {
        self.change(|parts| {
            parts.limits = Some(Box::new(limits));
            Ok(())
        })
    }

    /// Sets which redirects this call follows instead of what the session says.
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        self.change(|parts| {
            parts.redirects = Some(policy);
            Ok(())
        })
    }

    /// Connects to the Unix-domain socket at this path instead of the host of the URL, which is still what
    /// the server is told and what its certificate must be for. Redirects stay on the socket.
    #[cfg(unix)]
    pub fn unix_socket(self, path: impl AsRef<std::path::Path>) -> Self {
        self.change(|parts| {
            parts.via = Some(Via::Unix(path.as_ref().into()));
            Ok(())
        })
    }

    /// Sends the request on this connection instead of one of the pool. It is ignored when it leads to another
    /// scheme, host or port than the URL, and on redirects when the server closed it.
    ///
    /// The call fails when the connection is closed or still in use by an earlier response.
    pub fn on(self, connection: impl AsRef<Connection>) -> Self {
        self.change(|parts| {
            parts.connection = Some(Arc::clone(connection.as_ref().slot()));
            Ok(())
        })
    }

    /// Sends no cookies of the session with this call, and stores none of its answers. A `Cookie` field of the call's own is
    /// still sent.
    pub fn without_cookies(self) -> Self {
        self.change(|parts| {
            parts.without_cookies = true;
            Ok(())
        })
    }

    /// Declares whether the request may be sent twice. By default that follows from the method.
    ///
    /// It decides whether a request is repeated that went out on a kept connection which turned out to be closed.
    pub fn idempotent(self, idempotent: bool) -> Self {
        self.change(|parts| {
            parts.idempotent = Some(idempotent);
            Ok(())
        })
    }

    /// Leaves the content coding of the body as it is on the wire.
    pub fn raw_body(self) -> Self {
        self.change(|parts| {
            parts.raw_body = true;
            Ok(())
        })
    }

    /// Calls a function for each interim (1xx) response, such as 103 with its early hints, as it arrives.
    ///
    /// It runs while the reply is being read, so it must be quick and must not block.
    pub fn on_interim(self, callback: impl Fn(&Head) + Send + Sync + 'static) -> Self {
        self.change(|parts| {
            parts.on_interim = Some(OnInterim(Arc::new(callback)));
            Ok(())
        })
    }

    /// Sends the request and returns when the head of the final response is there.
    ///
    /// Any status is a response; see [`Response::error_for_status`].
    ///
    /// # Errors
    ///
    /// When the request is malformed, no connection comes about, a time limit expires, the connection breaks,
    /// the reply breaks the protocol or a limit, or a redirect is refused.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection and frees its place in the pool. The server may have received the
    /// request.
    #[blocking(skip = "hooks run on the caller's thread; by hand")]
    pub async fn send(self) -> Result<Response, Error> {
        crate::send::send(&self.session, self.parts?).await
    }
}

impl RequestBuilder {
    pub(crate) fn new(session: Session, method: Method, url: Result<Url, Error>) -> Self {
        let parts = url.and_then(|url| Parts::new(method, url)).map(Box::new);
        Self { session, parts }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn into_parts(self) -> Result<(Session, Box<Parts>), Error> {
        Ok((self.session, self.parts?))
    }

    fn change(mut self, change: impl FnOnce(&mut Parts) -> Result<(), Error>) -> Self {
        if let Ok(parts) = &mut self.parts
            && let Err(error) = change(parts)
        {
            let error = error.with_request(&parts.method, &parts.url);
            self.parts = Err(error);
        }
        self
    }
}

impl Parts {
    /// Whether the caller wants no field of this name.
    pub(crate) fn leaves_out(&self, name: &str) -> bool {
        self.without.iter().any(|it| it.eq_ignore_ascii_case(name))
    }

    fn new(method: Method, mut url: Url) -> Result<Self, Error> {
        let mut headers = Headers::new();
        take_credentials(&mut url, &mut headers)
            .map_err(|error| error.with_request(&method, &url))?;
        Ok(Self {
            method,
            url,
            headers,
            without: Vec::new(),
            body: None,
            content_type: None,
            expect: None,
            timeouts: None,
            limits: None,
            redirects: None,
            via: None,
            proxies: None,
            connection: None,
            idempotent: None,
            raw_body: false,
            on_interim: None,
            merged: false,
            without_cookies: false,
            auth: None,
            added: None,
            cookie_mark: 0,
        })
    }
}

/// Checks that a URL can be asked, and moves the credentials in it to the fields.
pub(crate) fn take_credentials(url: &mut Url, headers: &mut Headers) -> Result<(), Error> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::builder("url scheme is neither http nor https"));
    }
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let user = decoded(url.username());
    let password = decoded(url.password().unwrap_or_default());
    let _ = url.set_username("");
    let _ = url.set_password(None);
    set_basic(headers, &user, &password)
}

/// Sets Basic credentials.
fn set_basic(headers: &mut Headers, user: &str, password: &str) -> Result<(), Error> {
    let value = crate::auth::basic_auth_header(user, password)?;
    let _ = headers.remove("authorization");
    headers.append_sensitive("Authorization", value)
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RequestBuilder");
        match &self.parts {
            Ok(parts) => shown
                .field("method", &parts.method)
                .field("url", &parts.url.as_str())
                .field("headers", &parts.headers)
                .field("body", &parts.body),
            Err(error) => shown.field("error", error),
        };
        shown.finish_non_exhaustive()
    }
}

const URLENCODED: &str = "application/x-www-form-urlencoded";
