use std::fmt;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use futures_util::future::join_all;
use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use crate::engine::{Core, Drive};
use crate::error::{AlreadySet, BlockingError};
use crate::iter::BlockingIter;
use crate::options::CallOptions;
use crate::{process, shared, shutdown};

/// Runs async code for callers that block.
///
/// Clones are the same runtime. Most programs never name one: the blocking clients use
/// [`shared`](Self::shared). Make one of your own to choose a [`Mode`], to end it on its own, or
/// to keep the background work of two parts of a program apart.
///
/// # Where blocking calls may be made
///
/// | called from | outcome |
/// |---|---|
/// | a plain thread, or one that polls for another executor (futures, smol, asyncio) | works |
/// | `spawn_blocking`, under an `enter()` guard, inside `block_in_place` | works |
/// | an async task or the root of `block_on` of a tokio runtime, a `LocalSet` | [`BlockingError::InAsyncContext`] |
/// | a task, stream or destructor that this runtime polls | [`BlockingError::Reentrant`] |
/// | after [`shutdown`](Self::shutdown) | [`BlockingError::Closed`] |
/// | a forked child, with a runtime of the parent | [`BlockingError::Forked`] |
///
/// Each refusal comes at once; nothing waits for itself. One case cannot be told from a place
/// where blocking is right: a task under [`tokio::task::unconstrained`] on somebody else's
/// current-thread runtime. There tokio itself panics ("Cannot start a runtime from within a
/// runtime"). And nobody can see a task that blocks inside its own poll on another thread, which in
/// turn makes a blocking call: like every future that does not return from its poll, it stops the
/// callers that it drives for. Use `spawn_blocking` and await it.
///
/// # Dropping
///
/// Dropping a clone, the last one too, waits for nothing, does not panic and is allowed anywhere,
/// async tasks and unwinding included. What the runtime still had to do is dropped with it; work
/// that has to happen needs [`shutdown`](Self::shutdown) or an explicit call before.
///
/// # Fork
///
/// A runtime does not survive a `fork` into the child: there it answers
/// [`BlockingError::Forked`], and what it holds is leaked and not dropped, because its sockets and
/// its event queue still belong to the parent. [`shared`](Self::shared) makes a fresh one in the
/// child. This is a best effort: tokio does not support forking after first use, and neither do
/// many C libraries. `std::process::Command` is not concerned.
#[derive(Clone)]
pub struct BlockingRuntime {
    inner: Arc<Inner>,
}

/// The user's share of a runtime: when it goes, the keeper goes too.
struct Inner {
    core: Arc<Core>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // in a forked child the locks may be held by threads that do not exist
        if !self.core.is_forked() {
            self.core.close();
        }
    }
}

/// Who polls the futures of a [`BlockingRuntime`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Mode {
    /// The blocked callers themselves, over one current-thread runtime. A call does not change
    /// threads, and there is no thread until a call leaves a spawned task behind; then one keeper
    /// thread drives such tasks between calls. The default, right for clients, command lines and
    /// scripts.
    ///
    /// A future that computes for long inside one poll delays every other caller: work of more
    /// than a millisecond belongs in `spawn_blocking`.
    #[default]
    CallerDriven,
    /// Worker threads, and the caller polls its own future. Right for processes that mostly work
    /// in the background.
    Threaded {
        /// The number of worker threads.
        workers: NonZeroUsize,
    },
    /// A runtime that the program already has. It is never shut down from here.
    External(Handle),
}

impl BlockingRuntime {
    /// Returns the runtime that all clients of the process share, made on first use.
    ///
    /// It is caller-driven unless [`set_shared`](Self::set_shared) chose another. A child process
    /// made by `fork` gets one of its own. After a [`shutdown`](Self::shutdown) of the shared
    /// runtime it stays closed: that is for the end of a program.
    ///
    /// # Errors
    /// [`BlockingError::Runtime`] when the operating system refuses an event queue.
    pub fn shared() -> Result<Self, BlockingError> {
        shared::get()
    }

    /// Makes `runtime` the one that [`shared`](Self::shared) returns.
    ///
    /// # Errors
    /// [`AlreadySet`] after the first use of the shared runtime in this process.
    pub fn set_shared(runtime: Self) -> Result<(), AlreadySet> {
        shared::set(runtime)
    }

    /// Starts the description of a runtime. The default is caller-driven.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// Runs a future on this thread until it is done.
    ///
    /// Timers and sockets have to be made inside the runtime, so write
    /// `block_on(async { sleep(d).await })` and not `block_on(sleep(d))`, or make them under
    /// [`enter`](Self::enter).
    ///
    /// # Cancel safety
    /// Nothing cancels this call; see [`block_on_with`](Self::block_on_with). When the runtime is
    /// shut down meanwhile and the grace is over, the future is dropped.
    ///
    /// # Panics
    /// A panic of the future comes out with its payload. The runtime stays usable.
    ///
    /// # Errors
    /// [`BlockingError::InAsyncContext`], [`Reentrant`](BlockingError::Reentrant),
    /// [`Forked`](BlockingError::Forked) and [`Closed`](BlockingError::Closed); the future is then
    /// dropped without having been polled.
    pub fn block_on<F>(&self, future: F) -> Result<F::Output, BlockingError>
    where
        F: Future + Send,
        F::Output: Send,
    {
        self.block_on_with(&CallOptions::default(), future)
    }

    /// Runs a future on this thread until it is done, its limit is reached or it is cancelled.
    ///
    /// # Cancel safety
    /// On timeout and cancel the future is dropped inside the runtime's context before this
    /// returns, so that nothing of it keeps running. When the future is ready in the same moment,
    /// its output wins.
    ///
    /// # Panics
    /// A panic of the future comes out with its payload. The runtime stays usable.
    ///
    /// # Errors
    /// Those of [`block_on`](Self::block_on), and [`BlockingError::TimedOut`] and
    /// [`BlockingError::Cancelled`].
    pub fn block_on_with<F>(
        &self,
        options: &CallOptions,
        future: F,
    ) -> Result<F::Output, BlockingError>
    where
        F: Future + Send,
        F::Output: Send,
    {
        self.run(options, false, future)
    }

    /// Runs a future; with `eager` it is polled once before the runtime is driven.
    pub(crate) fn run<F>(
        &self,
        options: &CallOptions,
        eager: bool,
        future: F,
    ) -> Result<F::Output, BlockingError>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let core = &self.inner.core;
        let mut output = None;
        let future = pin!(Some(future));
        let mut held = DroppedInside { core, future };
        let step = pin!(poll_fn(|cx| {
            if let Some(future) = held.future.as_mut().as_pin_mut() {
                match future.poll(cx) {
                    Poll::Ready(value) => output = Some(value),
                    Poll::Pending => return Poll::Pending,
                }
                // while still inside: what it owns may need the runtime to go
                held.future.set(None);
            }
            Poll::Ready(())
        }));
        match eager {
            true => core.run_eagerly(options, step)?,
            false => core.run(options, step)?,
        }
        match output {
            Some(value) => Ok(value),
            None => unreachable!("the call ended without error, so its last step left the output"),
        }
    }

    /// Runs many futures at once on this thread until all are done; outputs come in input order.
    ///
    /// All of them run concurrently. To bound their number, buffer a stream of them and collect
    /// it in one [`block_on`](Self::block_on).
    ///
    /// # Panics
    /// A panic of one future comes out with its payload; the others are dropped.
    ///
    /// # Errors
    /// Those of [`block_on`](Self::block_on), for all together. What the futures themselves answer
    /// is in the list, one entry for each.
    pub fn run_many<I>(&self, futures: I) -> Result<Vec<<I::Item as Future>::Output>, BlockingError>
    where
        I: IntoIterator,
        I::Item: Future + Send,
        <I::Item as Future>::Output: Send,
    {
        self.run_many_with(&CallOptions::default(), futures)
    }

    /// Runs many futures at once, with one limit and one cancel token for all of them.
    ///
    /// # Cancel safety
    /// On timeout and cancel all futures are dropped, and the outputs of those that were done are
    /// lost with the list. Give each future its own limit to keep them.
    ///
    /// # Panics
    /// A panic of one future comes out with its payload; the others are dropped.
    ///
    /// # Errors
    /// Those of [`block_on_with`](Self::block_on_with), for all together.
    pub fn run_many_with<I>(
        &self,
        options: &CallOptions,
        futures: I,
    ) -> Result<Vec<<I::Item as Future>::Output>, BlockingError>
    where
        I: IntoIterator,
        I::Item: Future + Send,
        <I::Item as Future>::Output: Send,
    {
        // the functions that make the futures may need the runtime already
        let futures: Vec<I::Item> = self.enter(|| futures.into_iter().collect());
        self.block_on_with(options, async move { join_all(futures).await })
    }

    /// Makes an iterator that pulls a stream. It is lazy: nothing is polled before `next()`.
    ///
    /// # Panics
    /// `next()` panics with the text of the [`BlockingError`] where it cannot work, because an item
    /// of any type cannot carry one. Use [`try_iter`](Self::try_iter) when items are `Result`s.
    pub fn iter<S>(&self, stream: S) -> BlockingIter<S>
    where
        S: Stream + Send,
        S::Item: Send,
    {
        BlockingIter::new(self.clone(), stream)
    }

    /// Makes an iterator that pulls a stream of `Result`s. Where `next()` cannot work it returns
    /// the [`BlockingError`] as an item, once, and the iterator ends.
    pub fn try_iter<S, T, E>(&self, stream: S) -> BlockingIter<S>
    where
        S: Stream<Item = Result<T, E>> + Send,
        T: Send,
        E: Send + From<BlockingError>,
    {
        self.iter(stream)
            .with_error_item(|error| Err(E::from(error)))
    }

    /// Calls `f` inside the runtime's context, to build or drop things that need it: timers,
    /// sockets, spawned tasks. Does not block and does not drive anything.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _inside = self.inner.core.enter();
        f()
    }

    /// Drops `value` inside the runtime's context. In a forked child the value is leaked instead,
    /// because its sockets belong to the parent.
    pub fn release<T>(&self, value: T) {
        if self.inner.core.is_forked() {
            std::mem::forget(value);
        } else {
            self.enter(|| drop(value));
        }
    }

    /// Ends the runtime for all of its clones.
    ///
    /// New calls are refused from now on. Calls in progress and spawned tasks get up to `grace` to
    /// end; then the calls end with [`BlockingError::Closed`] and the tasks are dropped. Returns
    /// as soon as nothing is left, at the latest a tenth of a second after `grace`, and joins the
    /// threads of the runtime. A second shutdown returns the report of the first. A runtime of
    /// [`Mode::External`] goes on; only calls through this one are refused.
    ///
    /// A call that blocks inside its own poll does not hold the shutdown up: it, or a call that
    /// waits behind it, releases the runtime when it leaves. A task that does so can.
    ///
    /// Where waiting is not allowed, in an async task or a task of this very runtime, the grace
    /// counts as zero and nothing is joined; the report says so, and a later shutdown from a
    /// plain thread completes the work.
    pub fn shutdown(&self, grace: Duration) -> ShutdownReport {
        shutdown::shutdown(&self.inner.core, grace)
    }

    /// Has the runtime shut down when the process exits, waiting at most `grace`.
    ///
    /// Without it nothing waits at exit: background work is cut off. With several runtimes the
    /// longest grace holds for all of them together. The hook does not keep the runtime alive, and
    /// runs on `exit` and on return from `main`, not on abort or signals. Tells whether the
    /// hook could be installed; it cannot on platforms without `atexit`.
    pub fn install_exit_hook(&self, grace: Duration) -> bool {
        shutdown::install_exit_hook(&self.inner.core, grace)
    }

    /// Returns counters, for tests and monitoring.
    #[must_use]
    pub fn stats(&self) -> RuntimeStats {
        let core = &self.inner.core;
        RuntimeStats {
            calls: core.handover.begun(),
            active: core.handover.active(),
            keeper_takeovers: core.handover.takeovers(),
            alive_tasks: core.alive_tasks(),
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }
}

impl fmt::Debug for BlockingRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingRuntime")
            .field("drive", &self.inner.core.drive_mode())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Describes a [`BlockingRuntime`].
///
/// ```
/// use std::num::NonZeroUsize;
/// use bifrons::{BlockingRuntime, Mode};
///
/// let rt = BlockingRuntime::builder()
///     .mode(Mode::Threaded { workers: NonZeroUsize::MIN })
///     .thread_name("station")
///     .build()?;
/// assert_eq!(rt.block_on(async { 6 * 7 })?, 42);
/// # Ok::<(), bifrons::BlockingError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct RuntimeBuilder {
    mode: Mode,
    thread_name: Option<String>,
    keeper_grace: Duration,
    driven_elsewhere: bool,
}

impl Default for RuntimeBuilder {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            thread_name: None,
            keeper_grace: Duration::from_millis(2),
            driven_elsewhere: false,
        }
    }
}

impl RuntimeBuilder {
    /// Sets who polls. Default: [`Mode::CallerDriven`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Names the threads of the runtime. Default: `bifrons-keeper` and `bifrons-worker`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// Sets how long no call may be in progress before the keeper drives the tasks. Default: 2 ms.
    pub fn keeper_grace(mut self, grace: Duration) -> Self {
        self.keeper_grace = grace;
        self
    }

    /// States that the current-thread runtime behind a [`Mode::External`] handle is driven by a
    /// thread of its owner all the time. Without such a driver calls would never end.
    pub fn driven_elsewhere(mut self) -> Self {
        self.driven_elsewhere = true;
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// [`BlockingError::Runtime`] when the operating system refuses an event queue or a thread,
    /// and [`BlockingError::UndrivenHandle`] for the handle of a current-thread runtime that is
    /// not [`driven_elsewhere`](Self::driven_elsewhere).
    pub fn build(self) -> Result<BlockingRuntime, BlockingError> {
        process::watch_forks();
        let name = |default: &str| {
            self.thread_name
                .clone()
                .unwrap_or_else(|| default.to_owned())
        };
        let (drive, runtime, handle) = match self.mode {
            Mode::CallerDriven => {
                let runtime = Builder::new_current_thread()
                    .enable_all()
                    .thread_name(name("bifrons-blocking"))
                    .build()
                    .map_err(BlockingError::Runtime)?;
                let handle = runtime.handle().clone();
                (Drive::Callers, Some(runtime), handle)
            }
            Mode::Threaded { workers } => {
                let runtime = Builder::new_multi_thread()
                    .worker_threads(workers.get())
                    .enable_all()
                    .thread_name(name("bifrons-worker"))
                    .build()
                    .map_err(BlockingError::Runtime)?;
                let handle = runtime.handle().clone();
                (Drive::Workers, Some(runtime), handle)
            }
            Mode::External(ref handle) => {
                if handle.runtime_flavor() != RuntimeFlavor::MultiThread && !self.driven_elsewhere {
                    return Err(BlockingError::UndrivenHandle);
                }
                (Drive::Others, None, handle.clone())
            }
        };
        let core = Core::new(
            drive,
            runtime,
            handle,
            name("bifrons-keeper"),
            self.keeper_grace,
        );
        Ok(BlockingRuntime {
            inner: Arc::new(Inner {
                core: Arc::new(core),
            }),
        })
    }
}

/// What a runtime has done and is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeStats {
    /// Calls ever begun. Items that an iterator had in memory are not calls.
    pub calls: u64,
    /// Calls in progress.
    pub active: u64,
    /// How often the keeper drove because no call did.
    pub keeper_takeovers: u64,
    /// Spawned tasks that have not finished. Those of the whole runtime for [`Mode::External`].
    pub alive_tasks: usize,
}

/// What a [`shutdown`](BlockingRuntime::shutdown) found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that were alive when the shutdown began and had finished when the grace was over.
    pub tasks_finished: usize,
    /// Tasks that were dropped unfinished.
    pub tasks_aborted: usize,
    /// No keeper thread is left. `true` when there never was one.
    pub keeper_joined: bool,
}

/// Drops a future inside the runtime's context, whether its call ended, failed or panicked.
struct DroppedInside<'a, F> {
    core: &'a Arc<Core>,
    future: Pin<&'a mut Option<F>>,
}

impl<F> Drop for DroppedInside<'_, F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            let _inside = self.core.enter();
            self.future.set(None);
        }
    }
}
