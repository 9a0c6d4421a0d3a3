//! Who drives a caller-driven runtime: the calls, or the keeper between them.
//!
//! Nothing in here knows tokio. The rules, each of which the model test checks on this very code:
//!
//! * A call never waits for a keeper that does not know of it: the call counts itself and then
//!   looks whether the keeper drives; the keeper says that it drives and then looks at the count.
//! * A task that a call left behind is driven: the call leaves the task and then looks whether the
//!   keeper is wanted; the keeper takes the wish back and then looks for tasks.
//! * Closing ends the keeper: the flag is set under the lock the keeper sleeps with, and the same
//!   pair of looks as for calls covers a keeper that is about to drive.

use std::io;
use std::time::{Duration, Instant};

use super::sync::{
    AtomicBool, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, fence, lock, wait, wait_at_most,
};

/// What the hand-over needs of the runtime it hands over.
pub(crate) trait Driver {
    /// Counts the tasks that are spawned and not finished.
    fn alive_tasks(&self) -> usize;
    /// Drives the runtime until [`kick`](Self::kick) is called. A kick that comes first counts.
    fn drive(&self);
    /// Ends the current or the next [`drive`](Self::drive).
    fn kick(&self);
}

/// The state shared by the calls and the keeper of one runtime. What every call looks at comes
/// first and in one cache line: after a wait in the kernel much of the cache belongs to others.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Handover {
    /// Calls in progress in the low [`ACTIVE_BITS`] bits, calls ever begun above.
    calls: AtomicU64,
    closed: AtomicBool,
    /// The keeper drives or is about to.
    driving: AtomicBool,
    /// Somebody sleeps until no call is in progress.
    idle_wanted: AtomicBool,
    /// Tasks were left behind and the keeper is to look after them.
    wanted: AtomicBool,
    takeovers: AtomicU64,
    keeper: Mutex<Keeper>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeper {
    Absent,
    Running,
    Gone,
}

const ACTIVE_BITS: u32 = 20;
const ONE_CALL: u64 = (1 << ACTIVE_BITS) + 1;
const ACTIVE: u64 = (1 << ACTIVE_BITS) - 1;

/// How often the keeper lets calls that follow each other closely keep it from driving. Such calls
/// normally drive the tasks themselves; those that find their answer in memory do not.
const PATIENCE: u32 = 16;

impl Handover {
    pub(crate) fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            driving: AtomicBool::new(false),
            idle_wanted: AtomicBool::new(false),
            takeovers: AtomicU64::new(0),
            keeper: Mutex::new(Keeper::Absent),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Counts the calls in progress.
    pub(crate) fn active(&self) -> u64 {
        self.calls.load(Ordering::SeqCst) & ACTIVE
    }

    /// Counts the calls ever begun.
    pub(crate) fn begun(&self) -> u64 {
        self.calls.load(Ordering::SeqCst) >> ACTIVE_BITS
    }

    /// Counts how often the keeper took the driver's seat.
    pub(crate) fn takeovers(&self) -> u64 {
        self.takeovers.load(Ordering::Relaxed)
    }

    /// Marks a call as begun, and gets the keeper out of the driver's seat. `false` means that the
    /// hand-over is closed: the call has to end without driving, because [`drain`](Self::drain)
    /// may not have seen it.
    #[inline]
    #[must_use]
    pub(crate) fn begin_call(&self, driver: &impl Driver) -> bool {
        self.calls.fetch_add(ONE_CALL, Ordering::SeqCst);
        if self.driving.load(Ordering::SeqCst) {
            driver.kick();
        }
        !self.closed.load(Ordering::SeqCst)
    }

    /// Marks a call as ended.
    #[inline]
    pub(crate) fn end_call(&self) {
        let before = self.calls.fetch_sub(1, Ordering::SeqCst);
        if before & ACTIVE == 1 && self.idle_wanted.load(Ordering::SeqCst) {
            self.announce_idle();
        }
    }

    /// Tells whether tasks are alive that nobody has asked the keeper to look after. To be asked
    /// after each call, and after anything else that may have spawned.
    #[inline]
    pub(crate) fn is_keeper_missing(&self, driver: &impl Driver) -> bool {
        if driver.alive_tasks() == 0 {
            return false;
        }
        // pairs with the fence in `settle`: either we see the wish gone or the keeper our tasks
        fence(Ordering::SeqCst);
        !self.wanted.load(Ordering::SeqCst)
    }

    /// Asks the keeper to look after the tasks, starting it with `start` when there is none yet.
    /// When that fails the wish is forgotten, and the next call tries again.
    #[cold]
    pub(crate) fn want_keeper(&self, start: impl FnOnce() -> io::Result<()>) {
        let mut keeper = lock(&self.keeper);
        if self.is_closed() || self.wanted.load(Ordering::SeqCst) {
            return;
        }
        if *keeper == Keeper::Absent {
            if start().is_err() {
                return;
            }
            *keeper = Keeper::Running;
        }
        self.wanted.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// The keeper's life: sleeps while it is not wanted, drives while there are tasks and no
    /// calls, returns once the hand-over is closed.
    pub(crate) fn keep(&self, driver: &impl Driver, grace: Duration) {
        let _leaving = Leaving(self);
        while self.settle(driver, grace) {
            self.driving.store(true, Ordering::SeqCst);
            if self.active() == 0 && !self.closed.load(Ordering::SeqCst) {
                self.takeovers.fetch_add(1, Ordering::Relaxed);
                driver.drive();
            }
            self.driving.store(false, Ordering::SeqCst);
        }
    }

    /// Waits until the keeper has something to do; `false` means that it is to end.
    fn settle(&self, driver: &impl Driver, grace: Duration) -> bool {
        let mut keeper = lock(&self.keeper);
        loop {
            if self.is_closed() {
                return false;
            }
            if !self.wanted.load(Ordering::SeqCst) {
                keeper = wait(&self.changed, keeper);
                continue;
            }
            keeper = self.wait_for_quiet(keeper, grace);
            if self.is_closed() {
                return false;
            }
            self.wanted.store(false, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if driver.alive_tasks() != 0 {
                self.wanted.store(true, Ordering::SeqCst);
                return true;
            }
        }
    }

    /// Waits until no call has been in progress for `grace`, without running the processor during
    /// a long call, and without waiting for ever on calls that follow each other.
    fn wait_for_quiet<'a>(
        &'a self,
        mut keeper: MutexGuard<'a, Keeper>,
        grace: Duration,
    ) -> MutexGuard<'a, Keeper> {
        for _ in 0..PATIENCE {
            let before = self.begun();
            keeper = wait_at_most(&self.changed, &self.keeper, keeper, grace);
            if self.is_closed() {
                break;
            }
            if self.active() != 0 {
                keeper = self.wait_for_idle(keeper, None).0;
            } else if self.begun() == before {
                break;
            }
            if self.is_closed() {
                break;
            }
        }
        keeper
    }

    /// Waits until no call is in progress and tells whether it saw that; gives up at the deadline,
    /// and without one when the hand-over is closed.
    fn wait_for_idle<'a>(
        &'a self,
        mut keeper: MutexGuard<'a, Keeper>,
        deadline: Option<Instant>,
    ) -> (MutexGuard<'a, Keeper>, bool) {
        loop {
            self.idle_wanted.store(true, Ordering::SeqCst);
            if self.active() == 0 {
                // the flag may be somebody else's too, who then has to look again
                self.idle_wanted.store(false, Ordering::SeqCst);
                self.changed.notify_all();
                return (keeper, true);
            }
            match deadline {
                None if self.is_closed() => return (keeper, false),
                None => keeper = wait(&self.changed, keeper),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return (keeper, false);
                    }
                    keeper = wait_at_most(&self.changed, &self.keeper, keeper, left);
                }
            }
        }
    }

    #[cold]
    fn announce_idle(&self) {
        let _keeper = lock(&self.keeper);
        self.idle_wanted.store(false, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Refuses what comes and ends the keeper. Tells whether this call was the first.
    pub(crate) fn close(&self, driver: &impl Driver) -> bool {
        let first = {
            // under the lock: a keeper between its look at the flag and its sleep would miss it
            let _keeper = lock(&self.keeper);
            let first = !self.closed.swap(true, Ordering::SeqCst);
            self.changed.notify_all();
            first
        };
        if self.driving.load(Ordering::SeqCst) {
            driver.kick();
        }
        first
    }

    /// Waits until no call is in progress, at most until `deadline`; tells whether none is. After
    /// [`close`](Self::close) that stays so: calls that begin later are told to end.
    pub(crate) fn drain(&self, deadline: Instant) -> bool {
        self.wait_for_idle(lock(&self.keeper), Some(deadline)).1
    }

    /// Waits until there is no keeper, at most until `deadline`; tells whether there is none.
    pub(crate) fn outlive_keeper(&self, deadline: Instant) -> bool {
        let mut keeper = lock(&self.keeper);
        while *keeper == Keeper::Running {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            keeper = wait_at_most(&self.changed, &self.keeper, keeper, left);
        }
        true
    }
}

/// Notes that the keeper has gone, however it went.
struct Leaving<'a>(&'a Handover);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let mut keeper = lock(&self.0.keeper);
        *keeper = Keeper::Gone;
        self.0.changed.notify_all();
    }
}
