use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::time::Instant;
use url::{Origin, Url};

use crate::auth::{AuthScheme, CallAuth, Fixed};
use crate::changeable::{Changeable, Setup};
use crate::connection::Connection;
use crate::connection_pool::ConnectionPool;
use crate::cookie_store::{CookieStore, Cookies};
#[cfg(feature = "cookies")]
use crate::cookies::CookieJar;
use crate::error::{Error, without_secrets};
use crate::events::{Event, Listener};
use crate::headers::Headers;
use crate::hooks::{After, Before, RequestHead};
use crate::middleware::{Link, Middleware};
use crate::net::connect::Connector;
use crate::net::dial::ConnectConfig;
use crate::net::resolve::Resolve;
use crate::net::route::{host_as_in_urls, new_settings_id};
use crate::outgoing::Written;
use crate::pool::{Pool, PoolConfig, PoolStats};
use crate::proto::{Limits, Tolerance};
use crate::proxy::{Environment, Proxies, Proxy};
use crate::redirect::RedirectPolicy;
use crate::request::RequestBuilder;
use crate::request_body::Body;
use crate::response::Response;
use crate::stats::{Counters, SessionStats};
use crate::timeouts::Timeouts;
use crate::url_text::{IntoUrl, Resolver};

/// An HTTP client: settings and a pool of connections. Cloning is cheap and shares both.
///
/// A session may be used from any number of tasks, threads and runtimes at once; connections stay with the
/// runtime they were opened on. Dropping the last clone closes the idle connections.
///
/// ```
/// # async fn example() -> Result<(), reqivo::Error> {
/// let session = reqivo::Session::builder()
///     .base_url("https://api.example.com/v1/")
///     .header("X-Team", "blue")
///     .build()?;
/// let text = session.get("devices").query([("page", "2")]).send().await?.text().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) changeable: Changeable,
    pub(crate) cookies: Cookies,
    /// The origins that get the session's credentials, instead of the first of each call.
    pub(crate) auth_origins: Option<Arc<[Origin]>>,
    pub(crate) resolver: Resolver,
    pub(crate) headers: Headers,
    pub(crate) written: Written,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    pub(crate) tolerance: Tolerance,
    pub(crate) redirects: RedirectPolicy,
    pub(crate) pool: Arc<Pool>,
    pub(crate) connector: Connector,
    /// Outermost first; the last may stand in for the network.
    pub(crate) middleware: Box<[Link]>,
    /// Whether the last of them stands in for the network.
    pub(crate) stands_in: bool,
    pub(crate) listeners: Arc<[Listener]>,
    pub(crate) counters: Arc<Counters>,
}

#[bifrons::dual(blocking = crate::blocking::Session)]
impl Session {
    /// Creates a session with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a session with the default settings that keeps no connection for a second request.
    #[must_use]
    pub fn one_shot() -> Self {
        SessionBuilder {
            pool: PoolConfig::default().idle_time(Duration::ZERO),
            ..SessionBuilder::default()
        }
        .assemble()
    }

    /// Starts building a session.
    #[blocking(wrap = crate::blocking::SessionBuilder)]
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Starts a GET request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Starts a HEAD request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Starts an OPTIONS request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn options(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::OPTIONS, url)
    }

    /// Starts a POST request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Starts a PUT request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Starts a PATCH request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Starts a DELETE request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Starts a request with any method.
    ///
    /// A relative URL is resolved against the base URL of the session.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let url = url.into_url(&self.0.resolver);
        RequestBuilder::new(self.clone(), method, url)
    }

    /// Starts a request from a value of the `http` crate.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn prepare(&self, request: http::Request<impl Into<Body>>) -> RequestBuilder {
        let (parts, body) = request.into_parts();
        let builder = self
            .request(parts.method, parts.uri.to_string().as_str())
            .headers(&Headers::from(&parts.headers));
        let body = body.into();
        match body.length() {
            Some(0) => builder,
            _ => builder.body(body),
        }
    }

    /// Sends a request of the `http` crate with the settings of the session.
    ///
    /// # Errors
    ///
    /// As [`RequestBuilder::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`RequestBuilder::send`].
    #[blocking(skip = "hooks run on the caller's thread; by hand")]
    pub async fn execute(
        &self,
        request: http::Request<impl Into<Body> + Send>,
    ) -> Result<Response, Error> {
        self.prepare(request).send().await
    }

    /// Sends this user name and password as `Authorization: Basic` from the next call on, in place of the credentials
    /// that were set before. All clones of the session do.
    ///
    /// # Errors
    ///
    /// When the user name holds a colon, or either a control character.
    pub fn set_basic_auth(&self, user: &str, password: &str) -> Result<(), Error> {
        self.replace_auth(Some(Arc::new(Fixed::basic(user, password)?)));
        Ok(())
    }

    /// Sends this token as `Authorization: Bearer` from the next call on, in place of the credentials that
    /// were set before. All clones of the session do.
    ///
    /// # Errors
    ///
    /// When the token holds a control character.
    pub fn set_bearer_auth(&self, token: &str) -> Result<(), Error> {
        self.replace_auth(Some(Arc::new(Fixed::bearer(token)?)));
        Ok(())
    }

    /// Lets this decide about `Authorization` from the next call on, in place of the credentials that were
    /// set before. All clones of the session do.
    pub fn set_auth(&self, scheme: impl AuthScheme + 'static) {
        self.replace_auth(Some(Arc::new(scheme)));
    }

    /// Sends no credentials of the session from the next call on.
    pub fn clear_auth(&self) {
        self.replace_auth(None);
    }

    /// Adds a [hook](SessionBuilder::pre_request_hook) that runs before each call, after those that are there.
    /// All clones of the session get it.
    pub fn add_pre_request_hook(
        &self,
        hook: impl Fn(RequestHead) -> Result<RequestHead, Error> + Send + Sync + 'static,
    ) {
        self.add_before(Before::plain(hook));
    }

    /// Adds an async [hook](SessionBuilder::pre_request_hook) that runs before each call, after those that are there. All
    /// clones of the session get it.
    #[blocking(skip = "takes an async closure; a plain one may block here")]
    pub fn add_async_pre_request_hook<F>(
        &self,
        hook: impl Fn(RequestHead) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<RequestHead, Error>> + Send + 'static,
    {
        self.add_before(Before::waiting(hook));
    }

    /// Adds a [hook](SessionBuilder::post_response_hook) that runs after each call, after those that are there.
    /// All clones of the session get it.
    #[blocking(skip = "by hand with a blocking response")]
    pub fn add_post_response_hook(
        &self,
        hook: impl Fn(Response) -> Result<Response, Error> + Send + Sync + 'static,
    ) {
        self.add_after(After::plain(hook));
    }

    /// Adds an async [hook](SessionBuilder::post_response_hook) that runs after each call, after those that are there. All
    /// clones of the session get it.
    #[blocking(skip = "takes an async closure; a plain one may block here")]
    pub fn add_async_post_response_hook<F>(
        &self,
        hook: impl Fn(Response) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        self.add_after(After::waiting(hook));
    }

    /// Returns the jar that the session keeps its cookies in; `None` when it keeps none, or another
    /// [`CookieStore`] has them.
    #[cfg(feature = "cookies")]
    #[must_use]
    pub fn cookies(&self) -> Option<&CookieJar> {
        match &self.0.cookies {
            Cookies::Jar(jar) => Some(jar),
            _ => None,
        }
    }

    /// Closes all idle connections and returns how many there were. The session stays usable.
    pub fn close_idle(&self) -> usize {
        self.0.pool.close_idle()
    }

    /// Closes the idle connections that are past their time and returns how many there were.
    ///
    /// That also happens by itself, whenever the session is used.
    pub fn close_expired(&self) -> usize {
        self.0.pool.close_expired(Instant::now())
    }

    /// Opens a connection to the host of a URL with the settings of this session, outside of its pool; for `https`
    /// that includes TLS.
    ///
    /// # Errors
    ///
    /// When the URL is neither http nor https, or no connection comes about in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    #[blocking(wrap = crate::blocking::Connection)]
    pub async fn connect(&self, url: impl IntoUrl + Send) -> Result<Connection, Error> {
        let url = url.into_url(&self.0.resolver)?;
        Box::pin(Connection::open_for(self, url)).await
    }

    /// Returns the pool of this session, to share it or to take connections out of it.
    #[blocking(wrap = crate::blocking::ConnectionPool)]
    #[must_use]
    pub fn connection_pool(&self) -> ConnectionPool {
        ConnectionPool(self.clone())
    }

    /// Returns what the pool holds and did.
    #[must_use]
    pub fn pool_stats(&self) -> PoolStats {
        self.0.pool.stats()
    }

    /// Returns what the session did so far: calls, responses, errors by kind, and its pool.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        self.0.counters.snapshot(self.0.pool.stats())
    }
}

impl Session {
    pub(crate) fn add_before(&self, hook: Before) {
        self.0
            .changeable
            .change(|setup| setup.hooks.push_before(hook));
    }

    pub(crate) fn add_after(&self, hook: After) {
        self.0
            .changeable
            .change(|setup| setup.hooks.push_after(hook));
    }

    fn replace_auth(&self, auth: Option<Arc<dyn AuthScheme>>) {
        self.0.changeable.change(|setup| setup.auth = auth);
    }
}

impl Inner {
    /// The credentials of the session for one call.
    pub(crate) fn call_auth(&self, scheme: &Arc<dyn AuthScheme>) -> Box<CallAuth> {
        let scheme = Arc::clone(scheme);
        Box::new(CallAuth::new(scheme, self.auth_origins.as_ref()))
    }
}

impl Default for Session {
    fn default() -> Self {
        SessionBuilder::default().assemble()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field(
                "base_url",
                &self
                    .0
                    .resolver
                    .base()
                    .map(|base| without_secrets(base).to_string()),
            )
            .field("headers", &self.0.headers)
            .field("timeouts", &self.0.timeouts)
            .finish_non_exhaustive()
    }
}

/// Builds a [`Session`].
///
/// A mistake in one step is reported by [`build`](Self::build).
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug, Default)]
pub struct SessionBuilder {
    base_url: Option<Base>,
    headers: Headers,
    timeouts: Timeouts,
    limits: Limits,
    tolerance: Tolerance,
    title_case: bool,
    redirects: RedirectPolicy,
    pool: PoolConfig,
    connector: Connector,
    middleware: Vec<Link>,
    transport: Option<Link>,
    proxies: Vec<Proxies>,
    environment: Environment,
    proxy_loopback: bool,
    listeners: Vec<Listener>,
    shared_pool: Option<Arc<Pool>>,
    setup: Setup,
    auth_origins: Option<Arc<[Origin]>>,
    cookies: Cookies,
    error: Option<Error>,
}

/// A base URL, which may have credentials in it.
struct Base(Url);

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(without_secrets(&self.0).as_str())
    }
}

#[bifrons::dual(blocking = crate::blocking::SessionBuilder)]
impl SessionBuilder {
    /// Resolves relative URLs against this one, by RFC 3986: after `.../api/v1/` comes `users` as `.../api/v1/users`;
    /// after `.../api/v1` it is `.../api/users`.
    pub fn base_url(self, url: impl IntoUrl) -> Self {
        self.change(|this| {
            this.base_url = Some(Base(url.into_url(&Resolver::default())?));
            Ok(())
        })
    }

    /// Sends a header field with every request that does not set one of this name itself.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.change(|this| this.headers.insert(name, value))
    }

    /// Sends these header fields with every request that does not set them itself.
    pub fn headers(self, headers: &Headers) -> Self {
        self.change(|this| {
            this.headers.overlay(headers);
            Ok(())
        })
    }

    /// Sends a header field that holds a secret with every request: `Debug` does not show it, and a
    /// redirect to another origin does not get it.
    pub fn sensitive_header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.change(|this| {
            let _ = this.headers.remove(name);
            this.headers.append_sensitive(name, value)
        })
    }

    /// Sends the names of header fields with a capital at the beginning of each word, as `X-Request-Id`, for servers
    /// that compare them by case. By default they are sent as they were written.
    pub fn title_case_headers(self) -> Self {
        self.change(|this| {
            this.title_case = true;
            Ok(())
        })
    }

    /// Sets the `User-Agent`; the default is `reqivo/` and its version.
    pub fn user_agent(self, value: &str) -> Self {
        self.header("User-Agent", value)
    }

    /// Sets the time limits of calls that have none of their own. A plain `Duration` limits connect,
    /// read and total; the default is 5 s for each.
    pub fn timeout(self, timeouts: impl Into<Timeouts>) -> Self {
        self.change(|this| {
            this.timeouts = timeouts.into();
            this.timeouts.check()
        })
    }

    /// Sets the limits for replies.
    pub fn limits(self, limits: Limits) -> Self {
        self.change(|this| {
            this.limits = limits;
            Ok(())
        })
    }

    /// Sets which deviations from the protocol are accepted.
    pub fn tolerance(self, tolerance: Tolerance) -> Self {
        self.change(|this| {
            this.tolerance = tolerance;
            Ok(())
        })
    }

    /// Sends this user name and password as `Authorization: Basic`, to the origins that [`auth`](Self::auth)
    /// names. It replaces other credentials.
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.change(|this| {
            this.setup.auth = Some(Arc::new(Fixed::basic(user, password)?));
            Ok(())
        })
    }

    /// Sends this token as `Authorization: Bearer`, to the origins that [`auth`](Self::auth) names. It replaces
    /// other credentials.
    pub fn bearer_auth(self, token: &str) -> Self {
        self.change(|this| {
            this.setup.auth = Some(Arc::new(Fixed::bearer(token)?));
            Ok(())
        })
    }

    /// Lets this decide about `Authorization`. It replaces other credentials.
    ///
    /// Credentials of a session go to the origin that a call begins with, and not to another that it is
    /// redirected to; or to those that [`auth_origins`](Self::auth_origins) lists. They replace an `Authorization` of the session's own
    /// fields, and give way to one of the call and to a user name and password in its URL.
    pub fn auth(self, scheme: impl AuthScheme + 'static) -> Self {
        self.change(|this| {
            this.setup.auth = Some(Arc::new(scheme));
            Ok(())
        })
    }

    /// Sends the credentials of the session to these origins and no others. Of each URL, scheme, host and port
    /// count.
    pub fn auth_origins<U: IntoUrl>(self, origins: impl IntoIterator<Item = U>) -> Self {
        self.change(|this| {
            let resolver = Resolver::default();
            let origins = origins
                .into_iter()
                .map(|url| Ok(url.into_url(&resolver)?.origin()));
            this.auth_origins = Some(origins.collect::<Result<_, Error>>()?);
            Ok(())
        })
    }

    /// Adds a function that sees each request before its connection is chosen, and may change method, URL and header
    /// fields or fail the call. Several run in the order they were added in.
    ///
    /// It runs once for a call, not for redirects. An error is that of the call.
    pub fn pre_request_hook(
        self,
        hook: impl Fn(RequestHead) -> Result<RequestHead, Error> + Send + Sync + 'static,
    ) -> Self {
        self.change(|this| {
            this.setup.hooks.push_before(Before::plain(hook));
            Ok(())
        })
    }

    /// Adds an async [hook](Self::pre_request_hook) that sees each request before its connection is chosen.
    #[blocking(skip = "takes an async closure; a plain one may block here")]
    pub fn async_pre_request_hook<F>(
        self,
        hook: impl Fn(RequestHead) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<RequestHead, Error>> + Send + 'static,
    {
        self.change(|this| {
            this.setup.hooks.push_before(Before::waiting(hook));
            Ok(())
        })
    }

    /// Adds a function that gets each final response, and returns the one that the caller gets. Several run in the
    /// order they were added in.
    ///
    /// It runs after cookies were stored, and not for responses that redirect. An error is that of the call; the
    /// connection is then closed unless the body was read, or what is left of it is small and there already.
    #[blocking(skip = "by hand with a blocking response")]
    pub fn post_response_hook(
        self,
        hook: impl Fn(Response) -> Result<Response, Error> + Send + Sync + 'static,
    ) -> Self {
        self.add_after(After::plain(hook))
    }

    /// Adds an async [hook](Self::post_response_hook) that gets each final response and may read its body.
    #[blocking(skip = "takes an async closure; a plain one may block here")]
    pub fn async_post_response_hook<F>(
        self,
        hook: impl Fn(Response) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        self.add_after(After::waiting(hook))
    }

    /// Keeps cookies in this jar, which may be shared with other sessions. The default is a jar of the session's
    /// own.
    #[cfg(feature = "cookies")]
    pub fn cookie_jar(self, jar: CookieJar) -> Self {
        self.change(|this| {
            this.cookies = Cookies::Jar(jar);
            Ok(())
        })
    }

    /// Keeps cookies in a store of the caller's own.
    pub fn cookie_store(self, store: impl CookieStore + 'static) -> Self {
        self.change(|this| {
            this.cookies = Cookies::Own(Arc::new(store));
            Ok(())
        })
    }

    /// Keeps no cookies.
    pub fn without_cookies(self) -> Self {
        self.change(|this| {
            this.cookies = Cookies::Off;
            Ok(())
        })
    }

    /// Sets which redirects are followed.
    pub fn redirects(self, policy: RedirectPolicy) -> Self {
        self.change(|this| {
            this.redirects = policy;
            Ok(())
        })
    }

    /// Sets how many connections are kept, and for how long.
    pub fn pool(self, pool: PoolConfig) -> Self {
        self.change(|this| {
            pool.check()?;
            this.pool = pool;
            Ok(())
        })
    }

    /// Sets how TLS is spoken: which certificates are trusted, and what servers are shown.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: crate::TlsConfig) -> Self {
        self.change(|this| {
            tls.check()?;
            this.connector.settings.tls = tls.id;
            this.connector.tls_for_proxies = tls.for_proxies().map(crate::net::tls::Tls::new);
            this.connector.tls = crate::net::tls::Tls::new(tls);
            Ok(())
        })
    }

    /// Adds a proxy. The first that is for the URL of a request is used.
    ///
    /// Without any, a session uses those that its environment names when it is built: `http_proxy`,
    /// `https_proxy` and `all_proxy`, except for the hosts of `no_proxy` (see
    /// [`NoProxy`](crate::NoProxy)) and for this machine. The names are also looked for in upper case, but not
    /// `HTTP_PROXY` where `REQUEST_METHOD` is set: in a CGI program the client would choose it. A variable
    /// that names no proxy fails the requests it is for, because going directly could tell what was meant to stay hidden.
    pub fn proxy(self, proxy: Proxy) -> Self {
        self.change(|this| {
            this.proxies.push(Proxies::one(proxy)?);
            Ok(())
        })
    }

    /// Uses no proxy: forgets those that were added, and ignores the environment.
    pub fn no_proxy(self) -> Self {
        self.change(|this| {
            this.proxies.clear();
            this.environment = Environment::Ignored;
            Ok(())
        })
    }

    /// Reads no environment variables.
    pub fn ignore_environment(self) -> Self {
        self.change(|this| {
            this.environment = Environment::Ignored;
            Ok(())
        })
    }

    /// Takes these variables for the environment of the process.
    pub fn environment<K: Into<String>, V: Into<String>>(
        self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.change(|this| {
            let given = variables.into_iter();
            let given = given.map(|(name, value)| (name.into(), value.into()));
            this.environment = Environment::Given(given.collect());
            Ok(())
        })
    }

    /// Uses the proxies of the environment for this machine too: `localhost`, names below it, loopback addresses.
    pub fn proxy_loopback(self) -> Self {
        self.change(|this| {
            this.proxy_loopback = true;
            Ok(())
        })
    }

    /// Sets how TCP connections are opened.
    pub fn connect(self, config: ConnectConfig) -> Self {
        self.change(|this| {
            this.connector.settings.network = match this.connector.settings.network {
                0 => config.id,
                _ => new_settings_id(),
            };
            this.connector.config = config;
            Ok(())
        })
    }

    /// Uses these addresses for a host instead of looking it up.
    pub fn resolve(self, host: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
        self.resolve_to(host, addresses)
    }

    /// Connects to these addresses and ports for a host instead of looking it up; port 0 stands for that of the URL.
    pub fn resolve_to(self, host: &str, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.change(|this| {
            let (host, addresses) = (host_as_in_urls(host), addresses.into_iter().collect());
            this.connector.settings.network = new_settings_id();
            this.connector.names.fixed.insert(host, addresses);
            Ok(())
        })
    }

    /// Looks up hosts with this instead of the resolver of the operating system.
    pub fn resolver(self, resolver: impl Resolve) -> Self {
        self.change(|this| {
            this.connector.settings.network = new_settings_id();
            this.connector.names.resolver = Some(Arc::new(resolver));
            Ok(())
        })
    }

    /// Connects to the Unix-domain socket at this path instead of the hosts of URLs, which are still what
    /// the server is told and what its certificate must be for. Redirects stay on the socket.
    #[cfg(unix)]
    pub fn unix_socket(self, path: impl AsRef<std::path::Path>) -> Self {
        self.change(|this| {
            this.connector.via = Some(crate::net::route::Via::Unix(path.as_ref().into()));
            Ok(())
        })
    }

    /// Shares a pool with other sessions. The pool keeps the limits it was created with.
    pub fn connection_pool(self, pool: impl AsRef<ConnectionPool>) -> Self {
        self.change(|this| {
            this.shared_pool = Some(Arc::clone(&pool.as_ref().0.0.pool));
            Ok(())
        })
    }

    /// Puts [middleware](crate::middleware) around every exchange, inside of that added before.
    pub fn middleware(self, middleware: impl Middleware) -> Self {
        self.change(|this| {
            this.middleware.push(Link::new(middleware));
            Ok(())
        })
    }

    /// Answers requests with this instead of the network: a [mock](crate::mock), or middleware that never
    /// runs the rest of the chain. It stands inside of all middleware.
    pub fn transport(self, transport: impl Middleware) -> Self {
        self.change(|this| {
            this.transport = Some(Link::new(transport));
            Ok(())
        })
    }

    /// Calls this with everything that [happens](crate::events) during a call. Values of header fields that
    /// carry secrets are hidden.
    ///
    /// It runs while the call does, so it must be quick and must not block.
    pub fn on_event(self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.change(|this| {
            this.listeners.push(Listener::new(listener, false));
            Ok(())
        })
    }

    /// As [`on_event`](Self::on_event), but with the secrets in header fields: for debugging.
    pub fn on_event_with_secrets(
        self,
        listener: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.change(|this| {
            this.listeners.push(Listener::new(listener, true));
            Ok(())
        })
    }

    /// Builds the session. No connection is opened yet.
    ///
    /// # Errors
    ///
    /// When a setting is malformed: the URL, a header field, a time limit of zero, a pool without connections.
    #[blocking(wrap = crate::blocking::Session)]
    pub fn build(mut self) -> Result<Session, Error> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self.assemble()),
        }
    }
}

impl SessionBuilder {
    pub(crate) fn add_after(self, hook: After) -> Self {
        self.change(|this| {
            this.setup.hooks.push_after(hook);
            Ok(())
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Self) -> Result<(), Error>) -> Self {
        if self.error.is_none() {
            self.error = change(&mut self).err();
        }
        self
    }

    fn assemble(mut self) -> Session {
        let stands_in = self.transport.is_some();
        self.middleware.extend(self.transport.take());
        self.connector.proxies = Proxies::new(self.proxies, &self.environment, self.proxy_loopback);
        Session(Arc::new(Inner {
            changeable: Changeable::new(self.setup),
            cookies: self.cookies,
            auth_origins: self.auth_origins,
            resolver: Resolver::new(self.base_url.map(|base| base.0)),
            written: Written::new(&self.headers, self.title_case),
            headers: self.headers,
            timeouts: self.timeouts,
            limits: self.limits,
            tolerance: self.tolerance,
            redirects: self.redirects,
            pool: self.shared_pool.unwrap_or_else(|| Pool::new(self.pool)),
            connector: self.connector,
            middleware: self.middleware.into(),
            stands_in,
            listeners: self.listeners.into(),
            counters: Arc::default(),
        }))
    }
}
