//! Bodies from async sources.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::IntoPiece;
use super::source::{BoxError, Item, Source};
use crate::headers::Headers;

pub(super) struct FromStream<S>(pub(super) Pin<Box<S>>);

impl<S> Source for FromStream<S>
where
    S: Stream<Item: IntoPiece> + Send,
{
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        let item = ready!(self.0.as_mut().poll_next(cx));
        Poll::Ready(item.map(IntoPiece::into_piece))
    }
}

pub(super) struct FromAsyncRead<R> {
    pub(super) reader: Pin<Box<R>>,
    pub(super) buffer: BytesMut,
}

impl<R: AsyncRead + Send> Source for FromAsyncRead<R> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        // The piece before this one is gone, so this is its memory again.
        self.buffer.reserve(PIECE);
        let read = ready!(pin!(self.reader.read_buf(&mut self.buffer)).poll(cx));
        Poll::Ready(match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(self.buffer.split().freeze())),
            Err(error) => Some(Err(error.into())),
        })
    }
}

/// A body of the `http-body` crate.
pub(super) struct FromHttpBody<B> {
    pub(super) body: Pin<Box<B>>,
    pub(super) trailers: Option<Headers>,
}

impl<B> Source for FromHttpBody<B>
where
    B: http_body::Body + Send,
    B::Error: Into<BoxError>,
{
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        loop {
            let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(mut data) => {
                    let length = data.remaining();
                    return Poll::Ready(Some(Ok(data.copy_to_bytes(length))));
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.trailers = Some(Headers::from(&trailers));
                    }
                }
            }
        }
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

const PIECE: usize = 64 * 1024;
