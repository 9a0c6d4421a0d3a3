use std::sync::{Arc, Weak};

use tokio::runtime;
use tokio::time::Instant;

use super::Pool;

/// The task that closes expired connections of a pool which nobody uses any more, one for each runtime that turns
/// by itself. On a runtime that blocking callers drive there is none: it would stand still between their calls, and
/// a thread would have to be kept for it. There expired connections go when the pool is used.
pub(super) struct Reaper {
    pool: Weak<Pool>,
    runtime: runtime::Id,
}

impl Reaper {
    /// Starts one on this runtime; the pool has noted that.
    pub(super) fn start(pool: &Arc<Pool>, runtime: runtime::Id) {
        let mut reaper = Self {
            pool: Arc::downgrade(pool),
            runtime,
        };
        // Elsewhere, or without a runtime, the note is taken back by the destructor.
        if let Ok(handle) = runtime::Handle::try_current()
            && handle.id() == runtime
        {
            handle.spawn(async move {
                while let Some(next) = reaper.reap() {
                    tokio::time::sleep_until(next).await;
                }
            });
        }
    }

    /// Closes what is expired. Returns when the next connection of this runtime will be, or nothing when none is idle.
    fn reap(&mut self) -> Option<Instant> {
        let pool = self.pool.upgrade()?;
        let mut closed = Vec::new();
        let mut state = pool.lock();
        state.sweep(Instant::now(), &mut closed);
        let idle = state.origins.iter().flat_map(|origin| &origin.idle);
        let own = idle.filter(|conn| conn.runtime == self.runtime);
        let next = own.filter_map(|conn| conn.expires).min();
        if next.is_none() {
            // Under the lock: whoever stores the next connection starts the next reaper.
            state.reaping.retain(|runtime| *runtime != self.runtime);
            self.pool = Weak::new();
        }
        next
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            let mut state = pool.lock();
            state.reaping.retain(|runtime| *runtime != self.runtime);
        }
    }
}
