use std::borrow::BorrowMut;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{Method, StatusCode, Version};
use url::Url;

use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::incoming::{Incoming, lost};
use crate::proto::{BodyLength, Head};

/// A response. Its body may still be on its way.
///
/// [`bytes`](Self::bytes), [`text`](Self::text) and `json` collect the body, up to
/// [`Limits::buffered_bytes`](crate::Limits::buffered_bytes) (256 MiB by default), and may be called any number of times;
/// [`chunk`](Self::chunk), [`iter_content`](Self::iter_content) and [`into_stream`](Self::into_stream) hand it out in pieces.
///
/// Dropping a response whose body was not read to its end closes the connection, unless the small rest of it is
/// there already.
pub struct Response(pub(crate) Box<Inner>);

pub(crate) struct Inner {
    pub(crate) head: Head,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) history: Vec<Hop>,
    pub(crate) remote: Option<SocketAddr>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<std::sync::Arc<crate::TlsInfo>>,
    pub(crate) elapsed: Duration,
    /// Whether the call may be repeated when its body is lost.
    pub(crate) idempotent: bool,
    pub(crate) length: BodyLength,
    pub(crate) decoded: bool,
    pub(crate) body: Incoming,
    pub(crate) trailers: Option<Headers>,
}

impl Inner {
    /// Says which request failed after its response had begun, and what that means for the call.
    fn about(&self, error: Error) -> Error {
        error
            .with_request(&self.method, &self.url)
            .with_sent(true)
            .with_idempotent(self.idempotent)
    }
}

/// An answer that redirected the request on its way to the final response.
#[derive(Clone, Debug)]
pub struct Hop {
    pub(crate) head: Head,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) remote: Option<SocketAddr>,
}

impl Hop {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        status(&self.head)
    }

    /// Returns the header fields.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.head.headers()
    }

    /// Returns the URL that was asked for.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the method of the request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head.version()
    }

    /// Returns the address of the server; a Unix-domain socket has none.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote
    }
}

fn status(head: &Head) -> StatusCode {
    // The parser lets 100 to 999 pass, which is what the type holds.
    StatusCode::from_u16(head.status()).unwrap_or_default()
}

#[bifrons::dual(blocking = crate::blocking::Response)]
impl Response {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        status(&self.0.head)
    }

    /// Returns the first line as it came, such as `HTTP/1.1 200 OK`; the reason may be missing.
    #[must_use]
    pub fn status_line(&self) -> String {
        String::from_utf8_lossy(self.0.head.status_line()).into_owned()
    }

    /// Returns the protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.head.version()
    }

    /// Returns the header fields. Those about a content coding that was undone are not among them.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.0.head.headers
    }

    /// Returns the URL that answered, after redirects.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Returns the method of the request that was answered, after redirects.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Returns the redirects that led here, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Hop] {
        &self.0.history
    }

    /// Returns the address of the server; a Unix-domain socket has none.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.remote
    }

    /// Returns what was agreed on with the server about TLS; nothing when there is none.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(&self) -> Option<&crate::TlsInfo> {
        self.0.tls.as_deref()
    }

    /// Returns the time from the call to the head of this response, redirects included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Returns the length of the body on the wire, when it was declared.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        match self.0.length {
            BodyLength::Empty => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        }
    }

    /// Returns whether a content coding (gzip) is undone while the body is read.
    #[must_use]
    pub fn is_decoded(&self) -> bool {
        self.0.decoded
    }

    /// Returns whether the whole body is in memory.
    #[must_use]
    pub fn is_buffered(&self) -> bool {
        matches!(self.0.body, Incoming::Whole(_))
    }

    /// Returns the trailer fields, once a chunked body was read to its end and had some.
    #[must_use]
    pub fn trailers(&self) -> Option<&Headers> {
        self.0.trailers.as_ref()
    }

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
        let charset = self
            .0
            .head
            .headers
            .get("content-type")
            .and_then(|it| charset_of(&it));
        Ok(decode_text(&body, charset.as_deref()))
    }

    /// Returns the whole body as text in this encoding, such as `iso-8859-1`, unless it has a byte order mark.
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
        Ok(decode_text(&body, Some(charset)))
    }

    /// Returns the whole body, read as JSON.
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
        crate::json::parse(&body).map_err(|error| self.0.about(error))
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
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// Streams the body in pieces of at most `chunk_size` bytes (at least one).
    ///
    /// A body that was collected before can be streamed again.
    pub fn iter_content(
        &mut self,
        chunk_size: usize,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + '_ {
        match &self.0.body {
            Incoming::Whole(body) => {
                let rest = body.clone();
                Content {
                    response: None,
                    rest,
                    chunk_size: chunk_size.max(1),
                }
            }
            _ => Content {
                response: Some(self),
                rest: Bytes::new(),
                chunk_size: chunk_size.max(1),
            },
        }
    }

    /// Turns the response into a stream of its body, in pieces as they arrive.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send + Unpin + 'static {
        Content {
            response: Some(self),
            rest: Bytes::new(),
            chunk_size: usize::MAX,
        }
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

    /// Gives the connection back, or closes it when the rest of the body is large.
    pub async fn close(self) {
        if let Incoming::Live(live) = self.0.body {
            live.drain().await;
        }
    }
}

impl Response {
    async fn collect(&mut self) -> Result<Bytes, Error> {
        if let Incoming::Whole(body) = &self.0.body {
            return Ok(body.clone());
        }
        poll_fn(|cx| self.poll_collect(cx)).await
    }

    fn poll_collect(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        let result = match &mut self.0.body {
            Incoming::Whole(body) => return Poll::Ready(Ok(body.clone())),
            Incoming::Live(live) => ready!(live.poll_collect(cx)),
            Incoming::Failed => return Poll::Ready(Err(self.lost())),
            Incoming::Spent => {
                let error = Error::new(ErrorKind::Body, Phase::Body)
                    .with_message("the body was already handed out in pieces");
                return Poll::Ready(Err(self.0.about(error)));
            }
        };
        Poll::Ready(match result {
            Ok(body) => {
                self.ended(Incoming::Whole(body.clone()));
                Ok(body)
            }
            Err(error) => Err(self.failed(error)),
        })
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let result = match &mut self.0.body {
            Incoming::Live(live) => ready!(live.poll_piece(cx)),
            Incoming::Spent => return Poll::Ready(Ok(None)),
            Incoming::Failed => return Poll::Ready(Err(self.lost())),
            Incoming::Whole(body) => {
                let body = std::mem::take(body);
                self.0.body = Incoming::Spent;
                return Poll::Ready(Ok(Some(body).filter(|body| !body.is_empty())));
            }
        };
        Poll::Ready(match result {
            Ok(None) => {
                self.ended(Incoming::Spent);
                Ok(None)
            }
            Ok(piece) => Ok(piece),
            Err(error) => Err(self.failed(error)),
        })
    }

    fn ended(&mut self, body: Incoming) {
        if let Incoming::Live(mut live) = std::mem::replace(&mut self.0.body, body) {
            self.0.trailers = live.trailers.take();
        }
    }

    fn failed(&mut self, error: Error) -> Error {
        let error = self.0.about(error);
        if let Incoming::Live(mut live) = std::mem::replace(&mut self.0.body, Incoming::Failed) {
            live.abandon(&error);
        }
        error
    }

    fn lost(&self) -> Error {
        self.0.about(lost())
    }

    /// Up to 64 KiB of the body, as much as there is of it.
    async fn start_of_body(&mut self) -> Bytes {
        if let Incoming::Whole(body) = &self.0.body {
            return body.slice(..body.len().min(ERROR_BODY_BYTES));
        }
        let mut start = bytes::BytesMut::new();
        while let Ok(Some(piece)) = self.chunk().await {
            let room = ERROR_BODY_BYTES - start.len();
            start.extend_from_slice(&piece[..piece.len().min(room)]);
            if start.len() == ERROR_BODY_BYTES {
                break;
            }
        }
        start.freeze()
    }
}

/// The body in pieces of limited size.
struct Content<R> {
    /// Where more comes from.
    response: Option<R>,
    rest: Bytes,
    chunk_size: usize,
}

impl<R: BorrowMut<Response> + Unpin> Stream for Content<R> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while this.rest.is_empty() {
            let Some(response) = &mut this.response else {
                return Poll::Ready(None);
            };
            match ready!(response.borrow_mut().poll_piece(cx)) {
                Ok(Some(piece)) => this.rest = piece,
                Ok(None) => this.response = None,
                Err(error) => {
                    this.response = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        let size = this.chunk_size.min(this.rest.len());
        Poll::Ready(Some(Ok(this.rest.split_to(size))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ready = self.rest.len().div_ceil(self.chunk_size);
        (ready, self.response.is_none().then_some(ready))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.0.head.status())
            .field("version", &self.version())
            .field("url", &self.0.url.as_str())
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}

/// The `charset` parameter of a media type, without quotes.
fn charset_of(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.to_owned())
    })
}

#[cfg(feature = "charset")]
fn decode_text(body: &[u8], charset: Option<&str>) -> String {
    let encoding = charset
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .unwrap_or(encoding_rs::UTF_8);
    // Looks for a byte order mark first.
    encoding.decode(body).0.into_owned()
}

#[cfg(not(feature = "charset"))]
fn decode_text(body: &[u8], charset: Option<&str>) -> String {
    let latin = |label: &str| {
        ["iso-8859-1", "latin1", "us-ascii"]
            .iter()
            .any(|it| it.eq_ignore_ascii_case(label))
    };
    match body.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => String::from_utf8_lossy(rest).into_owned(),
        None if charset.is_some_and(latin) => body.iter().copied().map(char::from).collect(),
        None => String::from_utf8_lossy(body).into_owned(),
    }
}

/// How much of a body an error carries.
const ERROR_BODY_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charset_parameters_are_found_whatever_their_case_and_quotes() {
        let found = |text: &str| charset_of(text);
        assert_eq!(found("text/html; charset=utf-8").as_deref(), Some("utf-8"));
        assert_eq!(
            found("text/html;CHARSET=\"ISO-8859-1\"").as_deref(),
            Some("ISO-8859-1")
        );
        assert_eq!(
            found("text/html; a=b ; Charset = latin1 ").as_deref(),
            Some("latin1")
        );
        assert_eq!(found("text/html"), None);
    }

    #[test]
    fn text_follows_the_mark_then_the_charset_then_utf8_and_never_fails() {
        assert_eq!(decode_text(b"\xe4", Some("ISO-8859-1")), "\u{e4}");
        assert_eq!(
            decode_text(b"\xef\xbb\xbfa\xc3\xa4", Some("iso-8859-1")),
            "a\u{e4}"
        );
        assert_eq!(
            decode_text(b"a\xc3\xa4\xff", Some("no-such-charset")),
            "a\u{e4}\u{fffd}"
        );
        assert_eq!(decode_text(b"\xc3\xa4", None), "\u{e4}");
    }
}
