//! Where a blocking call is made from, and whether it may block there.

use std::cell::Cell;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::task::coop;

use crate::error::{BlockingError, Flavor};

thread_local! {
    /// The caller-driven runtime that this thread drives, 0 for none. Ids are never reused.
    static DRIVEN: Cell<u64> = const { Cell::new(0) };
}

/// A place where blocking is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// No runtime minds.
    Free,
    /// The runtime here is a multi-thread one and wants to be told of the blocking.
    Worker,
}

/// Says that this thread drives the runtime `id`, until the guard is dropped.
pub(crate) fn mark(id: u64) -> Mark {
    Mark {
        before: DRIVEN.replace(id),
    }
}

#[derive(Debug)]
pub(crate) struct Mark {
    before: u64,
}

impl Drop for Mark {
    fn drop(&mut self) {
        DRIVEN.set(self.before);
    }
}

/// Tells whether this thread drives the runtime `id` at this moment.
#[inline]
pub(crate) fn drives(id: u64) -> bool {
    DRIVEN.get() == id
}

/// Tells whether this thread drives, at this moment, a runtime that stands still between the calls of
/// blocking callers.
///
/// A library can tell by it whether a task for later, such as one that closes what is idle, would be
/// run in time. On such a runtime it costs a thread that is kept for it, so what can be done at the next
/// call is better done there.
///
/// ```
/// use bifrons::{BlockingRuntime, is_driven_by_caller};
///
/// assert!(!is_driven_by_caller());
/// let inside = BlockingRuntime::shared()?.block_on(async { is_driven_by_caller() })?;
/// assert!(inside);
/// # Ok::<(), bifrons::BlockingError>(())
/// ```
#[must_use]
pub fn is_driven_by_caller() -> bool {
    !drives(0)
}

/// Finds out whether this thread may block.
#[inline]
pub(crate) fn place(own: Id) -> Result<Place, BlockingError> {
    match Handle::try_current() {
        Ok(handle) => place_inside(&handle, own),
        Err(error) if error.is_thread_local_destroyed() => Err(thread_ends()),
        Err(_) => Ok(Place::Free),
    }
}

#[inline(never)]
fn place_inside(handle: &Handle, own: Id) -> Result<Place, BlockingError> {
    let flavor = handle.runtime_flavor();
    if is_polled_by_tokio() {
        return Err(if handle.id() == own {
            BlockingError::Reentrant
        } else {
            BlockingError::InAsyncContext {
                flavor: flavor.into(),
            }
        });
    }
    Ok(match flavor {
        RuntimeFlavor::MultiThread => Place::Worker,
        _ => Place::Free,
    })
}

#[cold]
fn thread_ends() -> BlockingError {
    BlockingError::Runtime(std::io::Error::other(
        "the thread is ending and its thread-local storage is gone",
    ))
}

/// Tells whether tokio is polling a future on this thread at this moment.
///
/// An entered runtime alone does not show it: there is one in `spawn_blocking`, under an `enter()`
/// guard and inside `block_in_place`, where blocking is right. But tokio gives each poll a budget
/// of 128 operations, and has none outside. So spend up to that many and see whether they run out.
/// The first guard, dropped unspent, puts the budget back to what it was before all of them.
fn is_polled_by_tokio() -> bool {
    const BUDGET: u32 = 128;
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(first) = coop::poll_proceed(&mut context) else {
        return true;
    };
    for _ in 0..BUDGET {
        let Poll::Ready(guard) = coop::poll_proceed(&mut context) else {
            return true;
        };
        // keeps this guard from restoring anything; `first` restores it all
        guard.made_progress();
    }
    drop(first);
    false
}

/// Tells whether a runtime can be entered here. It cannot in a destructor of thread-local storage
/// that runs after tokio's own.
pub(crate) fn can_enter() -> bool {
    !matches!(Handle::try_current(), Err(error) if error.is_thread_local_destroyed())
}

impl From<RuntimeFlavor> for Flavor {
    fn from(flavor: RuntimeFlavor) -> Self {
        match flavor {
            RuntimeFlavor::CurrentThread => Self::CurrentThread,
            RuntimeFlavor::MultiThread => Self::MultiThread,
            _ => Self::Other,
        }
    }
}
