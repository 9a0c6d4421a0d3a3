//! A point where server and test meet.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::watchdog::PATIENCE;

/// A gate that a server thread waits at until the test opens it.
///
/// Clones are the same gate. The test can wait until somebody has arrived, which replaces the sleep that would otherwise be needed to be "sure" that the server is
/// at a certain point.
///
/// A server that is dropped lets its threads out of every gate; a thread that waits longer than [`PATIENCE`] fails the test.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    permits: usize,
    arrived: usize,
}

impl Gate {
    /// Returns a closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate for good.
    pub fn open(&self) {
        self.lock().open = true;
        self.inner.changed.notify_all();
    }

    /// Lets one thread pass: the one that waits, or the next that comes.
    pub fn pass_one(&self) {
        self.lock().permits += 1;
        self.inner.changed.notify_all();
    }

    /// Returns how many threads have come to the gate so far, whether or not they passed.
    pub fn arrived(&self) -> usize {
        self.lock().arrived
    }

    /// Waits until `count` threads in all have come to the gate.
    ///
    /// # Panics
    ///
    /// When they have not come within [`PATIENCE`].
    pub fn wait_for_arrival(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while state.arrived < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "only {} of {count} came to the gate",
                state.arrived
            );
            state = self
                .inner
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits at the gate until it opens.
    ///
    /// # Panics
    ///
    /// When it has not opened within [`PATIENCE`].
    pub fn wait(&self) {
        self.wait_unless(|| false);
    }

    /// Waits until the gate opens (true) or `stopped` holds (false); whoever makes `stopped` true calls [`Gate::nudge`] afterwards.
    pub(crate) fn wait_unless(&self, stopped: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        state.arrived += 1;
        self.inner.changed.notify_all();
        loop {
            if state.open {
                return true;
            }
            if state.permits > 0 {
                state.permits -= 1;
                return true;
            }
            if stopped() {
                return false;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "nobody opened the gate within {PATIENCE:?}"
            );
            state = self
                .inner
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    pub(crate) fn nudge(&self) {
        // Taking the lock orders this after any check of `stopped` that came out false.
        drop(self.lock());
        self.inner.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
