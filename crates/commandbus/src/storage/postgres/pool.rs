//! A small pool. Connections are made when they are needed and closed when they stay idle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Config;

use crate::error::Result;
use crate::storage::postgres::conn::{Conn, pool_exhausted};

/// How a pool behaves.
#[derive(Clone, Debug)]
pub(crate) struct PoolConfig {
    /// Connections that are kept however long they are idle.
    pub(crate) min: usize,
    /// Connections at most.
    pub(crate) max: usize,
    /// How long to wait for one.
    pub(crate) timeout: Duration,
    /// How long one beyond `min` stays idle.
    pub(crate) idle: Duration,
    /// How long the database works on one statement.
    pub(crate) statement_timeout: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Pool {
    config: Config,
    limits: PoolConfig,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    conn: Conn,
    since: Instant,
}

/// A connection out of the pool. It goes back when it is dropped, unless something on it is unfinished.
#[derive(Debug)]
pub(super) struct Pooled {
    conn: Option<Conn>,
    idle: Arc<Mutex<Vec<Idle>>>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(config: Config, limits: PoolConfig) -> Self {
        let permits = Arc::new(Semaphore::new(limits.max));
        Self {
            config,
            limits,
            permits,
            idle: Arc::default(),
        }
    }

    pub(super) fn limits(&self) -> &PoolConfig {
        &self.limits
    }

    pub(super) async fn get(&self) -> Result<Pooled> {
        let permits = Arc::clone(&self.permits);
        let permit = match permits.try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let waiting = Arc::clone(&self.permits).acquire_owned();
                match tokio::time::timeout(self.limits.timeout, waiting).await {
                    Ok(Ok(permit)) => permit,
                    _ => return Err(pool_exhausted(self.limits.timeout)),
                }
            }
        };
        while let Some(mut idle) = self.take_idle() {
            if idle.is_open() {
                return Ok(self.pooled(idle, permit));
            }
        }
        let opening = Conn::open(&self.config);
        let conn = match tokio::time::timeout(self.limits.timeout, opening).await {
            Ok(conn) => conn?,
            Err(_) => {
                return Err(crate::error::Error::database(
                    "the database cannot be reached in time",
                )
                .timed_out(true)
                .retryable(true));
            }
        };
        Ok(self.pooled(conn, permit))
    }

    /// Takes the connection used last, and closes those that were idle for long.
    fn take_idle(&self) -> Option<Conn> {
        let mut idle = lock(&self.idle);
        let taken = idle.pop();
        let mut closed = Vec::new();
        while idle.len() > self.limits.min
            && idle
                .first()
                .is_some_and(|first| first.since.elapsed() > self.limits.idle)
        {
            closed.push(idle.remove(0));
        }
        drop(idle);
        drop(closed);
        taken.map(|idle| idle.conn)
    }

    fn pooled(&self, conn: Conn, permit: OwnedSemaphorePermit) -> Pooled {
        Pooled {
            conn: Some(conn),
            idle: Arc::clone(&self.idle),
            _permit: permit,
        }
    }

    /// The number of connections that exist now.
    pub(super) fn in_use(&self) -> usize {
        self.limits.max - self.permits.available_permits()
    }
}

impl std::ops::Deref for Pooled {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        #[expect(clippy::expect_used, reason = "it is taken in drop only")]
        self.conn.as_ref().expect("held until it is dropped")
    }
}

impl std::ops::DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Conn {
        #[expect(clippy::expect_used, reason = "it is taken in drop only")]
        self.conn.as_mut().expect("held until it is dropped")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else {
            return;
        };
        if conn.is_broken() {
            // What broke this one, such as a restart of the server, broke those that are idle too, and
            // the runtime may not have told yet.
            drop(std::mem::take(&mut *lock(&self.idle)));
        } else if conn.is_clean() {
            lock(&self.idle).push(Idle {
                conn,
                since: Instant::now(),
            });
        }
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
