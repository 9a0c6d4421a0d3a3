//! The one error of the crate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bifrons::BlockingError;
use http::{Method, StatusCode};

use crate::{interrupted, masking};

mod decoder;

pub use self::decoder::{ErrorDecoder, ErrorDetails, JsonErrorDecoder};

/// Tells what went wrong with a call, after how many attempts, and what the server said about it.
///
/// The type is small (one pointer) and cheap to clone: callers that waited for the same token
/// request get the same error. Its text is one line without secrets; the cause is in
/// [`source`](std::error::Error::source).
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

/// Says what kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client or the request is set up in a way that cannot work; nothing was sent.
    Configuration,
    /// The service refused the credentials themselves.
    InvalidCredentials,
    /// The service refused the token of a request, again after one refresh.
    TokenExpired,
    /// No usable token could be had from the token service.
    TokenRequest,
    /// The service found the request faulty (400, 422).
    Validation,
    /// The thing asked for does not exist (404, 410).
    NotFound,
    /// The caller may not do this (403).
    Permission,
    /// The request conflicts with the present state (409, 412).
    Conflict,
    /// The service asked for fewer requests (429), and the retries are used up.
    RateLimited,
    /// The service failed (5xx), and the retries are used up.
    Server,
    /// The service answered with another status that is not a success.
    Api,
    /// A write that may not be repeated failed after it may have been processed: the change may or
    /// may not have been applied. Read the state before trying again.
    UnclearWrite,
    /// Time ran out.
    Timeout,
    /// The connection could not be made, or broke.
    Connection,
    /// The TLS handshake or certificate check failed.
    Tls,
    /// The response could not be decoded.
    Decode,
    /// The pages of a list do not make sense together.
    Pagination,
    /// The blocking face could not run the call.
    Blocking,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Option<Box<str>>,
    method: Option<Method>,
    url: Option<Box<str>>,
    status: Option<StatusCode>,
    details: ErrorDetails,
    retry_after: Option<Duration>,
    attempts: u32,
    elapsed: Option<Duration>,
    snippet: Option<Box<str>>,
    path: Option<Box<str>>,
    text: Option<Box<str>>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    blocking: Option<Arc<BlockingError>>,
}

impl Error {
    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns true if the client or the request is set up wrongly; nothing was sent.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.inner.kind == ErrorKind::Configuration
    }

    /// Returns true if no call can succeed until other credentials are given, or the token was
    /// refused or could not be had.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        matches!(
            self.inner.kind,
            ErrorKind::InvalidCredentials | ErrorKind::TokenExpired | ErrorKind::TokenRequest
        )
    }

    /// Returns true if the service refused the credentials themselves.
    #[must_use]
    pub fn is_invalid_credentials(&self) -> bool {
        self.inner.kind == ErrorKind::InvalidCredentials
    }

    /// Returns true if the request was faulty (400, 422).
    #[must_use]
    pub fn is_validation(&self) -> bool {
        self.inner.kind == ErrorKind::Validation
    }

    /// Returns true if the thing asked for does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.inner.kind == ErrorKind::NotFound
    }

    /// Returns true if the caller may not do this (403).
    #[must_use]
    pub fn is_permission(&self) -> bool {
        self.inner.kind == ErrorKind::Permission
    }

    /// Returns true if the request conflicts with the present state (409, 412).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.inner.kind == ErrorKind::Conflict
    }

    /// Returns true if the service asked for fewer requests.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.inner.kind == ErrorKind::RateLimited
    }

    /// Returns true if the service failed (5xx) and the request was one that may be repeated.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.inner.kind == ErrorKind::Server
    }

    /// Returns true if a write may or may not have been applied.
    #[must_use]
    pub fn is_unclear_write(&self) -> bool {
        self.inner.kind == ErrorKind::UnclearWrite
    }

    /// Returns true if time ran out, also that of a blocking call.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.kind == ErrorKind::Timeout
            || self.blocking().is_some_and(BlockingError::is_timeout)
    }

    /// Returns why the blocking face could not run the call to its end.
    #[must_use]
    pub fn blocking(&self) -> Option<&BlockingError> {
        self.inner.blocking.as_deref()
    }

    /// Returns true if the connection could not be made, or broke, TLS failures included.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        matches!(self.inner.kind, ErrorKind::Connection | ErrorKind::Tls)
    }

    /// Returns true if a response could not be decoded; [`decode_path`](Self::decode_path) says where.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.inner.kind == ErrorKind::Decode
    }

    /// Returns the status of the last response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.inner.status
    }

    /// Returns the service's short error code, such as `notFound`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.inner.details.code.as_deref()
    }

    /// Returns the service's own message.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.inner.details.message.as_deref()
    }

    /// Returns the service's correlation id.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.inner.details.correlation_id.as_deref()
    }

    /// Returns the service's request id.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.inner.details.request_id.as_deref()
    }

    /// Returns how long the service asked to wait, capped by the retry policy.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// Returns how often the request was sent; 0 if it never was.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// Returns the time from the start of the call to its end.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        self.inner.elapsed
    }

    /// Returns the method of the request.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        self.inner.method.as_ref()
    }

    /// Returns the URL of the request, without user info and with secret query values masked.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.inner.url.as_deref()
    }

    /// Returns the operation's name as given with [`Request::operation`](crate::Request::operation).
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.inner.operation.as_deref()
    }

    /// Returns the JSON path of the member that could not be decoded, such as
    /// `items[3].health.overall`.
    #[must_use]
    pub fn decode_path(&self) -> Option<&str> {
        self.inner.path.as_deref()
    }

    /// Returns up to 500 characters of the response body, with the values of members that look like
    /// secrets masked.
    #[must_use]
    pub fn body_snippet(&self) -> Option<&str> {
        self.inner.snippet.as_deref()
    }

    /// Makes an error that says the client or a request is set up wrongly.
    ///
    /// For authors of SDKs and of [`Credentials`](crate::credentials::Credentials).
    #[must_use]
    pub fn configuration(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration).with_text(text)
    }

    /// Makes an error of the given kind with a text of its own: one lower-case line without a
    /// trailing period and without secrets.
    #[must_use]
    pub fn custom(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self::new(kind).with_text(text)
    }

    /// Returns the error for a write that a limit of the blocking face has just interrupted on this
    /// thread, so that its outcome is unclear; `None` if it was no such write.
    ///
    /// For authors of SDKs, in the conversion of `BlockingError` into their own error: the runtime
    /// knows nothing of requests. It can be asked once.
    #[must_use]
    pub fn interrupted_write(blocking: &BlockingError) -> Option<Self> {
        interrupted::take(blocking)
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(Arc::from(source.into()));
        self
    }

    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                operation: None,
                method: None,
                url: None,
                status: None,
                details: ErrorDetails::default(),
                retry_after: None,
                attempts: 0,
                elapsed: None,
                snippet: None,
                path: None,
                text: None,
                source: None,
                blocking: None,
            }),
        }
    }

    pub(crate) fn with_text(mut self, text: impl Into<String>) -> Self {
        self.inner.text = Some(text.into().into_boxed_str());
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.inner.kind = kind;
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.inner.status = Some(status);
        self
    }

    pub(crate) fn with_details(mut self, details: ErrorDetails) -> Self {
        self.inner.details = details;
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.inner.retry_after = retry_after;
        self
    }

    pub(crate) fn with_body(mut self, body: &[u8]) -> Self {
        if !body.is_empty() {
            self.inner.snippet = Some(masking::snippet(body).into_boxed_str());
        }
        self
    }

    pub(crate) fn with_path(mut self, path: impl Into<String>) -> Self {
        self.inner.path = Some(path.into().into_boxed_str());
        self
    }

    /// Names the request, unless an inner call already did.
    pub(crate) fn with_request(
        mut self,
        method: &Method,
        url: &str,
        operation: Option<&str>,
    ) -> Self {
        if self.inner.method.is_none() {
            self.inner.method = Some(method.clone());
            self.inner.url = Some(url.into());
            self.inner.operation = operation.map(Into::into);
        }
        self
    }

    /// Adds what the call cost, unless an inner call already did.
    pub(crate) fn with_effort(mut self, attempts: u32, elapsed: Duration) -> Self {
        if self.inner.elapsed.is_none() {
            self.inner.attempts = attempts;
            self.inner.elapsed = Some(elapsed);
        }
        self
    }

    fn what(&self) -> String {
        let inner = &*self.inner;
        if let Some(text) = &inner.text {
            return text.to_string();
        }
        let status = || {
            inner.status.map_or_else(
                || "no status".to_owned(),
                |status| status.as_u16().to_string(),
            )
        };
        match inner.kind {
            ErrorKind::Configuration => "the configuration cannot work".to_owned(),
            ErrorKind::InvalidCredentials => "the service refused the credentials".to_owned(),
            ErrorKind::TokenExpired => {
                "the service refused the token, also after a refresh".to_owned()
            }
            ErrorKind::TokenRequest => "no token could be obtained".to_owned(),
            ErrorKind::UnclearWrite => match inner.status {
                Some(status) => format!(
                    "the change may or may not have been applied (server answered {})",
                    status.as_u16()
                ),
                None => "the change may or may not have been applied (no answer)".to_owned(),
            },
            ErrorKind::Timeout => "timed out".to_owned(),
            ErrorKind::Connection => "connection failed".to_owned(),
            ErrorKind::Tls => "secure connection failed".to_owned(),
            ErrorKind::Decode => "response could not be decoded".to_owned(),
            ErrorKind::Pagination => "the pages of the list do not fit together".to_owned(),
            ErrorKind::Blocking => "the blocking call could not run".to_owned(),
            ErrorKind::Validation
            | ErrorKind::NotFound
            | ErrorKind::Permission
            | ErrorKind::Conflict
            | ErrorKind::RateLimited
            | ErrorKind::Server
            | ErrorKind::Api => format!("server answered {}", status()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.inner;
        match (&inner.operation, &inner.method, &inner.url) {
            (Some(operation), _, _) => write!(f, "{operation}: ")?,
            (None, Some(method), Some(url)) => write!(f, "{method} {url}: ")?,
            _ => {}
        }
        f.write_str(&self.what())?;
        if let Some(code) = &inner.details.code {
            write!(f, " ({})", one_line(code))?;
        }
        if let Some(message) = &inner.details.message {
            write!(f, ": {}", one_line(message))?;
        }
        if let Some(path) = &inner.path {
            write!(f, " at `{path}`")?;
        }
        if let Some(elapsed) = inner.elapsed
            && inner.attempts > 0
        {
            let times = if inner.attempts == 1 {
                "attempt"
            } else {
                "attempts"
            };
            write!(
                f,
                " after {} {times} in {}ms",
                inner.attempts,
                elapsed.as_millis()
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.inner;
        let mut out = f.debug_struct("Error");
        out.field("kind", &inner.kind);
        out.field("text", &self.to_string());
        if let (Some(method), Some(url)) = (&inner.method, &inner.url) {
            out.field("request", &format_args!("{method} {url}"));
        }
        if let Some(status) = inner.status {
            out.field("status", &status.as_u16());
        }
        if let Some(id) = &inner.details.correlation_id {
            out.field("correlation_id", id);
        }
        if let Some(id) = &inner.details.request_id {
            out.field("request_id", id);
        }
        if let Some(source) = &inner.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Some(blocking) = &self.inner.blocking {
            return blocking.source();
        }
        self.inner
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// A limit of the blocking face that interrupted a write which may not be repeated gives
/// [`ErrorKind::UnclearWrite`]; everything else gives [`ErrorKind::Blocking`].
impl From<BlockingError> for Error {
    fn from(blocking: BlockingError) -> Self {
        let mut error = Self::interrupted_write(&blocking)
            .unwrap_or_else(|| Self::new(ErrorKind::Blocking).with_text(blocking.to_string()));
        error.inner.blocking = Some(Arc::new(blocking));
        error
    }
}

fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    let trimmed = out.trim_end_matches('.').len();
    out.truncate(trimmed);
    out
}
