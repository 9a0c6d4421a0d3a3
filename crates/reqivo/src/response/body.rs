use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::Response;
use super::reading::Content;
use crate::error::{Error, ErrorKind};
use crate::headers::Headers;

/// The body of a [`Response`], for those who need it by itself.
///
/// It is a stream of pieces as they arrive, a reader, and a body of the `http-body` crate with the trailer fields behind
/// the data. Dropping it is dropping the response.
pub struct ResponseBody {
    content: Content<Response>,
    /// The trailer fields were handed out.
    trailers_given: bool,
}

#[bifrons::dual(blocking = crate::blocking::ResponseBody)]
impl ResponseBody {
    /// Returns the trailer fields, once a chunked body was read to its end and had some.
    #[must_use]
    pub fn trailers(&self) -> Option<&Headers> {
        self.content.response()?.trailers()
    }
}

impl ResponseBody {
    pub(super) fn of(response: Response) -> Self {
        Self {
            content: Content::of(response, usize::MAX),
            trailers_given: false,
        }
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.content).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.content.size_hint()
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        if let Some(piece) = ready!(Pin::new(&mut self.content).poll_next(cx)) {
            return Poll::Ready(Some(piece.map(http_body::Frame::data)));
        }
        if std::mem::replace(&mut self.trailers_given, true) {
            return Poll::Ready(None);
        }
        let trailers = self.trailers().map(http::HeaderMap::from);
        Poll::Ready(trailers.map(|trailers| Ok(http_body::Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.content.left() == Some(0) && (self.trailers_given || self.trailers().is_none())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self.content.left() {
            Some(left) => http_body::SizeHint::with_exact(left),
            None => http_body::SizeHint::new(),
        }
    }
}

impl AsyncRead for ResponseBody {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let piece = ready!(self.content.poll_sized(buf.remaining(), cx));
        if let Some(piece) = piece.transpose()? {
            buf.put_slice(&piece);
        }
        Poll::Ready(Ok(()))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Timeout => io::ErrorKind::TimedOut,
            ErrorKind::IncompleteBody => io::ErrorKind::UnexpectedEof,
            ErrorKind::Decode | ErrorKind::Protocol => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// The URL that answered is among the extensions.
impl From<Response> for http::Response<ResponseBody> {
    fn from(response: Response) -> Self {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = response.status();
        parts.version = response.version();
        parts.headers = response.headers().into();
        parts.extensions.insert(response.url().clone());
        Self::from_parts(parts, ResponseBody::of(response))
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("left", &self.content.left())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "blocking")]
mod blocking {
    use std::future::poll_fn;
    use std::io::{self, Read};
    use std::task::{Context, Poll, Waker};

    use super::ResponseBody;
    use bifrons::Twin;

    impl Read for crate::blocking::ResponseBody {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let (body, bridge) = self.held_mut().parts_mut();
            let most = buf.len();
            if most == 0 {
                return Ok(0);
            }
            // What is here already needs no runtime.
            let here = match body.content.at_hand() > 0 {
                true => {
                    let mut cx = Context::from_waker(Waker::noop());
                    body.content.poll_sized(most, &mut cx)
                }
                false => Poll::Pending,
            };
            let piece = match here {
                Poll::Ready(piece) => piece,
                Poll::Pending => bridge
                    .block_on(poll_fn(|cx| body.content.poll_sized(most, cx)))
                    .unwrap_or_else(|error| Some(Err(error.into()))),
            };
            let piece = piece.transpose()?.unwrap_or_default();
            buf[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    /// The URL that answered is among the extensions.
    impl From<crate::blocking::Response> for http::Response<crate::blocking::ResponseBody> {
        fn from(response: crate::blocking::Response) -> Self {
            let (response, bridge) = response.into_held().into_parts();
            let response = http::Response::<ResponseBody>::from(response);
            response.map(|body| crate::blocking::ResponseBody::from_parts(body, bridge))
        }
    }
}
