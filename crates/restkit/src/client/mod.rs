//! The client: one way for every call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use url::{Origin, Url};

use crate::batch;
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorDecoder};
use crate::masking;
use crate::pagination::{PageStyle, Paginator};
use crate::rate_limit::RateLimiter;
use crate::request::{Request, base_url};
use crate::response::Response;
use crate::retry::{Jitter, Purse, RetryPolicy};
use crate::transport::Transport;

mod builder;
mod call;
mod dry_run;

pub use self::builder::ClientBuilder;
pub use self::dry_run::DryRun;

/// Sends requests to a service.
///
/// A client is a cheap handle: clones and views share credentials, quotas, the retry budget and the
/// transport. [`with_base_url`](Self::with_base_url) and [`with_header`](Self::with_header) make
/// views, for instance one per tenant.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    view: Arc<View>,
}

/// What all clones and views of a client have in common.
pub(crate) struct Shared {
    transport: Arc<dyn Transport>,
    credentials: Option<Arc<dyn Credentials>>,
    clock: Arc<dyn Clock>,
    /// The policy of token requests; a view may have another for its calls.
    retry: RetryPolicy,
    purse: Purse,
    limiter: RateLimiter,
    decoder: Arc<dyn ErrorDecoder>,
    jitter: Jitter,
    origins: Vec<Origin>,
    max_body: Option<usize>,
    user_agent: HeaderValue,
    concurrency: Option<Semaphore>,
    used: AtomicBool,
}

/// What a view of a client adds to its requests.
#[derive(Clone)]
pub(crate) struct View {
    base: Option<Url>,
    headers: HeaderMap,
    retry: RetryPolicy,
}

#[bifrons::dual(blocking = crate::blocking::Client)]
impl Client {
    /// Returns a builder; a base URL is all it needs.
    #[blocking(wrap = crate::blocking::ClientBuilder)]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Sends a request and returns its successful response.
    ///
    /// The request is authorized, waits for the rate limits, and is sent again as the
    /// [retry policy](RetryPolicy) and its [idempotency](crate::Idempotency) allow.
    ///
    /// # Errors
    /// Any failure, with what the service said about it. A write whose outcome is unknown fails as
    /// [`ErrorKind::UnclearWrite`](crate::ErrorKind::UnclearWrite).
    ///
    /// # Cancel safety
    /// Dropping the future stops the request and leaves the client as usable as before. A write that
    /// was already sent may then have been processed.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        call::run(&self.shared, &self.view, &request, true).await
    }

    /// Sends many requests with at most `concurrency` under way, and returns one result per request
    /// in the order of the requests. A failed one does not stop the others.
    ///
    /// # Errors
    /// The outer result only fails where the call as a whole cannot run, such as a blocking call
    /// inside an async task.
    ///
    /// # Cancel safety
    /// Dropping the future stops the requests that are under way and starts no others.
    pub async fn send_all(
        &self,
        requests: Vec<Request>,
        concurrency: usize,
    ) -> Result<Vec<Result<Response, Error>>, Error> {
        let client = self.clone();
        Ok(batch::batch(requests, concurrency, move |request| {
            let client = client.clone();
            async move { client.send(request).await }
        })
        .await)
    }

    /// Fetches what the credentials need, such as a first token, and so proves that they are good as
    /// far as the token service can tell. Credentials that fetch nothing succeed at once.
    ///
    /// # Errors
    /// As a request would fail: see [`Error::is_unauthenticated`].
    pub async fn authenticate(&self) -> Result<(), Error> {
        if let Some(credentials) = &self.shared.credentials {
            let mut probe = http::Request::default();
            credentials
                .authorize(&mut probe, &self.auth_context())
                .await?;
        }
        Ok(())
    }

    /// Returns the items of a list that comes in pages. Nothing is fetched before the first item is
    /// asked for.
    #[blocking(wrap = crate::blocking::Paginator<T>)]
    pub fn paginate<T>(&self, request: Request, style: PageStyle) -> Paginator<T>
    where
        T: DeserializeOwned + Send,
    {
        Paginator::new(self.clone(), request, style)
    }

    /// Shows what [`send`](Self::send) would send, with secrets masked and without IO.
    ///
    /// # Errors
    /// A configuration error if the request cannot be sent at all.
    pub fn dry_run(&self, request: &Request) -> Result<DryRun, Error> {
        let prepared = call::prepare(&self.shared, &self.view, request)?;
        let mut http = prepared.http;
        if prepared.authorize
            && let Some(credentials) = &self.shared.credentials
        {
            credentials.preview(http.headers_mut());
        }
        Ok(DryRun::new(&http, &prepared.url))
    }

    /// Returns a view of the client with another base URL, to whose origin the credentials may go.
    ///
    /// # Errors
    /// A configuration error if the text is not an HTTP URL, or carries user info or a query.
    pub fn with_base_url(&self, url: &str) -> Result<Self, Error> {
        let mut view = (*self.view).clone();
        view.base = Some(base_url(url)?);
        Ok(self.view(view))
    }

    /// Returns a view of the client that sends a header with each request, unless the request itself
    /// sets it.
    ///
    /// # Errors
    /// A configuration error if name or value are not valid in a header; the value is not shown.
    pub fn with_header(&self, name: &str, value: &str) -> Result<Self, Error> {
        let mut view = (*self.view).clone();
        let (name, value) = header(name, value)?;
        view.headers.insert(name, value);
        Ok(self.view(view))
    }

    /// Returns a view of the client that does not send a header by itself.
    #[must_use]
    pub fn without_header(&self, name: &str) -> Self {
        let mut view = (*self.view).clone();
        view.headers.remove(name);
        self.view(view)
    }

    /// Returns a view of the client with another retry policy. The retry budget stays the shared one.
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        let mut view = (*self.view).clone();
        view.retry = policy;
        self.view(view)
    }

    /// Returns the base URL of this view.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.view.base.as_ref().map(Url::as_str)
    }

    /// Returns true once a request was handed to the transport, by whichever clone or view. The
    /// transport may then hold connections that belong to the runtime of that call.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    pub(crate) fn auth_context(&self) -> AuthContext {
        AuthContext {
            shared: Arc::clone(&self.shared),
        }
    }

    fn view(&self, view: View) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            view: Arc::new(view),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url())
            .field("headers", &masking::headers(&self.view.headers))
            .field("retry", &self.view.retry)
            .field("limiter", &self.shared.limiter)
            .finish_non_exhaustive()
    }
}

/// What credentials may use of the client: its clock, and calls without credentials.
#[derive(Clone)]
pub struct AuthContext {
    shared: Arc<Shared>,
}

#[bifrons::dual(skip = "for authors of credentials, whose trait is async")]
impl AuthContext {
    /// Returns the client's clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// Sends a request to a token service: without credentials, headers or quotas of the client, but
    /// with its user agent, retry policy and transport. The target must be an absolute URL.
    ///
    /// # Errors
    /// Any failure, with what the service said about it.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, self.shared.user_agent.clone());
        let view = View {
            base: None,
            headers,
            retry: self.shared.retry.clone(),
        };
        call::run(&self.shared, &view, &request.without_credentials(), false).await
    }
}

impl fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthContext")
    }
}

/// Makes a header of texts; an error does not show the value.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let header_name: HeaderName = name
        .parse()
        .map_err(|_| Error::configuration(format!("`{name}` is not a valid header name")))?;
    let mut header_value = HeaderValue::from_str(value).map_err(|_| {
        Error::configuration(format!("the value of header `{header_name}` is not valid"))
    })?;
    if masking::is_secret_header(&header_name) {
        header_value.set_sensitive(true);
    }
    Ok((header_name, header_value))
}

/// A wait in whole, as text for errors.
fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64().ceil())
}
