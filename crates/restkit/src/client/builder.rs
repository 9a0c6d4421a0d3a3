//! Setting up a client; everything is checked once, in `build`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::HeaderMap;
use http::header::USER_AGENT;
use tokio::sync::Semaphore;

use super::{Client, Shared, View, header};
use crate::clock::{Clock, TokioClock};
use crate::credentials::Credentials;
use crate::error::{Error, ErrorDecoder, JsonErrorDecoder};
use crate::rate_limit::{RateLimiter, RateLimits};
use crate::request::base_url;
use crate::retry::{Jitter, Purse, RetryPolicy};
use crate::transport::Transport;

/// What a client calls itself unless told otherwise.
pub(super) const DEFAULT_USER_AGENT: &str = concat!("restkit/", env!("CARGO_PKG_VERSION"));

/// Sets up a [`Client`].
///
/// | setting | default |
/// |---|---|
/// | transport | reqivo, with feature `reqivo` |
/// | base URL | none: requests must have absolute URLs |
/// | credentials | none |
/// | retry policy | [`RetryPolicy::default`] |
/// | rate limits | none |
/// | concurrency | unlimited |
/// | largest response body | 64 MiB |
/// | error decoder | [`JsonErrorDecoder`] |
/// | clock | [`TokioClock`] |
#[must_use]
pub struct ClientBuilder {
    transport: Option<Arc<dyn Transport>>,
    base: Option<String>,
    credentials: Option<Arc<dyn Credentials>>,
    origins: Vec<String>,
    retry: RetryPolicy,
    limiter: RateLimiter,
    concurrency: Option<usize>,
    max_body: Option<usize>,
    headers: Vec<(String, String)>,
    user_agent: String,
    decoder: Arc<dyn ErrorDecoder>,
    clock: Arc<dyn Clock>,
    jitter_seed: Option<u64>,
}

#[bifrons::dual(blocking = crate::blocking::ClientBuilder)]
impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            transport: None,
            base: None,
            credentials: None,
            origins: Vec::new(),
            retry: RetryPolicy::default(),
            limiter: RateLimiter::new(&RateLimits::default()),
            concurrency: None,
            max_body: Some(64 * 1024 * 1024),
            headers: Vec::new(),
            user_agent: DEFAULT_USER_AGENT.to_owned(),
            decoder: Arc::new(JsonErrorDecoder),
            clock: Arc::new(TokioClock),
            jitter_seed: None,
        }
    }

    /// Sets what sends the requests.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Sets the URL that paths are joined to, with exactly one slash.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base = Some(url.into());
        self
    }

    /// Sets what proves the caller's identity.
    pub fn credentials(mut self, credentials: impl Credentials) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// Lets the credentials go to another origin than that of the base URL. Only scheme, host and
    /// port of the URL count.
    pub fn allow_origin(mut self, url: impl Into<String>) -> Self {
        self.origins.push(url.into());
        self
    }

    /// Sets the retry policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the rate limits.
    pub fn rate_limits(self, limits: RateLimits) -> Self {
        self.rate_limiter(RateLimiter::new(&limits))
    }

    /// Sets rate limits that are shared with other clients.
    pub fn rate_limiter(mut self, limiter: RateLimiter) -> Self {
        self.limiter = limiter;
        self
    }

    /// Sets how many calls may be under way at once; more wait in order. 0 counts as 1. A call keeps
    /// its place while it waits for a retry, and also while it is alive and nobody polls it.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = Some(calls.max(1));
        self
    }

    /// Sets the largest response body that is accepted, in bytes; `None` means no bound.
    pub fn max_body(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.max_body = bytes.into();
        self
    }

    /// Sends a header with each request, unless the request itself sets it.
    pub fn default_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the `User-Agent` of all requests, those for tokens too.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Sets what reads the service's error bodies.
    pub fn error_decoder(mut self, decoder: impl ErrorDecoder) -> Self {
        self.decoder = Arc::new(decoder);
        self
    }

    /// Sets the clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the jitter of delays repeatable.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// Checks the settings and makes the client. Nothing is sent.
    ///
    /// # Errors
    /// A configuration error if a URL or a header is not valid, or if there is no transport.
    #[blocking(wrap = crate::blocking::Client)]
    pub fn build(self) -> Result<Client, Error> {
        let base = self.base.as_deref().map(base_url).transpose()?;
        let origins = self
            .origins
            .iter()
            .map(|url| Ok(base_url(url)?.origin()))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut headers = HeaderMap::new();
        let (name, user_agent) = header(USER_AGENT.as_str(), &self.user_agent)?;
        headers.insert(name, user_agent.clone());
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            headers.insert(name, value);
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => default_transport()?,
        };
        Ok(Client {
            shared: Arc::new(Shared {
                transport,
                credentials: self.credentials,
                limiter: self.limiter,
                clock: self.clock,
                purse: Purse::new(self.retry.shared_budget().copied()),
                retry: self.retry.clone(),
                decoder: self.decoder,
                jitter: self.jitter_seed.map_or_else(Jitter::random, Jitter::seeded),
                origins,
                max_body: self.max_body,
                user_agent,
                used: AtomicBool::new(false),
                concurrency: self
                    .concurrency
                    .map(|calls| Semaphore::new(calls.min(Semaphore::MAX_PERMITS))),
            }),
            view: Arc::new(View {
                base,
                headers,
                retry: self.retry,
            }),
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field(
                "credentials",
                &self.credentials.as_ref().map(|_| "********"),
            )
            .field("origins", &self.origins.len())
            .field("retry", &self.retry)
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "reqivo")]
fn default_transport() -> Result<Arc<dyn Transport>, Error> {
    Ok(Arc::new(crate::transport::ReqivoTransport::new()?))
}

#[cfg(not(feature = "reqivo"))]
fn default_transport() -> Result<Arc<dyn Transport>, Error> {
    Err(Error::configuration(
        "the client has no transport; set one, or turn on the feature `reqivo`",
    ))
}
