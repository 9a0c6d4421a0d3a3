//! The runtime that all clients of a process share.

use std::sync::OnceLock;

use crate::error::{AlreadySet, BlockingError};
use crate::process;
use crate::runtime::BlockingRuntime;

/// One slot for each generation of forked processes. A child never looks into the slot of its
/// parent, so it cannot meet a lock that a thread of the parent held at the fork.
struct Slot {
    runtime: OnceLock<BlockingRuntime>,
    next: OnceLock<Box<Self>>,
}

static FIRST: Slot = Slot {
    runtime: OnceLock::new(),
    next: OnceLock::new(),
};

fn slot() -> &'static OnceLock<BlockingRuntime> {
    let mut slot = &FIRST;
    for _ in 0..process::generation() {
        slot = slot.next.get_or_init(|| {
            Box::new(Slot {
                runtime: OnceLock::new(),
                next: OnceLock::new(),
            })
        });
    }
    &slot.runtime
}

pub(crate) fn get() -> Result<BlockingRuntime, BlockingError> {
    process::watch_forks();
    let slot = slot();
    if let Some(runtime) = slot.get() {
        return Ok(runtime.clone());
    }
    let built = BlockingRuntime::builder().build()?;
    Ok(slot.get_or_init(|| built).clone())
}

pub(crate) fn set(runtime: BlockingRuntime) -> Result<(), AlreadySet> {
    process::watch_forks();
    slot().set(runtime).map_err(|_| AlreadySet)
}
