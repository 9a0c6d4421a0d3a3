use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::runtime;
use tokio::time::Instant;

use super::Pool;
use crate::connection::Slot;
use crate::net::conn::Conn;

/// The right to one connection, with the connection once there is one.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(super) pool: Arc<Pool>,
    pub(super) origin: usize,
    pub(super) conn: Option<Box<Conn>>,
    /// Whether the connection is between exchanges and may be given to somebody else.
    pub(super) at_rest: bool,
    pub(super) armed: bool,
    /// Who gets it back instead of the pool.
    pub(super) home: Option<Arc<Slot>>,
}

impl Lease {
    /// A connection that belongs to no pool: nobody else ever gets it.
    pub(crate) fn detached(conn: Conn) -> Self {
        Self {
            pool: Pool::new(super::PoolConfig::default()),
            origin: 0,
            conn: Some(Box::new(conn)),
            at_rest: false,
            armed: false,
            home: None,
        }
    }

    /// The connection, if there is one already.
    pub(crate) fn conn(&mut self) -> Option<&mut Box<Conn>> {
        self.conn.as_mut()
    }

    /// Looks for an idle connection that can carry a request, and closes those that cannot.
    pub(crate) fn find_usable(&mut self, runtime: runtime::Id, now: Instant) -> bool {
        while let Some(conn) = self.conn() {
            if conn.is_usable(&mut Context::from_waker(Waker::noop())) {
                return true;
            }
            self.replace_dead(runtime, now);
        }
        false
    }

    /// Makes it go back to a connection in the hands of the user.
    pub(crate) fn come_home_to(&mut self, home: Arc<Slot>) {
        self.home = Some(home);
    }

    /// Whether it goes back to a connection in the hands of the user.
    pub(crate) fn is_lent(&self) -> bool {
        self.home.is_some()
    }

    /// Whether the connection is between exchanges.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.at_rest && self.conn.is_some()
    }

    /// Puts a fresh connection on the slot.
    pub(crate) fn put(&mut self, conn: Conn) -> &mut Conn {
        self.pool.lock().stats.created += 1;
        self.conn.insert(Box::new(conn))
    }

    /// An exchange begins: whoever drops the lease from now on closes the connection.
    pub(crate) fn begin(&mut self) {
        self.at_rest = false;
    }

    /// The exchange ended. The connection goes back to the pool when it is of further use.
    pub(crate) fn end(mut self, reusable: bool, now: Instant) {
        if let Some(conn) = &mut self.conn
            && reusable
        {
            let config = &self.pool.config;
            let mut idle_time = config.idle_time;
            if let Some(announced) = conn.keep_alive {
                idle_time = idle_time.min(announced);
            }
            let idle_end = now.checked_add(idle_time);
            let age_end = config.max_age.and_then(|age| conn.created.checked_add(age));
            conn.expires = match (idle_end, age_end) {
                (Some(idle), Some(age)) => Some(idle.min(age)),
                (idle, age) => idle.or(age),
            };
            conn.settle();
            self.at_rest = !conn.is_expired(now);
        }
    }

    /// The idle connection turned out to be dead: closes it and takes another idle one, if there is.
    pub(crate) fn replace_dead(&mut self, runtime: runtime::Id, now: Instant) {
        // After the lock.
        let mut closed = Vec::new();
        closed.extend(self.conn.take());
        self.at_rest = false;
        let mut state = self.pool.lock();
        state.stats.closed_dead += 1;
        state.stats.reused -= 1;
        if let Some(conn) = state.pop_idle(self.origin, runtime, now, &mut closed) {
            // It brought a slot of its own.
            state.open -= 1;
            state.origins[self.origin].open -= 1;
            state.stats.reused += 1;
            self.conn = Some(conn);
            self.at_rest = true;
        }
        drop(state);
    }

    /// The connection failed: closes it and keeps the slot for a fresh one.
    pub(crate) fn close_failed(&mut self) {
        if let Some(mut conn) = self.conn.take() {
            let mut state = self.pool.lock();
            state.count(&mut conn);
            state.stats.closed_dead += 1;
            drop(state);
            drop(conn);
        }
        self.at_rest = false;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            let conn = self.conn.take();
            home.come_home(Self {
                pool: Arc::clone(&self.pool),
                origin: self.origin,
                at_rest: self.at_rest && conn.is_some(),
                conn,
                armed: std::mem::take(&mut self.armed),
                home: None,
            });
            return;
        }
        if !self.armed {
            return;
        }
        let mut conn = self.conn.take();
        if !self.at_rest
            && let Some(mut conn) = conn.take()
        {
            let mut state = self.pool.lock();
            state.count(&mut conn);
            state.stats.closed_after_use += 1;
            drop(state);
            drop(conn);
        }
        self.pool.take_back(self.origin, conn);
    }
}
