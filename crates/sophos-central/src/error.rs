//! The one error of the crate.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bifrons::BlockingError;
use restkit::DryRun;

use crate::id::TenantId;

/// Tells what went wrong with a call, and what the service said about it.
///
/// The text is one line without secrets. The predicates tell the kind of failure, the accessors what
/// the service said; the cause is in [`source`](std::error::Error::source). Cloning is cheap.
#[derive(Clone)]
pub struct Error(Box<Inner>);

/// Says what kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client is set up in a way that cannot work: something is missing, or does not fit the
    /// credential.
    Configuration,
    /// An argument of the call cannot be right; nothing was sent.
    InvalidArgument,
    /// The token service refused the client id or the secret.
    InvalidCredentials,
    /// The service refused the token, again after one refresh.
    TokenExpired,
    /// No usable token could be had from the token service.
    TokenRequest,
    /// The service found the request faulty (400, 422).
    Validation,
    /// The thing asked for does not exist (404).
    NotFound,
    /// The caller may not do this (403).
    Permission,
    /// The request conflicts with the present state (409).
    Conflict,
    /// The service asked for fewer requests (429), and the retries are used up.
    RateLimited,
    /// The service failed (5xx), and the retries are used up.
    Server,
    /// The service answered with another status that is not a success.
    Api,
    /// A change may or may not have been applied. Read the state before trying again.
    UnclearWrite,
    /// Time ran out.
    Timeout,
    /// The connection could not be made, or broke.
    Connection,
    /// The TLS handshake or the certificate check failed.
    Tls,
    /// The response could not be decoded.
    Decode,
    /// The pages of a list do not fit together.
    Pagination,
    /// The blocking face could not run the call.
    Blocking,
    /// The client is one [without writes](crate::Client::without_writes); nothing was sent.
    NotSent,
}

#[derive(Clone)]
struct Inner {
    cause: Cause,
    tenant: Option<TenantId>,
}

#[derive(Clone)]
enum Cause {
    Local {
        kind: ErrorKind,
        text: Box<str>,
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
    Rest(restkit::Error),
    Blocking(Arc<BlockingError>),
    NotSent(Arc<DryRun>),
}

impl Error {
    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::Local { kind, .. } => *kind,
            Cause::Blocking(_) => ErrorKind::Blocking,
            Cause::NotSent(_) => ErrorKind::NotSent,
            Cause::Rest(error) => translate(error.kind()),
        }
    }

    /// Returns true if the client is set up in a way that cannot work.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.kind() == ErrorKind::Configuration
    }

    /// Returns true if an argument of the call cannot be right; nothing was sent.
    #[must_use]
    pub fn is_invalid_argument(&self) -> bool {
        self.kind() == ErrorKind::InvalidArgument
    }

    /// Returns true if the credentials or the token were refused, or no token could be had.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::InvalidCredentials | ErrorKind::TokenExpired | ErrorKind::TokenRequest
        )
    }

    /// Returns true if the token service refused the client id or the secret.
    #[must_use]
    pub fn is_invalid_credentials(&self) -> bool {
        self.kind() == ErrorKind::InvalidCredentials
    }

    /// Returns true if the service found the request faulty (400, 422).
    #[must_use]
    pub fn is_validation(&self) -> bool {
        self.kind() == ErrorKind::Validation
    }

    /// Returns true if the thing asked for does not exist (404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Returns true if the caller may not do this (403).
    #[must_use]
    pub fn is_permission(&self) -> bool {
        self.kind() == ErrorKind::Permission
    }

    /// Returns true if the request conflicts with the present state (409).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.kind() == ErrorKind::Conflict
    }

    /// Returns true if the service asked for fewer requests (429).
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.kind() == ErrorKind::RateLimited
    }

    /// Returns true if the service failed (5xx) and the request was one that may be repeated.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.kind() == ErrorKind::Server
    }

    /// Returns true if a change may or may not have been applied.
    #[must_use]
    pub fn is_unclear_write(&self) -> bool {
        self.kind() == ErrorKind::UnclearWrite
    }

    /// Returns true if time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Returns true if the connection could not be made, or broke, TLS failures included.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        matches!(self.kind(), ErrorKind::Connection | ErrorKind::Tls)
    }

    /// Returns true if a response could not be decoded; [`decode_path`](Self::decode_path) says where.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.kind() == ErrorKind::Decode
    }

    /// Returns why the blocking face could not run the call, if that is what happened.
    #[must_use]
    pub fn as_blocking(&self) -> Option<&BlockingError> {
        match &self.0.cause {
            Cause::Blocking(error) => Some(error),
            _ => None,
        }
    }

    /// Returns what would have been sent, secrets masked, if the call was made with a client
    /// [without writes](crate::Client::without_writes).
    #[must_use]
    pub fn not_sent(&self) -> Option<&DryRun> {
        match &self.0.cause {
            Cause::NotSent(request) => Some(request),
            _ => None,
        }
    }

    /// Returns the status of the last response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<http::StatusCode> {
        self.rest()?.status()
    }

    /// Returns the service's short error code, such as `notFound`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.rest()?.code()
    }

    /// Returns the service's own message.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.rest()?.message()
    }

    /// Returns the id by which the vendor's support finds the call.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.rest()?.correlation_id()
    }

    /// Returns the service's id of this one request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.rest()?.request_id()
    }

    /// Returns how long the service asked to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.rest()?.retry_after()
    }

    /// Returns how often the request was sent; 0 if it never was.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.rest().map_or(0, restkit::Error::attempts)
    }

    /// Returns the time from the start of the call to its end.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        self.rest()?.elapsed()
    }

    /// Returns the method of the request, such as `GET`.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.rest()?.method().map(http::Method::as_str)
    }

    /// Returns the URL of the request, secrets masked.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.rest()?.url()
    }

    /// Returns the JSON path of the member that could not be decoded, such as
    /// `items[3].health.overall`.
    #[must_use]
    pub fn decode_path(&self) -> Option<&str> {
        self.rest()?.decode_path()
    }

    /// Returns up to 500 characters of the response body, secrets masked.
    #[must_use]
    pub fn body_snippet(&self) -> Option<&str> {
        self.rest()?.body_snippet()
    }

    /// Returns the tenant whose data was asked for, where the call was made for one.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        self.0.tenant.as_ref()
    }

    /// Returns the usual causes of this failure and what to do next, in one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.kind() {
            ErrorKind::InvalidCredentials => {
                "check the client id and the secret; a secret is shown only once, when it is made"
            }
            ErrorKind::TokenExpired => {
                "the token was refused twice; check that the credential still exists and that the host belongs to it"
            }
            ErrorKind::TokenRequest => "check that the token service can be reached, and try again",
            ErrorKind::Validation => "check the ids, dates and filters of the call",
            ErrorKind::NotFound => "check the id, and that it belongs to this tenant",
            ErrorKind::Permission => {
                "the credential's role may lack the permission, the product may not be licensed, the item may be managed by the partner, or the customer turned partner assistance off"
            }
            ErrorKind::Conflict => {
                "the same thing may exist already, or a change is still in progress (isolation), or the item is locked or in use; look at its state and try again later"
            }
            ErrorKind::RateLimited => {
                "wait a minute, ask for larger pages, or lower the concurrency"
            }
            ErrorKind::Server => "the service had a problem; try again later",
            ErrorKind::UnclearWrite => "read the present state before you repeat the change",
            ErrorKind::Timeout => "try again, or allow more time",
            ErrorKind::Connection | ErrorKind::Tls => {
                "check the network, the proxy and the configured hosts"
            }
            ErrorKind::Blocking => "inside async code use the async client, or `spawn_blocking`",
            _ => return None,
        })
    }

    pub(crate) fn configuration(text: impl Into<String>) -> Self {
        Self::local(ErrorKind::Configuration, text)
    }

    pub(crate) fn invalid_argument(text: impl Into<String>) -> Self {
        Self::local(ErrorKind::InvalidArgument, text)
    }

    fn local(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self::of(Cause::Local {
            kind,
            text: text.into().into_boxed_str(),
            source: None,
        })
    }

    pub(crate) fn unclear(text: impl Into<String>) -> Self {
        Self::local(ErrorKind::UnclearWrite, text)
    }

    pub(crate) fn nothing_sent(request: DryRun) -> Self {
        Self::of(Cause::NotSent(Arc::new(request)))
    }

    pub(crate) fn with_source(
        mut self,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        if let Cause::Local { source, .. } = &mut self.0.cause {
            *source = Some(Arc::new(cause));
        }
        self
    }

    pub(crate) fn with_tenant(mut self, tenant: &TenantId) -> Self {
        self.0.tenant.get_or_insert_with(|| tenant.clone());
        self
    }

    fn of(cause: Cause) -> Self {
        Self(Box::new(Inner {
            cause,
            tenant: None,
        }))
    }

    fn rest(&self) -> Option<&restkit::Error> {
        match &self.0.cause {
            Cause::Rest(error) => Some(error),
            _ => None,
        }
    }
}

fn translate(kind: restkit::ErrorKind) -> ErrorKind {
    use restkit::ErrorKind as Rest;
    match kind {
        Rest::Configuration => ErrorKind::Configuration,
        Rest::InvalidCredentials => ErrorKind::InvalidCredentials,
        Rest::TokenExpired => ErrorKind::TokenExpired,
        Rest::TokenRequest => ErrorKind::TokenRequest,
        Rest::Validation => ErrorKind::Validation,
        Rest::NotFound => ErrorKind::NotFound,
        Rest::Permission => ErrorKind::Permission,
        Rest::Conflict => ErrorKind::Conflict,
        Rest::RateLimited => ErrorKind::RateLimited,
        Rest::Server => ErrorKind::Server,
        Rest::UnclearWrite => ErrorKind::UnclearWrite,
        Rest::Timeout => ErrorKind::Timeout,
        Rest::Connection => ErrorKind::Connection,
        Rest::Tls => ErrorKind::Tls,
        Rest::Decode => ErrorKind::Decode,
        Rest::Pagination => ErrorKind::Pagination,
        Rest::Blocking => ErrorKind::Blocking,
        _ => ErrorKind::Api,
    }
}

impl From<restkit::Error> for Error {
    fn from(error: restkit::Error) -> Self {
        Self::of(Cause::Rest(error))
    }
}

impl From<BlockingError> for Error {
    fn from(error: BlockingError) -> Self {
        // A limit that ends a blocking call may have interrupted a write.
        match restkit::Error::interrupted_write(&error) {
            Some(unclear) => Self::of(Cause::Rest(unclear)),
            None => Self::of(Cause::Blocking(Arc::new(error))),
        }
    }
}

impl From<UnknownValue> for Error {
    fn from(error: UnknownValue) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

/// Writes what was attempted and what happened. What the service said comes in the form
/// `<message> (status 404, error notFound, correlationId …)`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match &self.0.cause {
            Cause::Local { text, .. } => return f.write_str(text),
            Cause::Blocking(error) => return write!(f, "{error}"),
            Cause::NotSent(request) => {
                return write!(f, "not sent: {} {}", request.method, request.url);
            }
            Cause::Rest(error) => error,
        };
        let Some(status) = error.status().filter(|_| said_by_the_service(error.kind())) else {
            f.write_str(&timeless(error))?;
            return write_attempts(f, error.attempts());
        };
        if let Some(operation) = error.operation() {
            write!(f, "{operation}: ")?;
        }
        if error.kind() == restkit::ErrorKind::UnclearWrite {
            f.write_str("the change may or may not have been applied: ")?;
        }
        match error
            .message()
            .map(one_line)
            .filter(|message| !message.is_empty())
        {
            Some(message) => f.write_str(&message)?,
            None => f.write_str(summary(error.kind()))?,
        }
        write!(f, " (status {}", status.as_u16())?;
        if let Some(code) = error.code() {
            write!(f, ", error {}", one_line(code))?;
        }
        if let Some(id) = error.correlation_id() {
            write!(f, ", correlationId {}", one_line(id))?;
        }
        if let Some(id) = error.request_id() {
            write!(f, ", requestId {}", one_line(id))?;
        }
        f.write_str(")")?;
        write_attempts(f, error.attempts())
    }
}

/// Writes an error without the time it took, so that the same failure reads the same each time; the
/// time is in [`Error::elapsed`].
fn timeless(error: &restkit::Error) -> String {
    let mut text = error.to_string();
    if let Some(elapsed) = error.elapsed() {
        let times = if error.attempts() == 1 {
            "attempt"
        } else {
            "attempts"
        };
        let effort = format!(
            " after {} {times} in {}ms",
            error.attempts(),
            elapsed.as_millis()
        );
        if text.ends_with(&effort) {
            text.truncate(text.len() - effort.len());
        }
    }
    text
}

fn write_attempts(f: &mut fmt::Formatter<'_>, attempts: u32) -> fmt::Result {
    if attempts > 1 {
        write!(f, " after {attempts} attempts")?;
    }
    Ok(())
}

/// Returns true for the kinds that are an answer of the service, not a failure on the way.
fn said_by_the_service(kind: restkit::ErrorKind) -> bool {
    use restkit::ErrorKind as Rest;
    matches!(
        kind,
        Rest::InvalidCredentials
            | Rest::TokenExpired
            | Rest::Validation
            | Rest::NotFound
            | Rest::Permission
            | Rest::Conflict
            | Rest::RateLimited
            | Rest::Server
            | Rest::Api
            | Rest::UnclearWrite
    )
}

fn summary(kind: restkit::ErrorKind) -> &'static str {
    use restkit::ErrorKind as Rest;
    match kind {
        Rest::InvalidCredentials => "the token service refused the client id or the secret",
        Rest::TokenExpired => "the service refused the token, also after a refresh",
        Rest::Validation => "the service found the request faulty",
        Rest::NotFound => "not found",
        Rest::Permission => "not allowed",
        Rest::Conflict => "conflicts with the present state",
        Rest::RateLimited => "too many requests",
        _ => "the service failed",
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.kind());
        out.field("text", &self.to_string());
        if let Some(tenant) = &self.0.tenant {
            out.field("tenant", tenant);
        }
        if let Some(source) = std::error::Error::source(self) {
            out.field("source", &source);
        }
        out.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.cause {
            Cause::Local { source, .. } => source
                .as_deref()
                .map(|source| source as &(dyn std::error::Error + 'static)),
            // This error says the same as the one below it, so the chain goes on with its cause.
            Cause::Rest(error) => error.source(),
            Cause::Blocking(error) => error.source(),
            Cause::NotSent(_) => None,
        }
    }
}

/// Reads the error bodies of the service: `error`, `message`, `correlationId`, `requestId`. The token
/// service's own form, `errorCode` and `trackingId`, is read too.
pub(crate) struct VendorErrors;

impl restkit::ErrorDecoder for VendorErrors {
    fn decode(
        &self,
        status: http::StatusCode,
        headers: &http::HeaderMap,
        body: &[u8],
    ) -> restkit::ErrorDetails {
        let mut details = restkit::JsonErrorDecoder.decode(status, headers, body);
        let request_id = headers
            .get("x-request-id")
            .and_then(|value| value.to_str().ok());
        if details.correlation_id.is_none() {
            details.correlation_id = request_id.map(str::to_owned);
        }
        details
    }
}

/// Says that a text is not one of the values that a filter or a setting takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    what: &'static str,
    given: String,
    known: &'static [&'static str],
}

impl UnknownValue {
    pub(crate) fn new(what: &'static str, given: &str, known: &'static [&'static str]) -> Self {
        Self {
            what,
            given: given.to_owned(),
            known,
        }
    }

    /// Returns what kind of value was expected, such as `alert severity`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// Returns the text that was given.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Returns the values that would have been right.
    #[must_use]
    pub fn known(&self) -> &'static [&'static str] {
        self.known
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown {} `{}` (known: {})",
            self.what,
            one_line(&self.given),
            self.known.join(", ")
        )
    }
}

impl std::error::Error for UnknownValue {}
