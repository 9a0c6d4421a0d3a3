//! The transport over a [`reqivo::Session`].

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use ::reqivo::{ErrorKind, Limits, Phase, RedirectPolicy, Session, Timeouts};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::BoxFuture;
use crate::error::Error;
use crate::transport::{Attempt, Sent, Transport, TransportError, TransportErrorKind};

/// Sends requests with [`reqivo`](::reqivo). Clones share the session and its connections.
///
/// The session's settings for TLS, the pool and name lookup hold. Time limits, the size of bodies and
/// redirects are the client's business: an attempt ends at the client's limit, of which at most 10
/// seconds are spent on connecting, and redirects are not followed.
#[derive(Clone, Debug)]
pub struct ReqivoTransport {
    session: Session,
    connect: Option<Duration>,
    limits: Limits,
}

impl ReqivoTransport {
    /// Makes a transport with a session of its own, which keeps no cookies.
    ///
    /// # Errors
    /// A configuration error if the session cannot be set up.
    pub fn new() -> Result<Self, Error> {
        let session = Session::builder().without_cookies().build();
        let session = session.map_err(|source| {
            Error::configuration("the HTTP session cannot be set up").with_source(Cause(source))
        })?;
        Ok(Self::over(session))
    }

    /// Makes a transport over a session.
    #[must_use]
    pub fn over(session: Session) -> Self {
        Self {
            session,
            connect: Some(Duration::from_secs(10)),
            limits: Limits::default(),
        }
    }

    /// Limits name lookup, TCP and TLS together. Default: 10 seconds; `None` leaves only the limit of
    /// the attempt.
    #[must_use]
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.connect = limit.into();
        self
    }

    /// Sets the limits on what a server may send, apart from the size of bodies, which the client
    /// sets.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    async fn attempt(
        &self,
        request: http::Request<Bytes>,
        attempt: Attempt,
    ) -> Result<http::Response<Bytes>, ::reqivo::Error> {
        let connect = match (self.connect, attempt.timeout) {
            (Some(connect), Some(total)) => Some(connect.min(total)),
            (connect, total) => connect.or(total),
        };
        let mut limits = self.limits.clone();
        if let Some(max) = attempt.max_body {
            let max = u64::try_from(max).unwrap_or(u64::MAX);
            limits = limits.body_bytes(max).buffered_bytes(max);
        }
        let mut response = self
            .session
            .prepare(request)
            .timeout(Timeouts::none().connect(connect).total(attempt.timeout))
            .limits(limits)
            .redirects(RedirectPolicy::none())
            .idempotent(attempt.may_repeat)
            .send()
            .await?;
        let body = response.bytes().await?;
        let mut complete = http::Response::new(body);
        *complete.status_mut() = response.status();
        *complete.version_mut() = response.version();
        let headers = complete.headers_mut();
        for (name, value) in response.headers().iter_bytes() {
            // The session accepts no head that `http` would not, so nothing is left out here.
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value),
            ) {
                headers.append(name, value);
            }
        }
        Ok(complete)
    }
}

impl Transport for ReqivoTransport {
    fn execute(
        &self,
        request: http::Request<Bytes>,
        attempt: Attempt,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move { self.attempt(request, attempt).await.map_err(failure) })
    }

    fn enforces_timeout(&self) -> bool {
        true
    }
}

fn failure(error: ::reqivo::Error) -> TransportError {
    let kind = match error.kind() {
        ErrorKind::Builder => TransportErrorKind::Request,
        // A proxy that is named wrongly, or wants other credentials, does so the next time too.
        ErrorKind::Proxy
            if error.phase() == Phase::Build
                || error
                    .status()
                    .is_some_and(|status| status.is_client_error()) =>
        {
            TransportErrorKind::Request
        }
        ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Proxy => TransportErrorKind::Connect,
        ErrorKind::Tls => TransportErrorKind::Tls,
        ErrorKind::Network | ErrorKind::IncompleteBody => TransportErrorKind::Closed,
        ErrorKind::Timeout => TransportErrorKind::Timeout,
        ErrorKind::Limit => TransportErrorKind::TooLarge,
        ErrorKind::Blocking | ErrorKind::Cancelled => TransportErrorKind::Runtime,
        _ => TransportErrorKind::Protocol,
    };
    let sent = if error.may_have_been_processed() {
        Sent::Maybe
    } else {
        Sent::No
    };
    TransportError::new(kind, sent).with_source(Cause(error))
}

/// An error of the session whose text leaves out the URL, as its query may hold secrets.
struct Cause(::reqivo::Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let named = self.0.method().zip(self.0.url()).and_then(|(method, url)| {
            text.strip_prefix(&format!("{} {url}: ", method.as_str().to_lowercase()))
        });
        match (named, self.0.url()) {
            (Some(rest), _) => f.write_str(rest),
            // However the text comes to be written one day, the query stays out of it.
            (None, Some(url)) => f.write_str(&text.replace(url.query().unwrap_or("?"), "..")),
            (None, None) => f.write_str(&text),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("reqivo::Error")
            .field("kind", &self.0.kind())
            .field("phase", &self.0.phase())
            .field("text", &self.to_string())
            .finish_non_exhaustive()
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
