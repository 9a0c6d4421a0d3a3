//! Reading the body.

use std::borrow::BorrowMut;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use super::lines::Lines;
use super::text::{Encoding, charset_of};
use super::{Response, ResponseBody};
use crate::error::{Error, ErrorKind, Phase};

#[bifrons::dual(blocking = crate::blocking::Response, part = "reading")]
impl Response {
    /// Returns the whole body.
    ///
    /// # Errors
    ///
    /// When the body does not arrive whole and in time, is larger than permitted, or was partly handed out
    /// in pieces.
    ///
    /// # Cancel safety
    ///
    /// What was read is kept; a later call goes on.
    #[blocking(eager)]
    pub async fn bytes(&mut self) -> Result<Bytes, Error> {
        self.collect().await
    }

    /// Returns the whole body as text.
    ///
    /// The encoding is that of a byte order mark, else of the `charset` parameter of `Content-Type`, else UTF-8.
    /// What cannot be decoded becomes U+FFFD; an unknown charset is read as UTF-8.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    ///
    /// # Cancel safety
    ///
    /// What was read is kept; a later call goes on.
    #[blocking(eager)]
    pub async fn text(&mut self) -> Result<String, Error> {
        let body = self.collect().await?;
        Ok(self.encoding().decode(&body))
    }

    /// Returns the whole body as text in this encoding, such as `iso-8859-1`, whatever the response says.
    ///
    /// A byte order mark of that encoding is left out; `utf-16` is the byte order that a mark says.
    /// What cannot be decoded becomes U+FFFD; an unknown charset is read as UTF-8.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes).
    ///
    /// # Cancel safety
    ///
    /// What was read is kept; a later call goes on.
    #[blocking(eager)]
    pub async fn text_with_charset(&mut self, charset: &str) -> Result<String, Error> {
        let body = self.collect().await?;
        Ok(Encoding::asked(charset).decode(&body))
    }

    /// Returns the whole body, read as JSON.
    ///
    /// JSON is UTF-8; in another encoding it is read when a byte order mark or the `charset` of the response says so.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes), and when the body is not JSON of this shape; the message then names the path to the
    /// member that did not fit.
    ///
    /// # Cancel safety
    ///
    /// What was read is kept; a later call goes on.
    #[cfg(feature = "json")]
    #[blocking(eager)]
    pub async fn json<T: serde::de::DeserializeOwned + Send>(&mut self) -> Result<T, Error> {
        let body = self.collect().await?;
        let encoding = self.encoding();
        let parsed = match encoding.is_plain_utf8(&body) {
            true => crate::json::parse(&body),
            false => crate::json::parse(encoding.decode(&body).as_bytes()),
        };
        parsed.map_err(|error| self.0.about(error))
    }

    /// Returns the next piece of the body, as it arrives, or `None` at its end.
    ///
    /// # Errors
    ///
    /// When the body does not arrive whole and in time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    #[blocking(eager)]
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_piece(usize::MAX, cx)).await
    }

    /// Streams the body in pieces of at most `chunk_size` bytes (at least one), as it arrives; 4096 is a usual size.
    ///
    /// A body that was collected before, by [`bytes`](Self::bytes) or [`text`](Self::text), can be streamed any number of
    /// times. Any other can be streamed once: a stream that is dropped early is gone on with by the next one, and
    /// after the end the next one gives an error.
    pub fn iter_content(
        &mut self,
        chunk_size: usize,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + '_ {
        Content::of(self, chunk_size)
    }

    /// Streams the body as it is on the wire, with its content coding, in pieces of at most `chunk_size` bytes.
    ///
    /// The header fields about the coding are not put back; [`undone_coding`](Self::undone_coding) still names it. When
    /// decoding has begun the stream gives an error. For a request whose answer is never to be decoded, see
    /// [`raw_body`](crate::RequestBuilder::raw_body).
    pub fn iter_raw(
        &mut self,
        chunk_size: usize,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + '_ {
        match self.0.body.leave_coded(self.0.coding.is_some()) {
            Ok(()) => Content::of(self, chunk_size),
            Err(error) => Content::failed(self.0.about(error)),
        }
    }

    /// Streams the lines of the body as text, as they arrive, without their ends: LF, CR or CRLF.
    ///
    /// The encoding is chosen as by [`text`](Self::text). A line that is longer than
    /// [`Limits::buffered_bytes`](crate::Limits::buffered_bytes) is an error. How often the body can be gone through, see
    /// [`iter_content`](Self::iter_content); of a stream that is dropped early the next one does not get
    /// what had arrived but was not a whole line yet.
    pub fn iter_lines(&mut self) -> impl Stream<Item = Result<String, Error>> + Send + Unpin + '_ {
        let decoder = self.encoding().decoder();
        let limit = self.0.body.buffered_limit();
        Lines::new(Content::of(self, usize::MAX), decoder, limit)
    }

    /// Turns the response into a stream of its body, in pieces as they arrive.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + 'static {
        ResponseBody::of(self)
    }

    /// Turns the response into its body, which is a stream, a reader and a body of the `http-body` crate.
    #[blocking(wrap = crate::blocking::ResponseBody)]
    pub fn into_body(self) -> ResponseBody {
        ResponseBody::of(self)
    }

    /// Turns a 4xx or 5xx response into an error, and returns any other as it is.
    ///
    /// The error has the status, the header fields and up to 64 KiB of the body
    /// ([`Error::body`](crate::Error::body)).
    ///
    /// # Errors
    ///
    /// For a 4xx or 5xx status.
    pub async fn error_for_status(mut self) -> Result<Self, Error> {
        let status = self.status();
        if !status.is_client_error() && !status.is_server_error() {
            return Ok(self);
        }
        let body = self.start_of_body().await;
        let error = Error::new(ErrorKind::Status, Phase::Body).with_status(status);
        let error = self.0.about(error);
        Err(error.with_reply(self.0.head.headers, body))
    }

    /// Gives the connection back, after reading a small rest of the body, or closes it.
    ///
    /// What a small rest is, [`Limits::drain_bytes`](crate::Limits::drain_bytes) and
    /// [`Limits::drain_time`](crate::Limits::drain_time) say. A body that was collected stays. Closing again does nothing.
    ///
    /// # Cancel safety
    ///
    /// The connection is closed.
    pub async fn close(&mut self) {
        self.0.body.close().await;
    }
}

impl Response {
    pub(super) fn encoding(&self) -> Encoding {
        let content_type = self.0.head.headers.get("content-type");
        let charset = content_type.and_then(|it| charset_of(&it));
        Encoding::declared(charset.as_deref())
    }

    async fn collect(&mut self) -> Result<Bytes, Error> {
        if let Some(body) = self.0.body.kept() {
            return Ok(body.clone());
        }
        self.check_all()?;
        let collected = poll_fn(|cx| self.0.body.poll_collect(cx)).await;
        collected.map_err(|error| self.failed(error))
    }

    pub(crate) fn poll_piece(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        let piece = ready!(self.0.body.poll_piece(most, cx));
        Poll::Ready(piece.map_err(|error| self.failed(error)))
    }

    /// Fails when any of the body was handed out, unless it was collected.
    pub(super) fn check_all(&self) -> Result<(), Error> {
        let checked = self.0.body.check_all();
        checked.map_err(|error| self.0.about(error))
    }

    fn failed(&mut self, error: Error) -> Error {
        let error = self.0.about(error);
        self.0.body.failed(&error);
        error
    }

    /// Up to 64 KiB of the body, as much as there is of it.
    pub(crate) async fn start_of_body(&mut self) -> Bytes {
        if let Some(body) = self.0.body.kept() {
            return body.slice(..body.len().min(ERROR_BODY_BYTES));
        }
        let mut start = bytes::BytesMut::new();
        let mut room = ERROR_BODY_BYTES;
        while room > 0
            && let Ok(Some(piece)) = poll_fn(|cx| self.poll_piece(room, cx)).await
        {
            if start.is_empty() && piece.len() == room {
                return piece;
            }
            start.extend_from_slice(&piece);
            room = ERROR_BODY_BYTES - start.len();
        }
        start.freeze()
    }
}

/// The body in pieces of limited size.
pub(super) struct Content<R> {
    source: Source<R>,
    chunk_size: usize,
}

enum Source<R> {
    /// A collected body, which the response keeps.
    Kept(Bytes, R),
    /// Also whether it ended.
    Arriving(R, bool),
    Failed(Option<Error>),
}

impl<R: BorrowMut<Response>> Content<R> {
    /// The rest of the body, or all of it when it was collected.
    pub(super) fn of(mut response: R, chunk_size: usize) -> Self {
        let this = response.borrow_mut();
        let kept = this.0.body.kept().cloned();
        let source = match (kept, this.0.body.check_left()) {
            (Some(body), _) => Source::Kept(body, response),
            (None, Ok(())) => Source::Arriving(response, false),
            (None, Err(error)) => Source::Failed(Some(this.0.about(error))),
        };
        Self {
            source,
            chunk_size: chunk_size.max(1),
        }
    }

    /// Says which request failed.
    pub(super) fn about(&self, error: Error) -> Error {
        match self.response() {
            Some(response) => response.0.about(error),
            None => error,
        }
    }

    /// The next piece.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.poll_sized(self.chunk_size, cx)).await
    }
}

impl<R> Content<R> {
    fn failed(error: Error) -> Self {
        Self {
            source: Source::Failed(Some(error)),
            chunk_size: 1,
        }
    }

    #[cfg(test)]
    pub(super) fn ended() -> Self {
        Self {
            source: Source::Failed(None),
            chunk_size: 1,
        }
    }
}

impl<R: BorrowMut<Response>> Content<R> {
    /// The next piece of at most so many bytes.
    pub(super) fn poll_sized(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        match &mut self.source {
            Source::Kept(rest, _) => {
                let size = most.min(rest.len());
                Poll::Ready((size > 0).then(|| Ok(rest.split_to(size))))
            }
            Source::Arriving(_, true) => Poll::Ready(None),
            Source::Arriving(response, ended) => {
                let piece = ready!(response.borrow_mut().poll_piece(most, cx)).transpose();
                *ended = !matches!(piece, Some(Ok(_)));
                Poll::Ready(piece)
            }
            Source::Failed(error) => Poll::Ready(error.take().map(Err)),
        }
    }

    /// The response that the body comes from.
    pub(super) fn response(&self) -> Option<&Response> {
        match &self.source {
            Source::Kept(_, response) | Source::Arriving(response, _) => Some(response.borrow()),
            Source::Failed(_) => None,
        }
    }

    /// How much can be had without waiting.
    pub(super) fn at_hand(&self) -> usize {
        match &self.source {
            Source::Kept(rest, _) => rest.len(),
            Source::Arriving(_, true) | Source::Failed(_) => 0,
            Source::Arriving(response, false) => response.borrow().0.body.at_hand(),
        }
    }

    /// How many bytes are still to come, when that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match &self.source {
            Source::Kept(rest, _) => Some(rest.len() as u64),
            Source::Arriving(_, true) | Source::Failed(None) => Some(0),
            Source::Arriving(response, false) => response.borrow().0.body.left(),
            Source::Failed(Some(_)) => None,
        }
    }
}

impl<R: BorrowMut<Response> + Unpin> Stream for Content<R> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk_size = self.chunk_size;
        self.poll_sized(chunk_size, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let pieces = self.at_hand().div_ceil(self.chunk_size);
        match &self.source {
            Source::Kept(..) => (pieces, Some(pieces)),
            Source::Arriving(_, ended) => (pieces, ended.then_some(0)),
            Source::Failed(error) => {
                let left = usize::from(error.is_some());
                (left, Some(left))
            }
        }
    }
}

/// How much of a body an error carries.
const ERROR_BODY_BYTES: usize = 64 * 1024;
