use std::sync::{Arc, Weak};

use tokio::runtime;
use tokio::time::Instant;

use super::Pool;

/// The task that closes expired connections of a pool which nobody uses any more. It runs only where a
/// multi-thread runtime turns by itself; everywhere else expired connections go when the pool is used.
pub(super) struct Reaper(Weak<Pool>);

impl Reaper {
    pub(super) fn start(pool: &Arc<Pool>) {
        let mut reaper = Self(Arc::downgrade(pool));
        // Without a runtime the flag is taken back by the destructor.
        if let Ok(handle) = runtime::Handle::try_current() {
            handle.spawn(async move {
                while let Some(next) = reaper.reap() {
                    tokio::time::sleep_until(next).await;
                }
            });
        }
    }

    /// Closes what is expired. Returns when the next connection will be, or nothing when none is idle.
    fn reap(&mut self) -> Option<Instant> {
        let pool = self.0.upgrade()?;
        let mut closed = Vec::new();
        let mut state = pool.lock();
        state.sweep(Instant::now(), &mut closed);
        let idle = state.origins.iter().flat_map(|origin| &origin.idle);
        let next = idle.filter_map(|conn| conn.expires).min();
        if next.is_none() {
            // Under the lock: whoever stores the next connection starts the next reaper.
            state.reaping = false;
            self.0 = Weak::new();
        }
        next
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.lock().reaping = false;
        }
    }
}
