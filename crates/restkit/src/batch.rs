//! Many operations at once: bounded, in order, one result each; and many lists merged into one.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt as _;
use futures_util::stream::{FuturesUnordered, SelectAll};

/// Runs one operation per input with at most `concurrency` under way, and returns one result per
/// input in the order of the inputs. A failure does not stop the others.
///
/// See [`Batch`] for progress and for stopping at the first failure.
///
/// # Cancel safety
/// Dropping the future drops the operations under way and starts no others.
pub async fn batch<I, F, Fut, T, E>(
    inputs: I,
    concurrency: usize,
    operation: F,
) -> Vec<Result<T, E>>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let outcomes = Batch::new(concurrency).run(inputs, operation).await;
    // Without stopping early every input has run.
    outcomes
        .into_iter()
        .filter_map(Outcome::into_result)
        .collect()
}

/// Runs operations with a bound on how many are under way.
///
/// ```
/// use restkit::batch::Batch;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let outcomes = Batch::new(4)
///     .run([4, 0, 2], |n: i32| async move { 12_i32.checked_div(n).ok_or("by zero") })
///     .await;
/// let texts: Vec<_> = outcomes.iter().map(|outcome| outcome.as_result()).collect();
/// assert_eq!(texts, [Some(Ok(&3)), Some(Err(&"by zero")), Some(Ok(&6))]);
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Batch<P = fn(Counts)> {
    concurrency: NonZeroUsize,
    stop_on_error: bool,
    progress: Option<P>,
}

/// How far a batch has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Operations that have started.
    pub started: usize,
    /// Operations that have succeeded.
    pub succeeded: usize,
    /// Operations that have failed.
    pub failed: usize,
}

/// What became of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T, E> {
    /// The operation succeeded.
    Done(T),
    /// The operation failed.
    Failed(E),
    /// The operation was not started, because an earlier one had failed.
    NotStarted,
}

impl<T, E> Outcome<T, E> {
    /// Returns the result; `None` if the operation was not started.
    #[must_use]
    pub fn into_result(self) -> Option<Result<T, E>> {
        match self {
            Self::Done(value) => Some(Ok(value)),
            Self::Failed(error) => Some(Err(error)),
            Self::NotStarted => None,
        }
    }

    /// Returns the result by reference; `None` if the operation was not started.
    #[must_use]
    pub fn as_result(&self) -> Option<Result<&T, &E>> {
        match self {
            Self::Done(value) => Some(Ok(value)),
            Self::Failed(error) => Some(Err(error)),
            Self::NotStarted => None,
        }
    }
}

impl Batch {
    /// Makes a batch with at most `concurrency` operations under way. 0 counts as 1.
    pub fn new(concurrency: usize) -> Self {
        Self {
            concurrency: NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN),
            stop_on_error: false,
            progress: None,
        }
    }
}

impl<P> Batch<P> {
    /// Starts nothing new after a failure. What is under way is finished, because a write that was
    /// sent should not be left unclear. Default: false.
    pub fn stop_on_error(mut self, stop: bool) -> Self {
        self.stop_on_error = stop;
        self
    }

    /// Calls a function after each operation. It runs between polls, so it must be quick and must
    /// not block.
    pub fn on_progress<Q: FnMut(Counts)>(self, progress: Q) -> Batch<Q> {
        Batch {
            concurrency: self.concurrency,
            stop_on_error: self.stop_on_error,
            progress: Some(progress),
        }
    }
}

impl<P: FnMut(Counts)> Batch<P> {
    /// Runs one operation per input and returns one outcome per input, in the order of the inputs.
    /// Inputs are taken as places get free.
    ///
    /// # Cancel safety
    /// Dropping the future drops the operations under way and starts no others.
    pub async fn run<I, F, Fut, T, E>(mut self, inputs: I, mut operation: F) -> Vec<Outcome<T, E>>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut inputs = inputs.into_iter();
        let mut outcomes = Vec::with_capacity(inputs.size_hint().0);
        let mut running = FuturesUnordered::new();
        let mut counts = Counts::default();
        loop {
            while running.len() < self.concurrency.get()
                && !(self.stop_on_error && counts.failed > 0)
            {
                let Some(input) = inputs.next() else { break };
                let index = outcomes.len();
                outcomes.push(Outcome::NotStarted);
                let work = operation(input);
                running.push(async move { (index, work.await) });
                counts.started += 1;
            }
            let Some((index, result)) = running.next().await else {
                break;
            };
            let outcome = match result {
                Ok(value) => {
                    counts.succeeded += 1;
                    Outcome::Done(value)
                }
                Err(error) => {
                    counts.failed += 1;
                    Outcome::Failed(error)
                }
            };
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
            if let Some(progress) = &mut self.progress {
                progress(counts);
            }
        }
        outcomes.extend(inputs.map(|_| Outcome::NotStarted));
        outcomes
    }
}

/// Merges several streams into one, with at most `concurrency` of them running. Each item carries
/// the tag of its source, and a source that fails does not stop the others.
///
/// Items of one source keep their order. The streams of sources that have not begun are not polled,
/// so lazy lists fetch nothing before their turn; and no stream is polled beyond what is asked for.
pub fn merge<K, S, I>(sources: I, concurrency: usize) -> Merge<K, S>
where
    K: Clone,
    S: Stream,
    I: IntoIterator<Item = (K, S)>,
{
    Merge {
        waiting: sources.into_iter().collect(),
        running: SelectAll::new(),
        concurrency: concurrency.max(1),
    }
}

/// A stream of tagged items from several sources; see [`merge`].
#[must_use = "a stream does nothing unless polled"]
pub struct Merge<K, S: Stream> {
    waiting: VecDeque<(K, S)>,
    running: SelectAll<Pin<Box<Source<K, S>>>>,
    concurrency: usize,
}

pin_project_lite::pin_project! {
    struct Source<K, S> {
        tag: K,
        #[pin]
        stream: S,
    }
}

impl<K: Clone, S: Stream> Stream for Source<K, S> {
    type Item = (K, S::Item);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let item = std::task::ready!(this.stream.poll_next(context));
        Poll::Ready(item.map(|item| (this.tag.clone(), item)))
    }
}

impl<K: Clone, S: Stream> Stream for Merge<K, S> {
    type Item = (K, S::Item);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            while this.running.len() < this.concurrency {
                let Some((tag, stream)) = this.waiting.pop_front() else {
                    break;
                };
                this.running.push(Box::pin(Source { tag, stream }));
            }
            let before = this.running.len();
            match this.running.poll_next_unpin(context) {
                Poll::Ready(None) if !this.waiting.is_empty() => {}
                // A source has ended without an item, so another may begin.
                Poll::Pending if this.running.len() < before && !this.waiting.is_empty() => {}
                outcome => return outcome,
            }
        }
    }
}

impl<K, S: Stream> Unpin for Merge<K, S> {}

impl<K: Clone, S: Stream> fmt::Debug for Merge<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running.len())
            .finish()
    }
}
