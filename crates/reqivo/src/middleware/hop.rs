use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, Version};
use url::Url;

use super::reply::Reply;
use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::incoming::Live;
use crate::net::clock::{Clock, Waiting};
use crate::net::conn::Conn;
use crate::net::exchange::{Exchange, OnInterim};
use crate::net::memory::Memory;
use crate::net::stream::Stream;
use crate::pool::Lease;
use crate::proto::{Head, LimitKind, Limits, ProtocolError, Tolerance};
use crate::request_body::Body;
use crate::send::Answer;

/// A request on its way through the middleware: complete but for `Host` and the fields that frame the body.
pub struct HopRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Headers,
    pub(crate) body: Option<Body>,
    pub(crate) hop: usize,
    pub(crate) rules: Rules,
}

/// What the response of a hop is held to.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) tolerance: Tolerance,
    pub(crate) clock: Clock,
    pub(crate) on_interim: Option<OnInterim>,
}

impl HopRequest {
    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Changes the method of this hop.
    pub fn set_method(&mut self, method: Method) {
        self.method = method;
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Changes where this hop goes. The response still counts as one of the URL that was asked for. User name and
    /// password in the URL are left out.
    ///
    /// # Errors
    ///
    /// When it is neither http nor https.
    pub fn set_url(&mut self, url: Url) -> Result<(), Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::builder("url scheme is neither http nor https"));
        }
        self.url = crate::error::without_secrets(&url);
        Ok(())
    }

    /// Returns the header fields, secrets included. `Host` is among them only when the caller set it.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the header fields to be changed. The changes hold for this hop only.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Returns the body when it is in memory.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref().and_then(Body::bytes)
    }

    /// Reads the body into memory and keeps it for whoever comes next; empty when there is none.
    ///
    /// # Errors
    ///
    /// When its source fails or was used up before, or gives more than
    /// [`Limits::buffered_bytes`](crate::Limits::buffered_bytes).
    pub async fn read_body(&mut self) -> Result<Bytes, Error> {
        let Some(body) = &self.body else {
            return Ok(Bytes::new());
        };
        if let Some(bytes) = body.bytes() {
            return Ok(bytes.clone());
        }
        let limit = self.rules.limits.buffered_bytes;
        let mut opened = body.open().await?;
        let mut read = BytesMut::new();
        while let Some(piece) = poll_fn(|cx| opened.source.poll_piece(cx)).await {
            let piece = piece.map_err(|error| {
                Error::new(ErrorKind::RequestBody, Phase::Build).with_source(error)
            })?;
            if (read.len() + piece.len()) as u64 > limit {
                let error = ProtocolError::limit(LimitKind::BufferedBytes, limit);
                return Err(Error::protocol(error, Phase::Build));
            }
            read.extend_from_slice(&piece);
        }
        let read = read.freeze();
        self.body = Some(Body::from(read.clone()));
        Ok(read)
    }

    /// Replaces the body.
    pub fn set_body(&mut self, body: impl Into<Body>) {
        self.body = Some(body.into());
    }

    /// Returns how many redirects of this call led here.
    #[must_use]
    pub fn redirects(&self) -> usize {
        self.hop
    }

    /// Copies the request, to send it again; `None` when its body can be sent only once.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: match &self.body {
                Some(body) => Some(body.try_clone()?),
                None => None,
            },
            hop: self.hop,
            rules: self.rules.clone(),
        })
    }

    /// Answers the request without sending it.
    ///
    /// # Errors
    ///
    /// When the reply breaks a rule of HTTP or a limit, or is slower than a time limit permits.
    pub fn reply(mut self, reply: Reply) -> Result<HopResponse, Error> {
        if let Some(error) = self.rules.clock.too_slow(reply.delay) {
            return Err(error.with_sent(true));
        }
        let memory = reply.into_memory(self.method != Method::HEAD)?;
        let (head, lease, exchange) = play(memory, &self.method, &mut self.rules)?;
        Ok(HopResponse {
            head,
            wire: Some((lease, exchange)),
            buffered: None,
            method: self.method,
            rules: self.rules,
        })
    }
}

impl fmt::Debug for HopRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HopRequest")
            .field("method", &self.method)
            .field("url", &crate::error::without_secrets(&self.url).as_str())
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// A response on its way through the middleware. Its body may still be on its way too.
///
/// Dropping it closes the connection, unless the small rest of it is there already.
pub struct HopResponse {
    head: Head,
    /// Empty only when reading the body failed or was given up.
    wire: Option<(Lease, Box<Exchange>)>,
    buffered: Option<Bytes>,
    method: Method,
    rules: Rules,
}

impl HopResponse {
    pub(crate) fn new(answer: Answer, method: Method, rules: Rules) -> Self {
        Self {
            head: answer.head,
            wire: Some((answer.lease, answer.exchange)),
            buffered: None,
            method,
            rules,
        }
    }

    pub(crate) fn into_answer(mut self) -> Result<Answer, Error> {
        let (lease, exchange) = self.wire.take().ok_or_else(crate::incoming::lost)?;
        Ok(Answer {
            head: self.head.clone(),
            lease,
            exchange,
        })
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.head.status()).unwrap_or_default()
    }

    /// Returns the protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head.version()
    }

    /// Returns the header fields, as they came.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.head.headers
    }

    /// Returns the header fields to be changed. How the body is framed was decided before.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.head.headers
    }

    /// Reads the body as it is on the wire, still in its content coding, and keeps it for whoever comes next.
    ///
    /// # Errors
    ///
    /// When the body does not arrive whole and in time, or is larger than
    /// [`Limits::buffered_bytes`](crate::Limits::buffered_bytes). The response is then of no further use.
    pub async fn bytes(&mut self) -> Result<Bytes, Error> {
        if let Some(body) = &self.buffered {
            return Ok(body.clone());
        }
        let mut live = self.live()?;
        let body = poll_fn(|cx| live.poll_collect(cx)).await?;
        let mut reply = Reply::new(self.status()).body(body.clone());
        for (name, value) in live.trailers.take().iter().flat_map(Headers::iter_bytes) {
            reply = reply.trailer(name, value);
        }
        drop(live);
        let memory = reply.into_memory(self.method != Method::HEAD)?;
        let (_, lease, exchange) = play(memory, &self.method, &mut self.rules)?;
        self.wire = Some((lease, exchange));
        self.buffered = Some(body.clone());
        Ok(body)
    }

    /// Puts the response away, and keeps the connection when the rest of the body is small.
    pub async fn close(mut self) {
        if let Ok(live) = self.live() {
            live.drain().await;
        }
    }

    fn live(&mut self) -> Result<Box<Live>, Error> {
        let (lease, exchange) = self.wire.take().ok_or_else(crate::incoming::lost)?;
        let Rules { limits, clock, .. } = self.rules.clone();
        Ok(Box::new(Live::new(lease, exchange, clock, None, limits)))
    }
}

impl Drop for HopResponse {
    fn drop(&mut self) {
        // Saves the connection if it can be saved.
        if self.wire.is_some() {
            drop(self.live());
        }
    }
}

impl fmt::Debug for HopResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HopResponse")
            .field("status", &self.head.status())
            .field("headers", &self.head.headers)
            .finish_non_exhaustive()
    }
}

/// Reads a reply from memory up to its body.
fn play(
    memory: Memory,
    method: &Method,
    rules: &mut Rules,
) -> Result<(Head, Lease, Box<Exchange>), Error> {
    let runtime = tokio::runtime::Handle::try_current()
        .map_err(|_| Error::builder("called outside a tokio runtime"))?;
    let stream = Stream::Memory(Box::new(memory));
    let mut lease = Lease::detached(Conn::new(stream, None, &runtime));
    let Some(conn) = lease.conn() else {
        return Err(crate::incoming::lost());
    };
    conn.start(|_| {});
    // Asked to close, so that nobody takes it for a connection.
    let mut exchange =
        Exchange::new(method, Bytes::new(), true, &rules.limits, &rules.tolerance).boxed(conn);
    exchange.tell(rules.on_interim.as_ref());
    let mut cx = Context::from_waker(Waker::noop());
    match exchange.poll_head(conn, &mut rules.clock, &mut cx) {
        Poll::Ready(Ok(head)) => Ok((head, lease, exchange)),
        Poll::Ready(Err(failure)) => Err(failure.error.with_sent(true)),
        // Reading from memory does not wait.
        Poll::Pending => Err(crate::incoming::lost()),
    }
}

impl Clock {
    /// The error of the limit that a server breaks which takes so long.
    fn too_slow(&mut self, delay: std::time::Duration) -> Option<Error> {
        if delay.is_zero() {
            return None;
        }
        let expiry = self.expiry(Waiting::FirstByte);
        self.progress();
        let expiry = expiry?;
        let left = expiry
            .at
            .saturating_duration_since(tokio::time::Instant::now());
        (left <= delay).then(|| expiry.error(Phase::Head))
    }
}
