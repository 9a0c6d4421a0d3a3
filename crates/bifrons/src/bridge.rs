//! Where a blocking value keeps its async one, and how calls get across.

use std::{error, fmt, future::Future, mem, pin::Pin, time::Duration};

use futures_core::Stream;

use crate::iter::advance;
use crate::{BlockingError, BlockingIter, BlockingRuntime, CallOptions};

/// A runtime and the options of each call on it: what a blocking value adds to an async one.
///
/// Cloning shares the runtime.
#[derive(Clone, Debug)]
pub struct Bridge {
    runtime: BlockingRuntime,
    options: CallOptions,
}

impl Bridge {
    /// Drives calls on `runtime`, without a limit of time.
    #[must_use]
    pub fn new(runtime: BlockingRuntime) -> Self {
        Self {
            runtime,
            options: CallOptions::default(),
        }
    }

    /// Returns the runtime.
    #[must_use]
    pub fn runtime(&self) -> &BlockingRuntime {
        &self.runtime
    }

    /// Returns the options of each call.
    #[must_use]
    pub fn options(&self) -> &CallOptions {
        &self.options
    }

    /// Returns a bridge to the same runtime with the same options: for a value that a call
    /// returned.
    #[must_use]
    pub fn share(&self) -> Self {
        self.clone()
    }

    /// Drives a future to its end on this thread, under the options.
    ///
    /// # Errors
    ///
    /// As [`BlockingRuntime::block_on_with`].
    pub fn block_on<F>(&self, future: F) -> Result<F::Output, BlockingError>
    where
        F: Future + Send,
        F::Output: Send,
    {
        self.runtime.block_on_with(&self.options, future)
    }

    /// As [`block_on`](Self::block_on), for a future that often has its answer in memory: it is
    /// polled once without driving the runtime, which is about as cheap as calling a function.
    ///
    /// # Errors
    ///
    /// As [`BlockingRuntime::block_on_with`].
    pub fn block_on_eagerly<F>(&self, future: F) -> Result<F::Output, BlockingError>
    where
        F: Future + Send,
        F::Output: Send,
    {
        self.runtime.run(&self.options, true, future)
    }

    /// Pulls a stream.
    pub fn iter<S>(&self, stream: S) -> BlockingIter<S>
    where
        S: Stream + Send,
        S::Item: Send,
    {
        self.runtime.iter(stream).with_options(self.options.clone())
    }

    /// Pulls a stream of results, which carry an error of the runtime as an item.
    pub fn try_iter<S, T, E>(&self, stream: S) -> BlockingIter<S>
    where
        S: Stream<Item = Result<T, E>> + Send,
        T: Send,
        E: From<BlockingError> + Send,
    {
        self.runtime
            .try_iter(stream)
            .with_options(self.options.clone())
    }

    /// Runs a plain function in the context of the runtime, so that it may make timers, sockets
    /// and tasks.
    pub fn enter<R>(&self, function: impl FnOnce() -> R) -> R {
        self.runtime.enter(function)
    }
}

/// An async value and its bridge: the one field of a blocking type.
///
/// The value is dropped in the context of its runtime, and before it. In a forked child it is
/// not dropped at all, because its sockets are also those of the parent.
#[derive(Clone)]
pub struct Held<T> {
    // Empty only while the holder is being taken apart.
    inner: Option<T>,
    bridge: Bridge,
    /// For a stream.
    progress: Progress,
}

/// How far an iterator over a held stream is.
#[derive(Clone, Copy, PartialEq)]
enum Progress {
    Going,
    /// It gave an error of the runtime as an item, and has no more of them.
    Stopped,
    /// The stream has ended.
    Finished,
}

impl<T> Held<T> {
    /// Holds `inner`, to be driven over `bridge`.
    #[must_use]
    pub fn new(inner: T, bridge: Bridge) -> Self {
        Self {
            inner: Some(inner),
            bridge,
            progress: Progress::Going,
        }
    }

    /// Returns the async value and the bridge.
    #[must_use]
    pub fn parts(&self) -> (&T, &Bridge) {
        match &self.inner {
            Some(inner) => (inner, &self.bridge),
            None => taken(),
        }
    }

    /// Returns the async value, mutable, and the bridge.
    #[must_use]
    pub fn parts_mut(&mut self) -> (&mut T, &Bridge) {
        match &mut self.inner {
            Some(inner) => (inner, &self.bridge),
            None => taken(),
        }
    }

    /// Takes the holder apart.
    #[must_use]
    pub fn into_parts(mut self) -> (T, Bridge) {
        match self.inner.take() {
            Some(inner) => (inner, self.bridge.share()),
            None => taken(),
        }
    }

    /// Replaces the value by what `step` makes of it: a builder step.
    #[must_use]
    pub fn step(mut self, step: impl FnOnce(T) -> T) -> Self {
        self.inner = self.inner.take().map(step);
        self
    }

    /// Limits each call by `limit`.
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.bridge.options = mem::take(&mut self.bridge.options).with_timeout(limit);
        self
    }

    /// Replaces the options of each call.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.bridge.options = options;
        self
    }

    /// Returns the next item of a held stream. After an error of the runtime, which the caller
    /// passes on as an item, there are no more, so that a loop that skips errors comes to an end.
    ///
    /// # Errors
    ///
    /// As [`try_next`](Self::try_next).
    pub fn next_item(&mut self) -> Result<Option<T::Item>, BlockingError>
    where
        T: Stream + Unpin + Send,
        T::Item: Send,
    {
        if self.progress != Progress::Going {
            return Ok(None);
        }
        let outcome = self.try_next(None);
        if outcome.is_err() {
            self.progress = Progress::Stopped;
        }
        outcome
    }

    /// Returns the bounds of what is left of a held stream.
    #[must_use]
    pub fn size_hint(&self) -> (usize, Option<usize>)
    where
        T: Stream,
    {
        match self.progress {
            Progress::Going => self.parts().0.size_hint(),
            Progress::Stopped | Progress::Finished => (0, Some(0)),
        }
    }

    /// Returns the next item of a held stream, within `limit` if there is one, which then takes
    /// the place of the timeout of the options. No item is lost by an error: the stream is kept. After
    /// its end there are no more, whatever the stream would say.
    ///
    /// Items that the stream has at hand, by its size hint, are taken without driving the runtime.
    ///
    /// # Errors
    ///
    /// As [`BlockingRuntime::block_on_with`].
    pub fn try_next(&mut self, limit: Option<Duration>) -> Result<Option<T::Item>, BlockingError>
    where
        T: Stream + Unpin + Send,
        T::Item: Send,
    {
        if self.progress == Progress::Finished {
            return Ok(None);
        }
        let (stream, bridge) = self.parts_mut();
        let stream = Pin::new(stream);
        let item = match limit {
            None => advance(&bridge.runtime, &bridge.options, stream)?,
            Some(limit) => {
                let options = bridge.options.clone().with_timeout(limit);
                advance(&bridge.runtime, &options, stream)?
            }
        };
        if item.is_none() {
            self.progress = Progress::Finished;
        }
        Ok(item)
    }
}

#[cold]
fn taken() -> ! {
    unreachable!("a held value is gone only while its holder is taken apart")
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>()
            && let Some(inner) = self.inner.take()
        {
            self.bridge.runtime.release(inner);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Some(inner) => inner.fmt(f),
            None => f.write_str("<taken>"),
        }
    }
}

/// A blocking type: the twin of an async one, which it holds together with a runtime.
///
/// [`blocking_type!`](crate::blocking_type) implements it. Implement it by hand only for a
/// blocking type that needs fields of its own; `#[dual]` works with that one too.
pub trait Twin: Sized {
    /// The async type.
    type Async;

    /// Makes the blocking value.
    fn from_held(held: Held<Self::Async>) -> Self;

    /// Returns the holder of the async value.
    fn held(&self) -> &Held<Self::Async>;

    /// Returns the holder of the async value, mutable.
    fn held_mut(&mut self) -> &mut Held<Self::Async>;

    /// Takes the holder of the async value out.
    fn into_held(self) -> Held<Self::Async>;

    /// Makes the blocking value from its parts.
    #[must_use]
    fn from_parts(inner: Self::Async, bridge: Bridge) -> Self {
        Self::from_held(Held::new(inner, bridge))
    }
}

/// The async value was used before, so its sockets belong to another runtime.
///
/// Returned by the `from_async` of types that know. Make a fresh value for the blocking face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlreadyUsed;

impl AlreadyUsed {
    /// The one value.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl fmt::Display for AlreadyUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the value was used on another runtime, which owns its sockets: make a new one for the \
             blocking runtime",
        )
    }
}

impl error::Error for AlreadyUsed {}

/// Puts an error of the runtime where a stream of results puts its own errors.
#[doc(hidden)]
pub fn fold_item<T, E: From<BlockingError>>(
    outcome: Result<Option<Result<T, E>>, BlockingError>,
) -> Option<Result<T, E>> {
    outcome.unwrap_or_else(|error| Some(Err(error.into())))
}

/// For methods that have no error to return.
#[doc(hidden)]
#[track_caller]
pub fn or_panic<T>(outcome: Result<T, BlockingError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => refuse(&error),
    }
}

#[cold]
#[track_caller]
fn refuse(error: &BlockingError) -> ! {
    panic!("{error}")
}

/// Compile-time checks.
#[doc(hidden)]
pub mod send {
    use std::future::Future;

    pub fn future<F: Future<Output: Send> + Send>(_: F) {}

    pub fn value<T: Send>(_: T) {}
}
