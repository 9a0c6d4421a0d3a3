//! The connection pool.
//!
//! A slot is the right to have one connection open to an origin. [`Lease`] owns a slot, with or without its
//! connection, and gives it back exactly once: its destructor is the only place that does. Whoever waits gets
//! a lease handed over, in the order of arrival; nobody who comes later can overtake.

#![expect(
    clippy::vec_box,
    reason = "connections move between leases and the pool as pointers"
)]

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;
use url::Url;

use crate::error::{Error, Phase, TimeLimit};
use crate::net::clock::{Clock, until};
use crate::net::conn::Conn;

/// How many connections a session keeps, and for how long.
///
/// | setting | default |
/// |---|---|
/// | [`per_origin`](Self::per_origin) | 10 |
/// | [`total`](Self::total) | none |
/// | [`idle_per_origin`](Self::idle_per_origin) | none: as many as may be open |
/// | [`idle_total`](Self::idle_total) | none |
/// | [`idle_time`](Self::idle_time) | 30 s |
/// | [`max_age`](Self::max_age) | none |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    per_origin: usize,
    total: Option<usize>,
    idle_per_origin: Option<usize>,
    idle_total: Option<usize>,
    idle_time: Duration,
    max_age: Option<Duration>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            per_origin: 10,
            total: None,
            idle_per_origin: None,
            idle_total: None,
            idle_time: Duration::from_secs(30),
            max_age: None,
        }
    }
}

impl PoolConfig {
    /// Limits the open connections to one origin; further requests wait in the order of their arrival.
    #[must_use]
    pub fn per_origin(mut self, connections: usize) -> Self {
        self.per_origin = connections;
        self
    }

    /// Limits the open connections to all origins together.
    #[must_use]
    pub fn total(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.total = connections.into();
        self
    }

    /// Limits the idle connections to one origin; the oldest is closed when there would be more.
    #[must_use]
    pub fn idle_per_origin(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.idle_per_origin = connections.into();
        self
    }

    /// Limits the idle connections to all origins together; the oldest is closed when there would be more.
    #[must_use]
    pub fn idle_total(mut self, connections: impl Into<Option<usize>>) -> Self {
        self.idle_total = connections.into();
        self
    }

    /// Closes connections that were idle for this long; sooner when the server announces so.
    #[must_use]
    pub fn idle_time(mut self, time: Duration) -> Self {
        self.idle_time = time;
        self
    }

    /// Closes connections this long after they were opened, once their request is done.
    #[must_use]
    pub fn max_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.max_age = age.into();
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.per_origin == 0 || self.total == Some(0) {
            true => Err(Error::builder("a pool without connections")),
            false => Ok(()),
        }
    }
}

/// What a pool holds and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections that are open or being opened.
    pub open: usize,
    /// Open connections without a request.
    pub idle: usize,
    /// Open connections with a request.
    pub in_use: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
    /// Connections opened so far.
    pub created: u64,
    /// Requests that found an open connection.
    pub reused: u64,
    /// Closed because they were idle or open for too long.
    pub closed_expired: u64,
    /// Closed because the server had closed them or sent something unasked.
    pub closed_dead: u64,
    /// Closed because there were too many, or another origin or runtime needed the place.
    pub closed_surplus: u64,
    /// Closed after their request: it failed, was cancelled, or the connection was not persistent.
    pub closed_after_use: u64,
}

#[derive(Debug)]
pub(crate) struct Pool {
    config: PoolConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    index: HashMap<Key, usize>,
    origins: Vec<Origin>,
    /// Places in `origins` that are free.
    free: Vec<usize>,
    open: usize,
    idle: usize,
    waiting: usize,
    next_ticket: u64,
    next_sweep: Option<Instant>,
    /// Whether a task closes what expires.
    reaping: bool,
    stats: PoolStats,
}

/// One origin. Its place in `State::origins` is its own while it has slots or waiters.
#[derive(Debug, Default)]
struct Origin {
    key: Option<Key>,
    /// Slots taken: by idle connections and by leases.
    open: usize,
    /// Oldest first.
    idle: Vec<Box<Conn>>,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    runtime: runtime::Id,
    hand_over: oneshot::Sender<Lease>,
}

/// The right to one connection, with the connection once there is one.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    origin: usize,
    conn: Option<Box<Conn>>,
    /// Whether the connection is between exchanges and may be given to somebody else.
    at_rest: bool,
    armed: bool,
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
        url: &Url,
        runtime: runtime::Id,
        clock: &Clock,
        now: Instant,
    ) -> Result<Lease, Error> {
        match self.try_acquire(url, runtime, now)? {
            Acquired::Lease(lease) => Ok(lease),
            // Boxed: it is rare, and would make every request's future larger.
            Acquired::Wait(turn, queued) => Box::pin(wait(turn, queued, clock)).await,
        }
    }

    fn try_acquire(
        self: &Arc<Self>,
        url: &Url,
        runtime: runtime::Id,
        now: Instant,
    ) -> Result<Acquired, Error> {
        let key = KeyRef::of(url)?;
        // Sockets are closed after the lock is released: locals drop in reverse order.
        let mut closed = Vec::new();
        let mut state = self.lock();
        state.sweep_if_due(now, self.config.idle_time, &mut closed);
        let at = state.place(&key);
        if let Some(conn) = state.pop_idle(at, runtime, now, &mut closed) {
            state.stats.reused += 1;
            return Ok(Acquired::Lease(self.lease(at, Some(conn))));
        }
        if state.make_room(at, &self.config, &mut closed) {
            state.origins[at].open += 1;
            state.open += 1;
            return Ok(Acquired::Lease(self.lease(at, None)));
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
        Ok(Acquired::Wait(
            turn,
            Queued {
                pool: Arc::clone(self),
                origin: at,
                ticket,
            },
        ))
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
        }
    }

    /// Takes a slot back: hands it to whoever waits longest and may have it; else keeps its connection idle,
    /// or frees it.
    fn take_back(self: &Arc<Self>, mut origin: usize, mut conn: Option<Box<Conn>>) {
        loop {
            let mut closed = Vec::new();
            let mut state = self.lock();
            let Some((to, waiter)) = state.next_waiter(origin, &self.config) else {
                let mut start_reaping = false;
                match conn {
                    Some(conn) => {
                        start_reaping = conn.runtime_turns && !state.reaping;
                        state.reaping |= start_reaping;
                        state.store(origin, conn, &self.config, &mut closed);
                    }
                    None => {
                        state.open -= 1;
                        state.origins[origin].open -= 1;
                        state.forget_if_unused(origin);
                    }
                }
                drop(state);
                if start_reaping {
                    Reaper::start(self);
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

/// The task that closes expired connections of a pool which nobody uses any more. It runs only where a
/// multi-thread runtime turns by itself; everywhere else expired connections go when the pool is used.
struct Reaper(Weak<Pool>);

impl Reaper {
    fn start(pool: &Arc<Pool>) {
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

impl State {
    /// The place of an origin, new or known.
    fn place(&mut self, key: &KeyRef<'_>) -> usize {
        if let Some(at) = self.index.get(key as &dyn AsKey) {
            return *at;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.origins.push(Origin::default());
            self.origins.len() - 1
        });
        let key = Key {
            https: key.https,
            host: key.host.into(),
            port: key.port,
        };
        self.origins[at].key = Some(key.clone());
        self.index.insert(key, at);
        at
    }

    /// The newest idle connection of this runtime; closes what is past its time on the way.
    fn pop_idle(
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
    fn sweep_if_due(&mut self, now: Instant, idle_time: Duration, closed: &mut Vec<Box<Conn>>) {
        match self.next_sweep {
            Some(due) if now < due => return,
            Some(_) => self.sweep(now, closed),
            None => {}
        }
        let pause = (idle_time / 4).max(MIN_SWEEP);
        self.next_sweep = Some(now.checked_add(pause).unwrap_or(now));
    }

    fn sweep(&mut self, now: Instant, closed: &mut Vec<Box<Conn>>) {
        for at in 0..self.origins.len() {
            if !self.origins[at].idle.is_empty() {
                self.close_expired_of(at, now, closed);
                self.forget_if_unused(at);
            }
        }
    }

    /// Whether another connection to this origin may be opened; closes idle ones that are in the way.
    fn make_room(&mut self, at: usize, config: &PoolConfig, closed: &mut Vec<Box<Conn>>) -> bool {
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

    /// Keeps a connection that came back.
    fn store(
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
    fn next_waiter(&mut self, origin: usize, config: &PoolConfig) -> Option<(usize, Waiter)> {
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
    fn forget_idle(&mut self, at: usize, count: usize) {
        self.idle -= count;
        self.open -= count;
        self.origins[at].open -= count;
        self.forget_if_unused(at);
    }

    fn forget_if_unused(&mut self, at: usize) {
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

impl Lease {
    /// The connection, if there is one already.
    pub(crate) fn conn(&mut self) -> Option<&mut Box<Conn>> {
        self.conn.as_mut()
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
        if let Some(conn) = self.conn.take() {
            drop(conn);
            self.pool.lock().stats.closed_dead += 1;
        }
        self.at_rest = false;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let mut conn = self.conn.take();
        if !self.at_rest
            && let Some(conn) = conn.take()
        {
            drop(conn);
            self.pool.lock().stats.closed_after_use += 1;
        }
        self.pool.take_back(self.origin, conn);
    }
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

/// What connections are kept apart by. The TLS settings belong to the session, and so does the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    https: bool,
    host: Box<str>,
    port: u16,
}

#[derive(Clone, Copy)]
struct KeyRef<'a> {
    https: bool,
    host: &'a str,
    port: u16,
}

impl<'a> KeyRef<'a> {
    fn of(url: &'a Url) -> Result<Self, Error> {
        let host = url
            .host_str()
            .ok_or_else(|| Error::builder("url without a host"))?;
        let https = url.scheme() == "https";
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Self { https, host, port })
    }
}

/// Both forms of a key, so that a lookup needs no allocation.
trait AsKey {
    fn as_key(&self) -> KeyRef<'_>;
}

impl AsKey for Key {
    fn as_key(&self) -> KeyRef<'_> {
        KeyRef {
            https: self.https,
            host: &self.host,
            port: self.port,
        }
    }
}

impl AsKey for KeyRef<'_> {
    fn as_key(&self) -> KeyRef<'_> {
        *self
    }
}

impl<'a> Borrow<dyn AsKey + 'a> for Key {
    fn borrow(&self) -> &(dyn AsKey + 'a) {
        self
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self as &dyn AsKey).hash(state);
    }
}

impl Hash for dyn AsKey + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let key = self.as_key();
        key.host.hash(state);
        state.write_u32(u32::from(key.port) << 1 | u32::from(key.https));
    }
}

impl PartialEq for dyn AsKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.as_key(), other.as_key());
        a.port == b.port && a.https == b.https && a.host == b.host
    }
}

impl Eq for dyn AsKey + '_ {}

const MIN_SWEEP: Duration = Duration::from_secs(1);
