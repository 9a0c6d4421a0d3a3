//! Where the bytes of a streamed body come from.

use std::error::Error as StdError;
use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::Trailer;
use crate::headers::Headers;

/// What a source may fail with.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// The next piece of a body, or its end.
pub(crate) type Item = Option<Result<Bytes, BoxError>>;

pub(crate) type BoxSource = Box<dyn Source>;

/// The pieces of a body, one after the other.
pub(crate) trait Source: Send {
    /// The next piece, which may be empty; `None` is the end. Not called again after the end or an error.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Item>;

    /// The trailer fields that came with the end.
    fn trailers(&mut self) -> Option<Headers> {
        None
    }
}

/// A body that is ready to be sent.
pub(crate) struct Opened {
    pub(crate) source: BoxSource,
    /// How many bytes it has; the source keeps to it.
    pub(crate) length: Option<u64>,
    pub(crate) trailers: Vec<Trailer>,
}

impl Opened {
    pub(super) fn new(source: impl Source + 'static, length: Option<u64>) -> Self {
        Self {
            source: Box::new(source),
            length,
            trailers: Vec::new(),
        }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self::new(Whole(Some(bytes)), Some(length))
    }

    /// One after the other. The length is known when that of each is. Trailers of the parts are lost.
    pub(super) fn chain(parts: Vec<Self>) -> Self {
        let length = parts
            .iter()
            .try_fold(0_u64, |sum, part| sum.checked_add(part.length?));
        let mut sources: Vec<BoxSource> = parts.into_iter().map(|part| part.source).collect();
        sources.reverse();
        Self::new(Chain(sources), length)
    }

    /// Makes a source of unknown length one of this length, which it is held to.
    pub(crate) fn with_length(mut self, length: u64) -> Self {
        self.source = Box::new(Measured {
            inner: self.source,
            declared: length,
            left: length,
            last: None,
            ended: false,
        });
        self.length = Some(length);
        self
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Bytes that are there already.
struct Whole(Option<Bytes>);

impl Source for Whole {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Item> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

/// Sources one after the other; the next one is the last of the list.
struct Chain(Vec<BoxSource>);

impl Source for Chain {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        while let Some(source) = self.0.last_mut() {
            if let Some(piece) = ready!(source.poll_piece(cx)) {
                return Poll::Ready(Some(piece));
            }
            self.0.pop();
        }
        Poll::Ready(None)
    }
}

/// Holds a source to its declared length.
///
/// The piece that completes the length is kept until the source has ended: a body that is too long must not look
/// complete to the server before that is known.
struct Measured {
    inner: BoxSource,
    declared: u64,
    left: u64,
    last: Option<Bytes>,
    ended: bool,
}

impl Source for Measured {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        while !self.ended {
            let piece = match ready!(self.inner.poll_piece(cx)) {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.ended = true;
                    break;
                }
            };
            let Some(left) = self.left.checked_sub(piece.len() as u64) else {
                return Poll::Ready(Some(Err(Box::new(WrongLength {
                    declared: self.declared,
                    missing: None,
                }))));
            };
            self.left = left;
            if left > 0 {
                return Poll::Ready(Some(Ok(piece)));
            }
            if !piece.is_empty() {
                self.last = Some(piece);
            }
        }
        if self.left > 0 {
            return Poll::Ready(Some(Err(Box::new(WrongLength {
                declared: self.declared,
                missing: Some(self.left),
            }))));
        }
        Poll::Ready(self.last.take().map(Ok))
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.inner.trailers()
    }
}

/// A source that does not keep to the length that was declared for it.
#[derive(Debug)]
struct WrongLength {
    declared: u64,
    missing: Option<u64>,
}

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = self.declared;
        match self.missing {
            Some(missing) => write!(f, "{missing} of the declared {declared} bytes are missing"),
            None => write!(f, "there are more than the declared {declared} bytes"),
        }
    }
}

impl StdError for WrongLength {}
