mod kinds;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use url::Url;

pub use self::kinds::{ErrorKind, Phase, RedirectProblem, TimeLimit, TlsProblem};
use crate::headers::Headers;
use crate::proto::encode::InvalidRequest;
use crate::proto::{ProtocolError, Violation};

/// Anything that can go wrong with a request.
///
/// The predicates say what kind of failure it was; [`phase`](Self::phase) says where; and
/// [`may_have_been_processed`](Self::may_have_been_processed) says whether the server may have acted on it.
/// `Display` is one line with the innermost cause; the causes are in [`source`](StdError::source).
/// Neither ever shows credentials, header values or bodies.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    phase: Phase,
    message: Option<Message>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    method: Option<Method>,
    url: Option<Url>,
    status: Option<StatusCode>,
    reply: Option<(Headers, Bytes)>,
    sent: bool,
    idempotent: bool,
    redirect: Option<RedirectProblem>,
    #[cfg(feature = "blocking")]
    blocking: Option<bifrons::BlockingError>,
}

enum Message {
    Fixed(&'static str),
    Text(String),
    Expired { limit: TimeLimit, after: Duration },
}

impl Error {
    /// Creates an error for a hook, middleware or callback that has to fail, from a text or another error.
    ///
    /// ```
    /// let error = reqivo::Error::custom("no token for this tenant");
    /// assert!(error.is_custom());
    /// assert_eq!(error.to_string(), "no token for this tenant");
    /// ```
    #[must_use]
    pub fn custom(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Custom, Phase::Build).with_source(cause)
    }

    pub(crate) fn new(kind: ErrorKind, phase: Phase) -> Self {
        Self(Box::new(Inner {
            kind,
            phase,
            message: None,
            source: None,
            method: None,
            url: None,
            status: None,
            reply: None,
            sent: false,
            idempotent: false,
            redirect: None,
            #[cfg(feature = "blocking")]
            blocking: None,
        }))
    }

    pub(crate) fn builder(message: &'static str) -> Self {
        Self::new(ErrorKind::Builder, Phase::Build).with_message(message)
    }

    pub(crate) fn timeout(limit: TimeLimit, after: Duration, phase: Phase) -> Self {
        let mut error = Self::new(ErrorKind::Timeout, phase);
        error.0.message = Some(Message::Expired { limit, after });
        error
    }

    pub(crate) fn protocol(source: ProtocolError, phase: Phase) -> Self {
        let kind = match source.violation() {
            Violation::Limit { .. } => ErrorKind::Limit,
            Violation::IncompleteBody => ErrorKind::IncompleteBody,
            Violation::ClosedWithoutReply | Violation::IncompleteHead => ErrorKind::Network,
            _ => ErrorKind::Protocol,
        };
        Self::new(kind, phase).with_source(source)
    }

    /// A redirect that is not followed. The phase and the status of the response come with it.
    pub(crate) fn redirect(
        problem: RedirectProblem,
        message: &'static str,
        status: StatusCode,
    ) -> Self {
        let mut error = Self::new(ErrorKind::Redirect, Phase::Redirect)
            .with_message(message)
            .with_status(status);
        error.0.redirect = Some(problem);
        error
    }

    #[cfg(feature = "cookies")]
    pub(crate) fn file(message: &'static str, source: std::io::Error) -> Self {
        Self::new(ErrorKind::File, Phase::Build)
            .with_message(message)
            .with_source(source)
    }

    pub(crate) fn network(source: std::io::Error, phase: Phase) -> Self {
        // A server that wants a client certificate says so when it first answers (RFC 8446, 4.4.2.4).
        #[cfg(feature = "tls")]
        let kind = match crate::net::tls::of_io(&source) {
            Some(rustls::Error::AlertReceived(_)) => ErrorKind::Tls,
            _ => ErrorKind::Network,
        };
        #[cfg(not(feature = "tls"))]
        let kind = ErrorKind::Network;
        Self::new(kind, phase).with_source(source)
    }

    pub(crate) fn with_message(mut self, message: &'static str) -> Self {
        self.0.message = Some(Message::Fixed(message));
        self
    }

    pub(crate) fn with_text(mut self, message: String) -> Self {
        self.0.message = Some(Message::Text(message));
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_reply(mut self, headers: Headers, body: Bytes) -> Self {
        self.0.reply = Some((headers, body));
        self
    }

    /// Says what request it was; what is known already stays.
    pub(crate) fn with_request(mut self, method: &Method, url: &Url) -> Self {
        if self.0.url.is_none() {
            self.0.method = Some(method.clone());
            self.0.idempotent = method.is_idempotent();
            self.0.url = Some(without_secrets(url));
        }
        self
    }

    /// Says what it was about when there was no request yet.
    pub(crate) fn with_url(mut self, url: &Url) -> Self {
        if self.0.url.is_none() {
            self.0.url = Some(without_secrets(url));
        }
        self
    }

    pub(crate) fn with_sent(mut self, sent: bool) -> Self {
        self.0.sent = sent;
        self
    }

    pub(crate) fn with_idempotent(mut self, idempotent: bool) -> Self {
        self.0.idempotent = idempotent;
        self
    }

    /// Returns what kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns how far the request had come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// Returns the URL of the request without credentials and fragment.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        self.0.url.as_ref()
    }

    /// Returns the method of the request.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        self.0.method.as_ref()
    }

    /// Returns the status of the response, when the error is about a status or a redirect.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns the header fields of the response that
    /// [`error_for_status`](crate::Response::error_for_status) turned into this error, or of a proxy's refusal.
    #[must_use]
    pub fn headers(&self) -> Option<&Headers> {
        self.0.reply.as_ref().map(|(headers, _)| headers)
    }

    /// Returns up to 64 KiB of the body of the response that
    /// [`error_for_status`](crate::Response::error_for_status) turned into this error, or of a proxy's refusal.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.0.reply.as_ref().map(|(_, body)| body)
    }

    /// Returns whether the request could not be built; nothing was sent.
    #[must_use]
    pub fn is_builder(&self) -> bool {
        self.0.kind == ErrorKind::Builder
    }

    /// Returns whether a time limit expired; [`time_limit`](Self::time_limit) says which.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Returns the time limit that expired.
    #[must_use]
    pub fn time_limit(&self) -> Option<TimeLimit> {
        match self.0.message {
            Some(Message::Expired { limit, .. }) => Some(limit),
            _ => None,
        }
    }

    /// Returns whether time ran out while the connection was being made: name lookup, TCP, proxy or TLS.
    #[must_use]
    pub fn is_connect_timeout(&self) -> bool {
        self.is_timeout() && self.0.phase.is_connecting()
    }

    /// Returns whether time ran out while the response was awaited or read.
    #[must_use]
    pub fn is_read_timeout(&self) -> bool {
        self.is_timeout() && matches!(self.0.phase, Phase::Head | Phase::Body)
    }

    /// Returns whether no connection of the pool became free in time.
    #[must_use]
    pub fn is_pool_timeout(&self) -> bool {
        self.is_timeout() && self.0.phase == Phase::Pool
    }

    /// Returns whether no connection came about: name lookup, TCP, proxy, TLS, or a time limit on one of these.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Proxy | ErrorKind::Tls
        ) || self.is_connect_timeout()
    }

    /// Returns whether the host was not found.
    #[must_use]
    pub fn is_dns(&self) -> bool {
        self.0.kind == ErrorKind::Dns
    }

    /// Returns whether the proxy could not be reached or refused; [`status`](Self::status) is its answer.
    #[must_use]
    pub fn is_proxy(&self) -> bool {
        self.0.kind == ErrorKind::Proxy
    }

    /// Returns whether the TLS handshake failed; [`tls_problem`](Self::tls_problem) says why.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.kind == ErrorKind::Tls
    }

    /// Returns whether the connection broke or could not be made, as opposed to a bad reply.
    #[must_use]
    pub fn is_network(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Network
                | ErrorKind::Dns
                | ErrorKind::Connect
                | ErrorKind::Proxy
                | ErrorKind::Tls
                | ErrorKind::IncompleteBody
        )
    }

    /// Returns whether the reply breaks the rules of HTTP/1.1 or a limit.
    #[must_use]
    pub fn is_protocol(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Protocol | ErrorKind::Limit)
    }

    /// Returns whether a configured limit was exceeded.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        self.0.kind == ErrorKind::Limit
    }

    /// Returns whether the body ended before its declared end.
    #[must_use]
    pub fn is_incomplete_body(&self) -> bool {
        self.0.kind == ErrorKind::IncompleteBody
    }

    /// Returns whether the body could not be decoded: content coding, or JSON.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Decode | ErrorKind::Json)
    }

    /// Returns whether the body of the request could not be sent to its end, for a reason on this side: its source
    /// failed, did not keep to the declared length, or was used up by an earlier attempt.
    #[must_use]
    pub fn is_request_body(&self) -> bool {
        self.0.kind == ErrorKind::RequestBody
    }

    /// Returns whether the error stands for a 4xx or 5xx status.
    #[must_use]
    pub fn is_status(&self) -> bool {
        self.0.kind == ErrorKind::Status
    }

    /// Returns whether a redirect was not followed; [`redirect_problem`](Self::redirect_problem) says why.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        self.0.kind == ErrorKind::Redirect
    }

    /// Returns why a redirect was not followed.
    #[must_use]
    pub fn redirect_problem(&self) -> Option<RedirectProblem> {
        self.0.redirect
    }

    /// Returns whether there were more redirects than the policy permits.
    #[must_use]
    pub fn is_too_many_redirects(&self) -> bool {
        self.0.redirect == Some(RedirectProblem::TooMany)
    }

    /// Returns whether a redirect led to what the call had asked for before.
    #[must_use]
    pub fn is_redirect_loop(&self) -> bool {
        self.0.redirect == Some(RedirectProblem::Loop)
    }

    /// Returns whether a hook, middleware or callback of the caller failed.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.0.kind == ErrorKind::Custom
    }

    /// Returns whether the call was cancelled from outside, by a
    #[cfg_attr(feature = "blocking", doc = " [`CancelToken`](bifrons::CancelToken).")]
    #[cfg_attr(not(feature = "blocking"), doc = " token of the blocking face.")]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
    }

    /// Returns whether the file or writer failed that a body was to be written to.
    #[must_use]
    pub fn is_io(&self) -> bool {
        self.0.kind == ErrorKind::Io
    }

    /// Returns whether the body was already handed out, or lost by an earlier error.
    #[must_use]
    pub fn is_body(&self) -> bool {
        self.0.kind == ErrorKind::Body
    }

    /// Returns whether the server may have acted on the request.
    ///
    /// False only when no byte of the request was written.
    #[must_use]
    pub fn may_have_been_processed(&self) -> bool {
        self.0.sent
    }

    /// Returns whether sending the same request again cannot do harm: it never left, or its method
    /// is idempotent (or was declared so). It does not say that trying again would help.
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        !self.0.sent || self.0.idempotent
    }

    /// Returns the rule of HTTP/1.1 that the reply broke.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        let source = self.0.source.as_deref()?;
        source
            .downcast_ref::<ProtocolError>()
            .map(ProtocolError::violation)
    }

    /// Returns why the TLS handshake with the server or with an `https://` proxy failed.
    #[must_use]
    pub fn tls_problem(&self) -> Option<TlsProblem> {
        let with_proxy = self.is_proxy() && self.0.phase == Phase::Tls;
        if !self.is_tls() && !with_proxy {
            return None;
        }
        #[cfg(feature = "tls")]
        {
            Some(crate::net::tls::problem(self))
        }
        #[cfg(not(feature = "tls"))]
        {
            Some(TlsProblem::Other)
        }
    }

    /// Returns why the blocking call did not run, when it did not.
    #[cfg(feature = "blocking")]
    #[must_use]
    pub fn blocking(&self) -> Option<&bifrons::BlockingError> {
        self.0.blocking.as_ref()
    }
}

/// The URL as errors and logs may show it.
pub(crate) fn without_secrets(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // Both fail only for URLs that cannot have credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    // Without its scheme, `user:password@host` reads as one of the scheme `user`.
    if !url.has_host()
        && let Some((_, rest)) = url.path().rsplit_once('@')
    {
        let rest = rest.to_owned();
        url.set_path(&rest);
    }
    url.set_fragment(None);
    url
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(method) = &inner.method {
            write!(f, "{} ", method.as_str().to_ascii_lowercase())?;
        }
        if let Some(url) = &inner.url {
            write!(f, "{url}: ")?;
        }
        let mut said = true;
        match (&inner.message, inner.kind) {
            (Some(Message::Fixed(text)), _) => f.write_str(text)?,
            (Some(Message::Text(text)), _) => f.write_str(text)?,
            (Some(Message::Expired { limit, after }), _) => {
                write!(
                    f,
                    "{} timeout of {after:?} expired {}",
                    limit.as_str(),
                    inner.phase.doing()
                )?;
            }
            (
                None,
                ErrorKind::Dns
                | ErrorKind::Connect
                | ErrorKind::Proxy
                | ErrorKind::Network
                | ErrorKind::Tls,
            ) => {
                write!(f, "failed {}", inner.phase.doing())?;
            }
            (None, ErrorKind::Status) => {
                let status = inner.status.unwrap_or_default();
                write!(f, "server answered {}", status.as_u16())?;
                if let Some(reason) = status.canonical_reason() {
                    write!(f, " ({})", reason.to_ascii_lowercase())?;
                }
            }
            (None, _) => said = false,
        }
        let mut innermost: Option<&(dyn StdError + 'static)> = self.source();
        while let Some(next) = innermost.and_then(StdError::source) {
            innermost = Some(next);
        }
        match (innermost, said) {
            (Some(cause), true) => write!(f, ": {}", OneLine(cause)),
            (Some(cause), false) => write!(f, "{}", OneLine(cause)),
            (None, true) => Ok(()),
            (None, false) => f.write_str(inner.kind.as_str()),
        }
    }
}

/// A cause of another library, on one line.
struct OneLine<'a>(&'a dyn StdError);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.contains(['\n', '\r']) {
            false => f.write_str(text.trim_end_matches('.')),
            true => f.write_str(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("phase", &self.0.phase)
            .field("message", &self.to_string())
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        #[cfg(feature = "blocking")]
        if let Some(blocking) = &self.0.blocking {
            return Some(blocking);
        }
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<InvalidRequest> for Error {
    fn from(source: InvalidRequest) -> Self {
        Self::new(ErrorKind::Builder, Phase::Build).with_source(source)
    }
}

impl From<url::ParseError> for Error {
    fn from(source: url::ParseError) -> Self {
        Self::builder("invalid url").with_source(source)
    }
}

#[cfg(feature = "blocking")]
impl From<bifrons::BlockingError> for Error {
    fn from(error: bifrons::BlockingError) -> Self {
        let kind = match &error {
            bifrons::BlockingError::TimedOut { .. } => ErrorKind::Timeout,
            bifrons::BlockingError::Cancelled => ErrorKind::Cancelled,
            _ => ErrorKind::Blocking,
        };
        let mut this = Self::new(kind, Phase::Build);
        // A call that was refused did nothing; of one that was dropped on its way nobody knows.
        this.0.sent = matches!(
            error,
            bifrons::BlockingError::TimedOut { .. }
                | bifrons::BlockingError::Cancelled
                | bifrons::BlockingError::Closed
        );
        this.0.blocking = Some(error);
        this
    }
}
