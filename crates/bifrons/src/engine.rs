//! What the clones of one runtime share, and how a call runs on it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, TryLockError};
use std::task::{Context, Poll, RawWakerVTable, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{EnterGuard, Handle, Runtime, RuntimeMetrics};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep};

use crate::context::{self, Mark, Place};
use crate::error::BlockingError;
use crate::handover::{Driver, Handover};
use crate::options::{CallOptions, CancelToken, Limits};
use crate::process;
use crate::runtime::ShutdownReport;

/// Who polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// The callers, with a keeper in between.
    Callers,
    /// Worker threads of our own runtime.
    Workers,
    /// Somebody else's runtime.
    Others,
}

/// How the calls in progress are woken to see that they are to end.
#[derive(Debug)]
enum Stopping {
    /// Wakes the caller that drives. Whoever drives polls its call through this one waker; when it
    /// leaves, the next caller takes over and sees the flag in its turn. Calls need not register.
    Driver(OnceLock<Waker>),
    /// Wakes every call that has registered.
    Each(Notify),
}

/// What every call looks at comes first, as in [`Handover`].
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Core {
    pub(crate) handover: Handover,
    id: u64,
    generation: u64,
    drive: Drive,
    /// Calls in progress are to end.
    stopped: AtomicBool,
    /// Shutdown could not release the runtime because a call did not end; that call does it.
    abandoned: AtomicBool,
    stopping: Stopping,
    metrics: RuntimeMetrics,
    pub(crate) handle: Handle,
    /// Empty for a runtime of somebody else, and after shutdown. A call holds it for reading;
    /// nobody ever waits for it: who cannot have it finds the runtime closed or in use.
    runtime: RwLock<Option<Runtime>>,
    kick: Notify,
    keeper_name: String,
    keeper_grace: Duration,
    keeper_thread: Mutex<Option<JoinHandle<()>>>,
    pub(crate) report: Mutex<Option<ShutdownReport>>,
}

impl Core {
    pub(crate) fn new(
        drive: Drive,
        runtime: Option<Runtime>,
        handle: Handle,
        keeper_name: String,
        keeper_grace: Duration,
    ) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let stopping = match drive {
            Drive::Callers => Stopping::Driver(OnceLock::new()),
            Drive::Workers | Drive::Others => Stopping::Each(Notify::new()),
        };
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            generation: process::generation(),
            drive,
            runtime: RwLock::new(runtime),
            metrics: handle.metrics(),
            handle,
            handover: Handover::new(),
            kick: Notify::new(),
            stopped: AtomicBool::new(false),
            stopping,
            abandoned: AtomicBool::new(false),
            keeper_name,
            keeper_grace,
            keeper_thread: Mutex::new(None),
            report: Mutex::new(None),
        }
    }

    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.generation != process::generation()
    }

    /// Tells whether this thread is driving this runtime, or may not block for another reason.
    pub(crate) fn may_wait_here(&self) -> bool {
        !context::drives(self.id) && context::place(self.handle.id()).is_ok()
    }

    /// Says that this thread is at work for this runtime, until the guard is dropped.
    pub(crate) fn mark(&self) -> Mark {
        context::mark(self.id)
    }

    pub(crate) fn drive_mode(&self) -> Drive {
        self.drive
    }

    pub(crate) fn alive_tasks(&self) -> usize {
        self.metrics.num_alive_tasks()
    }

    /// Checks whether a call may be made here and now.
    #[inline]
    pub(crate) fn check(&self) -> Result<Place, BlockingError> {
        if self.is_forked() {
            return Err(BlockingError::Forked);
        }
        if self.handover.is_closed() {
            return Err(BlockingError::Closed);
        }
        if context::drives(self.id) {
            return Err(BlockingError::Reentrant);
        }
        context::place(self.handle.id())
    }

    /// Runs one call to its end or its limit.
    ///
    /// Not generic and never inlined: the scheduler's loop inside is compiled once, and not once
    /// for each blocking method of each client.
    #[inline(never)]
    pub(crate) fn run(
        self: &Arc<Self>,
        options: &CallOptions,
        call: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<(), BlockingError> {
        let place = self.check()?;
        let limits = options.start()?;
        self.run_at(place, limits, call)
    }

    /// As [`run`](Self::run), for a call that often is ready at once: it is polled once before
    /// anything is driven for it.
    #[inline(never)]
    pub(crate) fn run_eagerly(
        self: &Arc<Self>,
        options: &CallOptions,
        mut call: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<(), BlockingError> {
        let place = self.check()?;
        let limits = options.start()?;
        // a call that is not ready registers its own waker when it is polled again
        let mut context = Context::from_waker(Waker::noop());
        if self
            .poll_ready(|| call.as_mut().poll(&mut context))
            .is_ready()
        {
            return Ok(());
        }
        self.run_at(place, limits, call)
    }

    fn run_at(
        self: &Arc<Self>,
        place: Place,
        limits: Limits<'_>,
        call: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<(), BlockingError> {
        match place {
            Place::Free => self.drive(limits, call),
            Place::Worker => tokio::task::block_in_place(|| self.drive(limits, call)),
        }
    }

    fn drive(
        self: &Arc<Self>,
        limits: Limits<'_>,
        call: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<(), BlockingError> {
        let _active = ActiveCall::begin(self)?;
        self.with_runtime(|runtime| match runtime {
            Some(runtime) if self.drive == Drive::Callers && limits.are_none() => {
                self.drive_plain(runtime, call)
            }
            _ => self.drive_limited(runtime, limits, call),
        })
        .ok_or(BlockingError::Closed)?
    }

    /// The short way of the common case. It does in a smaller frame what
    /// [`drive_limited`](Self::drive_limited) would do.
    fn drive_plain(
        &self,
        runtime: &Runtime,
        mut call: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<(), BlockingError> {
        let _mark = self.mark();
        runtime.block_on(poll_fn(|cx| {
            if call.as_mut().poll(cx).is_ready() {
                Poll::Ready(Ok(()))
            } else if self.stopped.load(Ordering::SeqCst) {
                Poll::Ready(Err(BlockingError::Closed))
            } else {
                Poll::Pending
            }
        }))
    }

    fn drive_limited(
        &self,
        runtime: Option<&Runtime>,
        limits: Limits<'_>,
        mut call: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<(), BlockingError> {
        let mut stopping = pin!(None);
        let mut cancelling = pin!(None);
        let mut sleep = pin!(None);
        let mut waker = None;
        let limited = poll_fn(|cx| {
            if call.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            // the first time, and whenever driving passed to or from this thread
            let identity = waker_identity(cx);
            if waker != Some(identity) {
                waker = Some(identity);
                if let Stopping::Each(notify) = &self.stopping {
                    register(&mut stopping, notify, cx);
                }
                if let Some(token) = limits.cancel {
                    register(&mut cancelling, token.waiting(), cx);
                }
            }
            if self.stopped.load(Ordering::SeqCst) {
                return Poll::Ready(Err(BlockingError::Closed));
            }
            if limits.cancel.is_some_and(CancelToken::is_cancelled) {
                return Poll::Ready(Err(BlockingError::Cancelled));
            }
            match limits.end {
                Some((end, limit)) if poll_sleep(&mut sleep, end.into(), cx) => {
                    Poll::Ready(Err(BlockingError::TimedOut { limit }))
                }
                _ => Poll::Pending,
            }
        });
        match (self.drive, runtime) {
            (Drive::Callers, Some(runtime)) => {
                let _mark = self.mark();
                runtime.block_on(limited)
            }
            (Drive::Workers, Some(runtime)) => runtime.block_on(limited),
            _ => self.handle.block_on(limited),
        }
    }

    /// Lends the runtime out, `None` when it was shut down.
    fn with_runtime<R>(&self, f: impl FnOnce(Option<&Runtime>) -> R) -> Option<R> {
        if self.drive == Drive::Others {
            return Some(f(None));
        }
        let slot = match self.runtime.try_read() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(slot)) => slot.into_inner(),
            // only the release of the runtime takes it for writing
            Err(TryLockError::WouldBlock) => return None,
        };
        let runtime = slot.as_ref()?;
        if let Stopping::Driver(waker) = &self.stopping
            && waker.get().is_none()
        {
            catch_driver_waker(waker, runtime);
        }
        Some(f(Some(runtime)))
    }

    /// Drives the runtime for a future of our own, past the checks that calls go through.
    pub(crate) fn drive_inside(&self, work: Pin<&mut (dyn Future<Output = ()> + Send)>) {
        self.with_runtime(|runtime| match runtime {
            Some(runtime) => {
                let _mark = (self.drive == Drive::Callers).then(|| self.mark());
                runtime.block_on(work);
            }
            None => self.handle.block_on(work),
        });
    }

    /// Polls something that is expected to be ready, without driving the runtime.
    pub(crate) fn poll_ready<R>(self: &Arc<Self>, poll: impl FnOnce() -> R) -> R {
        // the check that came before has seen that the thread can enter
        let _inside = Inside {
            guard: Some(self.handle.enter()),
            core: self,
        };
        let _mark = (self.drive == Drive::Callers).then(|| self.mark());
        poll()
    }

    /// Enters the runtime's context, unless the thread is ending and has no place for one.
    #[inline]
    pub(crate) fn enter(self: &Arc<Self>) -> Inside<'_> {
        Inside {
            guard: context::can_enter().then(|| self.handle.enter()),
            core: self,
        }
    }

    /// Gets a keeper for tasks that would otherwise stand still.
    #[inline]
    fn look_after_tasks(self: &Arc<Self>) {
        if self.drive == Drive::Callers && self.handover.is_keeper_missing(&**self) {
            self.want_keeper();
        }
    }

    #[cold]
    fn want_keeper(self: &Arc<Self>) {
        if self.is_forked() {
            return;
        }
        self.handover.want_keeper(|| {
            let core = Arc::clone(self);
            let thread = std::thread::Builder::new()
                .name(self.keeper_name.clone())
                .spawn(move || {
                    core.handover.keep(&*core, core.keeper_grace);
                    core.release_if_abandoned();
                })?;
            *lock(&self.keeper_thread) = Some(thread);
            io::Result::Ok(())
        });
    }

    /// Refuses new calls and ends the keeper; waits for nothing.
    pub(crate) fn close(&self) -> bool {
        self.handover.close(self)
    }

    /// Ends the calls in progress; waits for nothing.
    pub(crate) fn stop_calls(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        match &self.stopping {
            Stopping::Driver(waker) => {
                // pairs with the fence in `catch_driver_waker`: without a waker, the first call has
                // yet to look at the flag
                fence(Ordering::SeqCst);
                if let Some(waker) = waker.get() {
                    waker.wake_by_ref();
                }
            }
            Stopping::Each(notify) => notify.notify_waiters(),
        }
    }

    /// Takes the runtime out, to be shut down by the caller. When a call still uses it, that call
    /// is left to do so at its end.
    pub(crate) fn take_runtime(&self) -> Option<Runtime> {
        self.abandoned.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        match self.runtime.try_write() {
            Ok(mut slot) => slot.take(),
            Err(TryLockError::Poisoned(slot)) => slot.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Ends the runtime in place of a shutdown that could not wait for this call or the keeper.
    #[cold]
    fn release_if_abandoned(&self) {
        fence(Ordering::SeqCst);
        if self.abandoned.load(Ordering::SeqCst)
            && let Some(runtime) = self.take_runtime()
        {
            runtime.shutdown_background();
        }
    }

    /// Joins a keeper that has ended.
    pub(crate) fn join_keeper(&self) {
        let thread = lock(&self.keeper_thread).take();
        if let Some(thread) = thread {
            // tokio catches the panics of tasks; one of the keeper itself has been printed
            let _panic = thread.join();
        }
    }
}

impl Driver for Core {
    fn alive_tasks(&self) -> usize {
        self.metrics.num_alive_tasks()
    }

    fn drive(&self) {
        self.drive_inside(pin!(self.kick.notified()));
    }

    fn kick(&self) {
        self.kick.notify_one();
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let runtime = self
            .runtime
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(runtime) = runtime else { return };
        if self.is_forked() {
            // its event queue is still the parent's, its threads and their locks are not here
            std::mem::forget(runtime);
        } else {
            runtime.shutdown_background();
        }
    }
}

/// A call in progress, from its checks to its return or panic.
struct ActiveCall<'a>(&'a Arc<Core>);

impl<'a> ActiveCall<'a> {
    #[inline]
    fn begin(core: &'a Arc<Core>) -> Result<Self, BlockingError> {
        let admitted = core.handover.begin_call(&**core);
        let call = Self(core);
        if admitted {
            Ok(call)
        } else {
            Err(BlockingError::Closed)
        }
    }
}

impl Drop for ActiveCall<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.handover.end_call();
        self.0.look_after_tasks();
        if self.0.handover.is_closed() {
            self.0.release_if_abandoned();
        }
    }
}

/// The runtime's context, and a look at what was spawned in it.
pub(crate) struct Inside<'a> {
    guard: Option<EnterGuard<'a>>,
    core: &'a Arc<Core>,
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        drop(self.guard.take());
        self.core.look_after_tasks();
    }
}

/// Finds out through which waker a driver polls, before anybody drives: who comes meanwhile waits
/// in the cell, so this poll is a driver's. It is ready at once and runs no task.
#[cold]
fn catch_driver_waker(cell: &OnceLock<Waker>, runtime: &Runtime) {
    cell.get_or_init(|| runtime.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone()))));
    fence(Ordering::SeqCst);
}

/// Tells wakers apart without cloning them. The registration holds a clone, so that the address
/// stands for the same waker as long as it is compared.
fn waker_identity(cx: &Context<'_>) -> (*const (), *const RawWakerVTable) {
    let waker = cx.waker();
    (waker.data(), std::ptr::from_ref(waker.vtable()))
}

/// Has this call woken by the next `notify_waiters`.
fn register<'a>(
    slot: &mut Pin<&mut Option<Notified<'a>>>,
    notify: &'a Notify,
    cx: &mut Context<'_>,
) {
    if slot.is_none() {
        slot.set(Some(notify.notified()));
    }
    if let Some(notified) = slot.as_mut().as_pin_mut() {
        // ready means notified; the caller looks at the flag that was set before
        let _ready = notified.poll(cx);
    }
}

/// Polls the end of a call. The timer is made only now that the call has to wait, and is not held
/// back by a call that spends its budget in every poll.
fn poll_sleep(slot: &mut Pin<&mut Option<Sleep>>, end: Instant, cx: &mut Context<'_>) -> bool {
    if slot.is_none() {
        slot.set(Some(tokio::time::sleep_until(end)));
    }
    slot.as_mut().as_pin_mut().is_some_and(|sleep| {
        pin!(tokio::task::coop::unconstrained(sleep))
            .poll(cx)
            .is_ready()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
