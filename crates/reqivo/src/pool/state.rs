use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::config::{PoolConfig, PoolStats};
use super::key::{AsKey, Key};
use super::lease::Lease;
use crate::net::conn::Conn;
use crate::net::route::Route;

/// What the lock of a pool guards.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) index: HashMap<Key, usize>,
    /// Which place was asked for last: most often it is the next one too.
    pub(super) last: usize,
    pub(super) origins: Vec<Origin>,
    /// Places in `origins` that are free.
    pub(super) free: Vec<usize>,
    pub(super) open: usize,
    pub(super) idle: usize,
    pub(super) waiting: usize,
    pub(super) next_ticket: u64,
    pub(super) next_sweep: Option<Instant>,
    /// The runtimes on which a task closes what expires.
    pub(super) reaping: Vec<runtime::Id>,
    pub(super) stats: PoolStats,
}

/// One origin. Its place in `State::origins` is its own while it has slots or waiters.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) key: Option<Key>,
    /// Slots taken: by idle connections and by leases.
    pub(super) open: usize,
    /// Oldest first.
    pub(super) idle: Vec<Box<Conn>>,
    pub(super) waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ticket: u64,
    pub(super) runtime: runtime::Id,
    pub(super) hand_over: oneshot::Sender<Lease>,
}

impl State {
    /// The place of an origin, new or known.
    pub(super) fn place(&mut self, route: &Route<'_>) -> usize {
        let last = self.origins.get(self.last).and_then(|it| it.key.as_ref());
        if last.is_some_and(|key| key.as_key() == *route) {
            return self.last;
        }
        self.last = self.find_place(route);
        self.last
    }

    fn find_place(&mut self, route: &Route<'_>) -> usize {
        if let Some(at) = self.index.get(route as &dyn AsKey) {
            return *at;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.origins.push(Origin::default());
            self.origins.len() - 1
        });
        let key = Key::of(route);
        self.origins[at].key = Some(key.clone());
        self.index.insert(key, at);
        at
    }

    /// The newest idle connection of this runtime; closes what is past its time on the way.
    pub(super) fn pop_idle(
        &mut self,
        at: usize,
        runtime: runtime::Id,
        now: Instant,
        closed: &mut Vec<Box<Conn>>,
    ) -> Option<Box<Conn>> {
        self.close_expired_of(at, now, closed);
        let idle = &mut self.origins[at].idle;
        let newest = idle.iter().rposition(|conn| conn.runtime == runtime)?;
        self.idle -= 1;
        Some(idle.remove(newest))
    }

    fn close_expired_of(&mut self, at: usize, now: Instant, closed: &mut Vec<Box<Conn>>) {
        let idle = &mut self.origins[at].idle;
        if !idle.iter().any(|conn| conn.is_expired(now)) {
            return;
        }
        let before = closed.len();
        closed.extend(idle.extract_if(.., |conn| conn.is_expired(now)));
        let count = closed.len() - before;
        self.stats.closed_expired += count as u64;
        self.idle -= count;
        self.open -= count;
        self.origins[at].open -= count;
    }

    /// Looks at all origins now and then, so that those that are not used again do not keep sockets.
    pub(super) fn sweep_if_due(
        &mut self,
        now: Instant,
        idle_time: Duration,
        closed: &mut Vec<Box<Conn>>,
    ) {
        match self.next_sweep {
            Some(due) if now < due => return,
            Some(_) => self.sweep(now, closed),
            None => {}
        }
        let pause = (idle_time / 4).max(MIN_SWEEP);
        self.next_sweep = Some(now.checked_add(pause).unwrap_or(now));
    }

    pub(super) fn sweep(&mut self, now: Instant, closed: &mut Vec<Box<Conn>>) {
        for at in 0..self.origins.len() {
            if !self.origins[at].idle.is_empty() {
                self.close_expired_of(at, now, closed);
                self.forget_if_unused(at);
            }
        }
    }

    /// Whether another connection to this origin may be opened; closes idle ones that are in the way.
    pub(super) fn make_room(
        &mut self,
        at: usize,
        config: &PoolConfig,
        closed: &mut Vec<Box<Conn>>,
    ) -> bool {
        if self.origins[at].open >= config.per_origin && !self.close_oldest_of(at, closed) {
            return false;
        }
        match config.total {
            Some(total) if self.open >= total => self.close_oldest(Some(at), closed),
            _ => true,
        }
    }

    /// Closes the oldest idle connection of an origin.
    fn close_oldest_of(&mut self, at: usize, closed: &mut Vec<Box<Conn>>) -> bool {
        if self.origins[at].idle.is_empty() {
            return false;
        }
        closed.push(self.origins[at].idle.remove(0));
        self.stats.closed_surplus += 1;
        self.idle -= 1;
        self.open -= 1;
        self.origins[at].open -= 1;
        true
    }

    /// Closes the idle connection that will expire first; the place of `keep` stays even if it has no more slots.
    fn close_oldest(&mut self, keep: Option<usize>, closed: &mut Vec<Box<Conn>>) -> bool {
        let oldest = (0..self.origins.len())
            .filter_map(|at| Some((self.origins[at].idle.first()?.expires, at)))
            .min();
        let Some((_, at)) = oldest else { return false };
        let done = self.close_oldest_of(at, closed);
        if keep != Some(at) {
            self.forget_if_unused(at);
        }
        done
    }

    /// Counts what went over a connection.
    pub(super) fn count(&mut self, conn: &mut Conn) {
        let traffic = std::mem::take(&mut conn.traffic);
        self.stats.bytes_sent += traffic.sent;
        self.stats.bytes_received += traffic.received;
    }

    /// Keeps a connection that came back.
    pub(super) fn store(
        &mut self,
        at: usize,
        conn: Box<Conn>,
        config: &PoolConfig,
        closed: &mut Vec<Box<Conn>>,
    ) {
        self.idle += 1;
        self.origins[at].idle.push(conn);
        if config
            .idle_per_origin
            .is_some_and(|limit| self.origins[at].idle.len() > limit)
        {
            self.close_oldest_of(at, closed);
        }
        if config.idle_total.is_some_and(|limit| self.idle > limit) {
            self.close_oldest(None, closed);
        }
        self.forget_if_unused(at);
    }

    /// Who gets the slot of this origin that became free.
    pub(super) fn next_waiter(
        &mut self,
        origin: usize,
        config: &PoolConfig,
    ) -> Option<(usize, Waiter)> {
        if self.waiting == 0 {
            return None;
        }
        let at = match config.total {
            None => origin,
            // Those of other origins wait for the total.
            Some(_) => {
                let may = |at: &usize| *at == origin || self.origins[*at].open < config.per_origin;
                let first = |at: usize| Some((self.origins[at].waiting.front()?.ticket, at));
                (0..self.origins.len())
                    .filter(may)
                    .filter_map(first)
                    .min()?
                    .1
            }
        };
        let waiter = self.origins[at].waiting.pop_front()?;
        self.waiting -= 1;
        Some((at, waiter))
    }

    /// Accounts for idle connections that were taken out to be closed.
    pub(super) fn forget_idle(&mut self, at: usize, count: usize) {
        self.idle -= count;
        self.open -= count;
        self.origins[at].open -= count;
        self.forget_if_unused(at);
    }

    pub(super) fn forget_if_unused(&mut self, at: usize) {
        let origin = &mut self.origins[at];
        if origin.open == 0
            && origin.waiting.is_empty()
            && let Some(key) = origin.key.take()
        {
            self.index.remove(&key);
            self.free.push(at);
        }
    }
}

const MIN_SWEEP: Duration = Duration::from_secs(1);
