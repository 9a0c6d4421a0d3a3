//! Where requests leave the crate: one trait, and the transports that come with it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::BoxFuture;

mod mock;
mod recording;
#[cfg(feature = "reqivo")]
mod reqivo;

pub use self::mock::{MockTransport, RecordedRequest};
pub use self::recording::{Exchange, RecordingTransport};
#[cfg(feature = "reqivo")]
pub use self::reqivo::ReqivoTransport;

/// Sends one request once and returns the complete response.
///
/// A transport knows nothing of credentials, retries or statuses: a 500 is a response. It must not
/// repeat a request on its own once the service may have seen it, and must not follow redirects to
/// another origin.
///
/// # Cancel safety
/// The client drops the future to cancel an attempt; the transport must then be as usable as before.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` and waits for the whole response.
    fn execute(
        &self,
        request: http::Request<Bytes>,
        attempt: Attempt,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;

    /// Returns true if the transport ends an attempt by itself within [`Attempt::timeout`].
    ///
    /// It then tells better than the client whether anything was sent. The default is false: the
    /// client watches the time.
    fn enforces_timeout(&self) -> bool {
        false
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn execute(
        &self,
        request: http::Request<Bytes>,
        attempt: Attempt,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        (**self).execute(request, attempt)
    }

    fn enforces_timeout(&self) -> bool {
        (**self).enforces_timeout()
    }
}

/// What a transport is told about the attempt it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of this attempt within its call, from 1.
    pub number: u32,
    /// How long the attempt may take in all, if there is a limit.
    pub timeout: Option<Duration>,
    /// The largest response body that is accepted, in bytes after decompression.
    pub max_body: Option<usize>,
    /// True if the request may be sent again when a reused connection turns out to be dead.
    pub may_repeat: bool,
}

/// Says whether the service may have received a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Nothing of the request was sent: it can be repeated whatever it does.
    No,
    /// The service may have processed the request.
    Maybe,
}

/// Says what kind of failure a [`TransportError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The attempt took longer than allowed.
    Timeout,
    /// The connection could not be made: name resolution, refusal, no route.
    Connect,
    /// The TLS handshake or certificate check failed.
    Tls,
    /// The connection broke before the response was complete.
    Closed,
    /// The peer did not speak HTTP as it should.
    Protocol,
    /// The response is larger than allowed.
    TooLarge,
    /// The request cannot be sent by this transport.
    Request,
    /// The blocking face or its runtime could not run the attempt.
    Runtime,
}

/// A request that got no complete response.
pub struct TransportError {
    kind: TransportErrorKind,
    sent: Sent,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl TransportError {
    /// Makes an error.
    #[must_use]
    pub fn new(kind: TransportErrorKind, sent: Sent) -> Self {
        Self {
            kind,
            sent,
            source: None,
        }
    }

    /// Attaches the cause, whose text must hold no secrets.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Returns whether the service may have received the request.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.sent
    }

    pub(crate) fn into_source(self) -> Option<Box<dyn StdError + Send + Sync>> {
        self.source
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Timeout => "the attempt timed out",
            TransportErrorKind::Connect => "the connection could not be made",
            TransportErrorKind::Tls => "the secure connection could not be made",
            TransportErrorKind::Closed => "the connection broke before the response was complete",
            TransportErrorKind::Protocol => "the response is not valid HTTP",
            TransportErrorKind::TooLarge => "the response is larger than allowed",
            TransportErrorKind::Request => "the request cannot be sent",
            TransportErrorKind::Runtime => "the call could not be run",
        })
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("kind", &self.kind)
            .field("sent", &self.sent)
            .field("source", &self.source)
            .finish()
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
