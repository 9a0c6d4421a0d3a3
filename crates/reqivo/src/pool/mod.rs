//! The connection pool.
//!
//! A slot is the right to have one connection open to an origin. [`Lease`] owns a slot, with or without its
//! connection, and gives it back exactly once: its destructor is the only place that does. Whoever waits gets
//! a lease handed over, in the order of arrival; nobody who comes later can overtake.

#![expect(
    clippy::vec_box,
    reason = "connections move between leases and the pool as pointers"
)]

mod config;
mod key;
mod lease;
mod reaper;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub use self::config::{PoolConfig, PoolStats};
use self::key::Key;
pub(crate) use self::lease::Lease;
use self::reaper::Reaper;
use self::state::{State, Waiter};
use crate::error::{Error, Phase, TimeLimit};
use crate::net::clock::{Clock, until};
use crate::net::conn::Conn;
use crate::net::route::Route;

#[derive(Debug)]
pub(crate) struct Pool {
    config: PoolConfig,
    state: Mutex<State>,
}

/// Takes a waiter out of its queue when the wait ends, also when it is abandoned.
struct Queued {
    pool: Arc<Pool>,
    origin: usize,
    ticket: u64,
}

enum Acquired {
    Lease(Lease),
    Wait(oneshot::Receiver<Lease>, Queued),
}

impl Pool {
    pub(crate) fn new(config: PoolConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            state: Mutex::default(),
        })
    }

    /// Gets a slot, with an idle connection if there is one, else waits for its turn.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        route: &Route<'_>,
        runtime: runtime::Id,
        clock: &Clock,
        now: Instant,
    ) -> Result<Lease, Error> {
        match self.try_acquire(route, runtime, now) {
            Acquired::Lease(lease) => Ok(lease),
            // Boxed: it is rare, and would make every request's future larger.
            Acquired::Wait(turn, queued) => Box::pin(wait(turn, queued, clock)).await,
        }
    }

    fn try_acquire(
        self: &Arc<Self>,
        route: &Route<'_>,
        runtime: runtime::Id,
        now: Instant,
    ) -> Acquired {
        // Sockets are closed after the lock is released: locals drop in reverse order.
        let mut closed = Vec::new();
        let mut state = self.lock();
        state.sweep_if_due(now, self.config.idle_time, &mut closed);
        let at = state.place(route);
        if let Some(conn) = state.pop_idle(at, runtime, now, &mut closed) {
            state.stats.reused += 1;
            return Acquired::Lease(self.lease(at, Some(conn)));
        }
        if state.make_room(at, &self.config, &mut closed) {
            state.origins[at].open += 1;
            state.open += 1;
            return Acquired::Lease(self.lease(at, None));
        }
        let (hand_over, turn) = oneshot::channel();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting += 1;
        state.origins[at].waiting.push_back(Waiter {
            ticket,
            runtime,
            hand_over,
        });
        Acquired::Wait(
            turn,
            Queued {
                pool: Arc::clone(self),
                origin: at,
                ticket,
            },
        )
    }

    /// Closes idle connections that are past their time, of all origins. Returns how many.
    pub(crate) fn close_expired(&self, now: Instant) -> usize {
        let mut closed = Vec::new();
        let mut state = self.lock();
        state.sweep(now, &mut closed);
        drop(state);
        closed.len()
    }

    /// Closes all idle connections. Returns how many.
    pub(crate) fn close_idle(&self) -> usize {
        let mut closed = Vec::new();
        let mut state = self.lock();
        for at in 0..state.origins.len() {
            let idle = std::mem::take(&mut state.origins[at].idle);
            state.stats.closed_surplus += idle.len() as u64;
            state.forget_idle(at, idle.len());
            closed.extend(idle);
        }
        drop(state);
        closed.len()
    }

    /// Closes the idle connections to one origin, by whatever way. Returns how many.
    pub(crate) fn close_origin(&self, https: bool, host: &str, port: u16) -> usize {
        let mut closed = Vec::new();
        let mut state = self.lock();
        for at in 0..state.origins.len() {
            let leads_there = |key: &Key| key.leads_to(https, host, port);
            if state.origins[at].key.as_ref().is_some_and(leads_there) {
                let idle = std::mem::take(&mut state.origins[at].idle);
                state.stats.closed_surplus += idle.len() as u64;
                state.forget_idle(at, idle.len());
                closed.extend(idle);
            }
        }
        drop(state);
        closed.len()
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let state = self.lock();
        PoolStats {
            open: state.open,
            idle: state.idle,
            in_use: state.open - state.idle,
            waiting: state.waiting,
            ..state.stats
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned one is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(self: &Arc<Self>, origin: usize, conn: Option<Box<Conn>>) -> Lease {
        let at_rest = conn.is_some();
        Lease {
            pool: Arc::clone(self),
            origin,
            conn,
            at_rest,
            armed: true,
            home: None,
        }
    }

    /// Takes a slot back: hands it to whoever waits longest and may have it; else keeps its connection idle,
    /// or frees it.
    fn take_back(self: &Arc<Self>, mut origin: usize, mut conn: Option<Box<Conn>>) {
        loop {
            let mut closed = Vec::new();
            let mut state = self.lock();
            if let Some(conn) = &mut conn {
                state.count(conn);
            }
            let Some((to, waiter)) = state.next_waiter(origin, &self.config) else {
                let mut start_reaping = None;
                match conn {
                    Some(conn) => {
                        if conn.runtime_turns && !state.reaping.contains(&conn.runtime) {
                            state.reaping.push(conn.runtime);
                            start_reaping = Some(conn.runtime);
                        }
                        state.store(origin, conn, &self.config, &mut closed);
                    }
                    None => {
                        state.open -= 1;
                        state.origins[origin].open -= 1;
                        state.forget_if_unused(origin);
                    }
                }
                drop(state);
                if let Some(runtime) = start_reaping {
                    Reaper::start(self, runtime);
                }
                return;
            };
            // For another origin or runtime only the slot is of use.
            if to != origin
                || conn
                    .as_ref()
                    .is_some_and(|conn| conn.runtime != waiter.runtime)
            {
                state.stats.closed_surplus += u64::from(conn.is_some());
                closed.extend(conn.take());
            }
            if to != origin {
                state.origins[origin].open -= 1;
                state.origins[to].open += 1;
                state.forget_if_unused(origin);
                origin = to;
            }
            state.stats.reused += u64::from(conn.is_some());
            drop(state);
            drop(closed);
            // Outside the lock, because it wakes a task.
            match waiter.hand_over.send(self.lease(origin, conn.take())) {
                Ok(()) => return,
                Err(mut lease) => {
                    // Given up meanwhile: the next in line.
                    conn = lease.conn.take();
                    lease.armed = false;
                }
            }
        }
    }
}

async fn wait(
    turn: oneshot::Receiver<Lease>,
    queued: Queued,
    clock: &Clock,
) -> Result<Lease, Error> {
    let expiry = clock.phase(TimeLimit::Pool);
    let lease = until(expiry, Phase::Pool, turn).await;
    drop(queued);
    // The sender lives in the pool, which `queued` kept alive.
    lease?.map_err(|_| Error::builder("the session is closed"))
}

impl Drop for Queued {
    fn drop(&mut self) {
        // Never dropped under the lock.
        let abandoned;
        let mut state = self.pool.lock();
        let queue = &mut state.origins[self.origin].waiting;
        let Ok(at) = queue.binary_search_by_key(&self.ticket, |waiter| waiter.ticket) else {
            return;
        };
        abandoned = queue.remove(at);
        state.waiting -= 1;
        state.forget_if_unused(self.origin);
        drop(state);
        drop(abandoned);
    }
}
