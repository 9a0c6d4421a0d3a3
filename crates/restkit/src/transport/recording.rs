//! A transport that passes everything on and remembers what went by.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::BoxFuture;
use crate::masking;
use crate::transport::{Attempt, RecordedRequest, Transport, TransportError, TransportErrorKind};

/// Remembers each request and its answer while another transport does the work. Clones share the
/// memory.
///
/// It keeps everything, bodies included, until [`clear`](Self::clear): it is meant for tests and for
/// looking into a single run, not for production.
#[derive(Clone)]
pub struct RecordingTransport<T> {
    inner: Arc<T>,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl<T: Transport> RecordingTransport<T> {
    /// Records what goes through `inner`.
    #[must_use]
    pub fn new(inner: T) -> Self {
        Self {
            inner: Arc::new(inner),
            exchanges: Arc::default(),
        }
    }

    /// Returns the transport that does the work.
    #[must_use]
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// Returns what went by, in the order in which the answers came.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().clone()
    }

    /// Forgets what went by.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Transport> Transport for RecordingTransport<T> {
    fn execute(
        &self,
        request: http::Request<Bytes>,
        attempt: Attempt,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let recorded = RecordedRequest::new(&request, attempt);
        Box::pin(async move {
            let outcome = self.inner.execute(request, attempt).await;
            let exchange = match &outcome {
                Ok(response) => Exchange {
                    request: recorded,
                    status: Some(response.status()),
                    headers: response.headers().clone(),
                    body: response.body().clone(),
                    failure: None,
                },
                Err(error) => Exchange {
                    request: recorded,
                    status: None,
                    headers: HeaderMap::new(),
                    body: Bytes::new(),
                    failure: Some(error.kind()),
                },
            };
            self.lock().push(exchange);
            outcome
        })
    }

    fn enforces_timeout(&self) -> bool {
        self.inner.enforces_timeout()
    }
}

impl<T> fmt::Debug for RecordingTransport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingTransport").finish_non_exhaustive()
    }
}

/// A request and what became of it. Its fields hold the real values; `Debug` masks secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// The request.
    pub request: RecordedRequest,
    /// The status of the response; `None` if there was none.
    pub status: Option<StatusCode>,
    /// The headers of the response.
    pub headers: HeaderMap,
    /// The body of the response.
    pub body: Bytes,
    /// The kind of failure if there was no complete response.
    pub failure: Option<TransportErrorKind>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request", &self.request)
            .field("status", &self.status.map(|status| status.as_u16()))
            .field("headers", &masking::headers(&self.headers))
            .field("body", &masking::snippet(&self.body))
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
