//! A transport with scripted answers, for tests of SDKs and of programs that use them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::BoxFuture;
use crate::masking;
use crate::transport::{Attempt, Sent, Transport, TransportError, TransportErrorKind};

/// Answers requests from a script and remembers them. Clones share the script.
///
/// Answers are used in order; a request beyond the end of the script fails as a
/// [`TransportErrorKind::Request`] error, which is never retried, so a test sees it at once. With
/// [`respond_with`](Self::respond_with) a function answers instead.
///
/// ```
/// use restkit::{Client, Request, transport::MockTransport};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), restkit::Error> {
/// let mock = MockTransport::new().status(500).json(200, "{}");
/// let client = Client::builder()
///     .transport(mock.clone())
///     .base_url("https://api.example.com")
///     .retry(restkit::retry::RetryPolicy::new().base_delay(std::time::Duration::ZERO))
///     .build()?;
/// client.send(Request::get("/a")).await?;
/// assert_eq!(mock.requests().len(), 2);
/// assert_eq!(mock.remaining(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MockTransport {
    state: Arc<Mutex<State>>,
}

type Responder =
    Arc<dyn Fn(&RecordedRequest) -> Result<http::Response<Bytes>, TransportError> + Send + Sync>;

#[derive(Default)]
struct State {
    script: VecDeque<Answer>,
    responder: Option<Responder>,
    requests: Vec<RecordedRequest>,
    cancelled: usize,
    running: usize,
    most_running: usize,
}

enum Answer {
    Response(http::Response<Bytes>),
    Fail(TransportErrorKind, Sent),
    Stall,
    After(Duration, Box<Self>),
}

impl MockTransport {
    /// Makes a transport without any answers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an answer with a status, headers and a body.
    ///
    /// # Panics
    /// If the status or a header is not valid: it is written in the test itself.
    #[must_use]
    #[track_caller]
    #[expect(
        clippy::expect_used,
        reason = "a test aid; the values stand in the test"
    )]
    pub fn respond(self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let mut response = http::Response::new(body.into());
        *response.status_mut() = StatusCode::from_u16(status).expect("the status is not valid");
        for (name, value) in headers {
            response.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes()).expect("the header name is not valid"),
                HeaderValue::from_str(value).expect("the header value is not valid"),
            );
        }
        self.push(Answer::Response(response))
    }

    /// Appends an answer with a status and a JSON body.
    #[must_use]
    #[track_caller]
    pub fn json(self, status: u16, body: impl Into<Bytes>) -> Self {
        self.respond(status, &[("content-type", "application/json")], body)
    }

    /// Appends an answer with a status and no body.
    #[must_use]
    #[track_caller]
    pub fn status(self, status: u16) -> Self {
        self.respond(status, &[], Bytes::new())
    }

    /// Appends a failure.
    #[must_use]
    pub fn fail(self, kind: TransportErrorKind, sent: Sent) -> Self {
        self.push(Answer::Fail(kind, sent))
    }

    /// Appends a request that is never answered.
    #[must_use]
    pub fn stall(self) -> Self {
        self.push(Answer::Stall)
    }

    /// Makes the answer appended last wait on tokio's clock before it comes.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        {
            let mut state = self.lock();
            if let Some(last) = state.script.pop_back() {
                state.script.push_back(Answer::After(delay, Box::new(last)));
            }
        }
        self
    }

    /// Answers by a function when the script is at its end.
    #[must_use]
    pub fn respond_with<F>(self, responder: F) -> Self
    where
        F: Fn(&RecordedRequest) -> Result<http::Response<Bytes>, TransportError>
            + Send
            + Sync
            + 'static,
    {
        self.lock().responder = Some(Arc::new(responder));
        self
    }

    /// Returns the requests received so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().requests.clone()
    }

    /// Returns how many answers of the script are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.lock().script.len()
    }

    /// Returns how many requests were dropped before their answer came.
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.lock().cancelled
    }

    /// Returns the largest number of requests that were under way at the same time.
    #[must_use]
    pub fn most_running(&self) -> usize {
        self.lock().most_running
    }

    fn push(self, answer: Answer) -> Self {
        self.lock().script.push_back(answer);
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for MockTransport {
    fn execute(
        &self,
        request: http::Request<Bytes>,
        attempt: Attempt,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let recorded = RecordedRequest::new(&request, attempt);
        Box::pin(async move {
            let running = Running::start(self);
            let (answer, responder) = {
                let mut state = self.lock();
                state.requests.push(recorded.clone());
                (state.script.pop_front(), state.responder.clone())
            };
            let outcome = match (answer, responder) {
                (Some(answer), _) => answer.give().await,
                (None, Some(responder)) => responder(&recorded),
                (None, None) => Err(TransportError::new(TransportErrorKind::Request, Sent::No)
                    .with_source("the script of the mock transport has no answer left")),
            };
            running.finish();
            outcome
        })
    }
}

impl fmt::Debug for MockTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MockTransport")
            .field("requests", &state.requests.len())
            .field("remaining", &state.script.len())
            .finish_non_exhaustive()
    }
}

impl Answer {
    async fn give(self) -> Result<http::Response<Bytes>, TransportError> {
        let mut answer = self;
        loop {
            answer = match answer {
                Self::Response(response) => return Ok(response),
                Self::Fail(kind, sent) => return Err(TransportError::new(kind, sent)),
                Self::Stall => std::future::pending().await,
                Self::After(delay, then) => {
                    tokio::time::sleep(delay).await;
                    *then
                }
            };
        }
    }
}

/// Counts a request as running until it is finished or dropped.
struct Running<'a> {
    transport: &'a MockTransport,
    finished: bool,
}

impl<'a> Running<'a> {
    fn start(transport: &'a MockTransport) -> Self {
        let mut state = transport.lock();
        state.running += 1;
        state.most_running = state.most_running.max(state.running);
        drop(state);
        Self {
            transport,
            finished: false,
        }
    }

    fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.transport.lock();
        state.running -= 1;
        if !self.finished {
            state.cancelled += 1;
        }
    }
}

/// A request as a test transport received it. Its fields hold the real values; `Debug` masks
/// secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// The complete URL.
    pub url: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What the transport was told about the attempt.
    pub attempt: Attempt,
}

impl RecordedRequest {
    pub(crate) fn new(request: &http::Request<Bytes>, attempt: Attempt) -> Self {
        Self {
            method: request.method().clone(),
            url: request.uri().to_string(),
            headers: request.headers().clone(),
            body: request.body().clone(),
            attempt,
        }
    }

    /// Returns a header's value if it is there and readable text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        let after_scheme = self.url.find("://").map_or(0, |at| at + 3);
        let rest = self.url.get(after_scheme..).unwrap_or_default();
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    }

    /// Returns the decoded value of the first query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        url.query_pairs()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Returns the body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = url::Url::parse(&self.url).map(|url| masking::url(&url));
        f.debug_struct("RecordedRequest")
            .field("method", &self.method)
            .field("url", &url.as_deref().unwrap_or_default())
            .field("headers", &masking::headers(&self.headers))
            .field("body", &masking::snippet(&self.body))
            .field("attempt", &self.attempt.number)
            .finish_non_exhaustive()
    }
}
