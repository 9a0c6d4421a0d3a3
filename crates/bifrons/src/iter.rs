use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;

use crate::error::BlockingError;
use crate::options::{CallOptions, CancelToken};
use crate::runtime::BlockingRuntime;

/// Pulls a stream from blocking code.
///
/// Made by [`BlockingRuntime::iter`] and [`BlockingRuntime::try_iter`], and by the blocking methods
/// generated for async methods that return streams.
///
/// * Nothing is fetched before the first `next()`, and not more than the stream itself would.
/// * Items that the stream holds in memory, which it shows in the lower bound of its
///   `size_hint`, are handed out without driving the runtime.
/// * An error that the stream yields is an item like any other; what comes after it is what the
///   stream yields after it. After the end every `next()` is `None`.
/// * A [`BlockingError`] is one item too, where items are `Result`s; the stream is then dropped and
///   the iterator ends, so that a loop that skips errors cannot run for ever. Items of other types
///   cannot carry it, and `next()` panics. [`next_timeout`](Self::next_timeout) returns it and
///   keeps the stream.
/// * Dropping the iterator drops the stream, inside the runtime's context.
///
/// ```
/// use bifrons::BlockingRuntime;
/// use futures_util::stream;
///
/// let rt = BlockingRuntime::shared()?;
/// let squares: Vec<u32> = rt.iter(stream::iter(1..4).then(|n| async move { n * n })).collect();
/// assert_eq!(squares, [1, 4, 9]);
/// # use futures_util::StreamExt as _;
/// # Ok::<(), bifrons::BlockingError>(())
/// ```
pub struct BlockingIter<S: Stream> {
    stream: Option<Pin<Box<S>>>,
    rt: BlockingRuntime,
    options: CallOptions,
    error_item: Option<fn(BlockingError) -> S::Item>,
    /// One thread at a time: `Send`, not `Sync`.
    one_thread: PhantomData<Cell<()>>,
}

impl<S> BlockingIter<S>
where
    S: Stream + Send,
    S::Item: Send,
{
    pub(crate) fn new(rt: BlockingRuntime, stream: S) -> Self {
        Self {
            stream: Some(Box::pin(stream)),
            rt,
            options: CallOptions::default(),
            error_item: None,
            one_thread: PhantomData,
        }
    }

    /// Limits the fetching of items. A timeout counts anew for each `next()` that has to fetch; a
    /// deadline and a cancel token hold for all of them. Default: no limit.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Has `next()` return `item(error)` once where it cannot work, and end, in place of a panic.
    #[must_use]
    pub fn with_error_item(mut self, item: fn(BlockingError) -> S::Item) -> Self {
        self.error_item = Some(item);
        self
    }

    /// Returns the next item, or [`BlockingError::TimedOut`] when there is none within `limit`.
    ///
    /// No item is lost: the stream is kept and the next call goes on where this one stopped. The
    /// limit takes the place of a timeout given with [`with_options`](Self::with_options); a
    /// deadline and a cancel token still hold.
    ///
    /// # Errors
    /// [`BlockingError::TimedOut`], and whatever else keeps a blocking call from being made, with
    /// the stream kept in each case.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<S::Item>, BlockingError> {
        let options = self.options.clone().with_timeout(limit);
        self.advance(Some(&options))
    }

    fn advance(&mut self, options: Option<&CallOptions>) -> Result<Option<S::Item>, BlockingError> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let options = options.unwrap_or(&self.options);
        let item = advance(&self.rt, options, stream.as_mut())?;
        if item.is_none() {
            self.finish();
        }
        Ok(item)
    }
}

impl<S: Stream> BlockingIter<S> {
    fn finish(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.rt.release(stream);
        }
    }
}

impl<S> Iterator for BlockingIter<S>
where
    S: Stream + Send,
    S::Item: Send,
{
    type Item = S::Item;

    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        match self.advance(None) {
            Ok(item) => item,
            Err(error) => {
                self.finish();
                match self.error_item {
                    Some(item) => Some(item(error)),
                    None => panic!("{error}"),
                }
            }
        }
    }
}

impl<S> FusedIterator for BlockingIter<S>
where
    S: Stream + Send,
    S::Item: Send,
{
}

impl<S: Stream> Drop for BlockingIter<S> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<S: Stream> fmt::Debug for BlockingIter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingIter")
            .field("finished", &self.stream.is_none())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Pulls one item; one that is in memory without driving the runtime.
pub(crate) fn advance<S>(
    rt: &BlockingRuntime,
    options: &CallOptions,
    mut stream: Pin<&mut S>,
) -> Result<Option<S::Item>, BlockingError>
where
    S: Stream + Send,
    S::Item: Send,
{
    if stream.size_hint().0 > 0 {
        // the same answers as for an item that is not in memory: misuse shows at once
        let core = rt.core();
        core.check()?;
        if options.cancel().is_some_and(CancelToken::is_cancelled) {
            return Err(BlockingError::Cancelled);
        }
        let mut context = Context::from_waker(Waker::noop());
        let poll = core.poll_ready(|| stream.as_mut().poll_next(&mut context));
        if let Poll::Ready(item) = poll {
            return Ok(item);
        }
    }
    rt.block_on_with(options, poll_fn(|cx| stream.as_mut().poll_next(cx)))
}
