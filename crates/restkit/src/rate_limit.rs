//! Several quotas at once, shared by all clones of a client, and one shared "not before".
//!
//! Each request takes one unit of every quota before each attempt. Requests are served in the order
//! in which they came. A request that is cancelled while it waits takes nothing, and those behind it
//! move up. A waiting request that nobody polls holds nobody else up.
//!
//! When a service answers 429, no request of the client starts before the time that the service
//! asked for, whatever the quotas say.
//!
//! ```
//! use restkit::rate_limit::{Quota, RateLimits};
//!
//! let limits = RateLimits::new()
//!     .quota(Quota::per_second(10))
//!     .quota(Quota::per_minute(100).burst(300));
//! ```
//!
//! Clones and views of a client share its quotas. Clients that are made apart, but whom the service
//! counts together, share a [`RateLimiter`].

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// A number of requests per period, with a burst.
///
/// It works as a token bucket: `burst` requests may start at once, after that they start evenly
/// spaced. An unused bucket fills up again at the quota's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    requests: u32,
    period: Duration,
    burst: u32,
}

impl Quota {
    /// Makes a quota of `requests` per `period`, with a burst of the same number. 0 counts as 1.
    #[must_use]
    pub fn new(requests: u32, period: Duration) -> Self {
        let requests = requests.max(1);
        Self {
            requests,
            period,
            burst: requests,
        }
    }

    /// Makes a quota per second.
    #[must_use]
    pub fn per_second(requests: u32) -> Self {
        Self::new(requests, Duration::from_secs(1))
    }

    /// Makes a quota per minute.
    #[must_use]
    pub fn per_minute(requests: u32) -> Self {
        Self::new(requests, Duration::from_secs(60))
    }

    /// Makes a quota per hour.
    #[must_use]
    pub fn per_hour(requests: u32) -> Self {
        Self::new(requests, Duration::from_secs(3600))
    }

    /// Sets how many requests may start at once. 0 counts as 1.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = burst.max(1);
        self
    }

    fn interval(self) -> u64 {
        nanos(self.period) / u64::from(self.requests)
    }
}

/// The quotas of a client. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    quotas: Vec<Quota>,
    on_loopback: bool,
}

impl RateLimits {
    /// Makes limits without any quota.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a quota; all of them hold at the same time.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quotas.push(quota);
        self
    }

    /// Sets whether the quotas also hold for requests to loopback addresses. Default: false, so
    /// that sandboxes and tests are not slowed down.
    #[must_use]
    pub fn on_loopback(mut self, on: bool) -> Self {
        self.on_loopback = on;
        self
    }
}

/// Quotas at work, to be shared by several clients. Cloning shares them.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) on_loopback: bool,
}

impl RateLimiter {
    /// Puts limits to work, with full bursts.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Self {
        Self {
            limiter: Arc::new(Limiter::new(limits)),
            on_loopback: limits.on_loopback,
        }
    }
}

/// The wait is longer than the caller has time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    pub(crate) wait: Duration,
    /// True if the service itself asked for the wait.
    pub(crate) held: bool,
}

/// The quotas at work.
pub(crate) struct Limiter {
    /// The moment of the first request, from which times are counted.
    epoch: OnceLock<Instant>,
    state: Mutex<State>,
}

/// Times are nanoseconds since the epoch.
struct State {
    buckets: Vec<Bucket>,
    not_before: u64,
    settled: u64,
    queue: VecDeque<Waiter>,
    /// Waiters whose turn has come and who have not yet noticed.
    granted: BTreeSet<u64>,
    next_id: u64,
    /// Changes when waiters may start earlier than they were told.
    version: u64,
}

struct Waiter {
    id: u64,
    waker: Option<Waker>,
}

/// A bucket by the generic cell rate algorithm: one number says when it would be full again.
#[derive(Clone, Debug)]
struct Bucket {
    interval: u64,
    tolerance: u64,
    full_at: u64,
}

enum Step {
    Go,
    Wait { until: u64, version: u64 },
}

impl Limiter {
    fn new(limits: &RateLimits) -> Self {
        let buckets = limits
            .quotas
            .iter()
            .map(|quota| Bucket {
                interval: quota.interval(),
                tolerance: quota.interval().saturating_mul(u64::from(quota.burst - 1)),
                full_at: 0,
            })
            .collect();
        Self {
            epoch: OnceLock::new(),
            state: Mutex::new(State {
                buckets,
                not_before: 0,
                settled: 0,
                queue: VecDeque::new(),
                granted: BTreeSet::new(),
                next_id: 0,
                version: 0,
            }),
        }
    }

    /// Lets no request start before `delay` from now.
    pub(crate) fn hold(&self, now: Instant, delay: Duration) {
        let until = self.at(now).saturating_add(nanos(delay));
        let mut state = self.lock();
        state.not_before = state.not_before.max(until);
    }

    /// Waits for a turn. With `quotas` false only the shared "not before" counts.
    pub(crate) async fn acquire(
        &self,
        clock: &dyn Clock,
        quotas: bool,
        deadline: Option<Instant>,
    ) -> Result<(), TooLong> {
        if !quotas {
            return self.wait_out_hold(clock, deadline).await;
        }
        let mut turn = Turn {
            limiter: self,
            id: None,
        };
        loop {
            let now = clock.now();
            let (until, version) = match turn.step(self.at(now)) {
                Step::Go => return Ok(()),
                Step::Wait { until, version } => (until, version),
            };
            let wait = self.wait_until(until, now, deadline)?;
            let mut sleep = clock.sleep(wait);
            std::future::poll_fn(|context| {
                {
                    let mut state = self.lock();
                    if state.version != version {
                        return Poll::Ready(());
                    }
                    if let Some(waiter) = state
                        .queue
                        .iter_mut()
                        .find(|other| Some(other.id) == turn.id)
                    {
                        waiter.waker = Some(context.waker().clone());
                    }
                }
                sleep.as_mut().poll(context)
            })
            .await;
        }
    }

    async fn wait_out_hold(
        &self,
        clock: &dyn Clock,
        deadline: Option<Instant>,
    ) -> Result<(), TooLong> {
        loop {
            let now = clock.now();
            let until = self.lock().not_before;
            if until <= self.at(now) {
                return Ok(());
            }
            let wait = self.wait_until(until, now, deadline)?;
            clock.sleep(wait).await;
        }
    }

    fn wait_until(
        &self,
        until: u64,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Duration, TooLong> {
        let wait = Duration::from_nanos(until.saturating_sub(self.at(now)));
        if deadline.is_some_and(|deadline| wait > deadline.saturating_duration_since(now)) {
            let held = self.lock().not_before >= until;
            return Err(TooLong { wait, held });
        }
        Ok(wait)
    }

    fn at(&self, moment: Instant) -> u64 {
        let epoch = *self.epoch.get_or_init(|| moment);
        nanos(moment.saturating_duration_since(epoch))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Limiter")
            .field("quotas", &state.buckets.len())
            .field("waiting", &state.queue.len())
            .finish_non_exhaustive()
    }
}

impl State {
    /// Gives all turns that have come by `now`, in order.
    fn settle(&mut self, now: u64) {
        while let Some(first) = self.queue.front() {
            let at = start_of(&self.buckets, self.not_before.max(self.settled));
            if at > now {
                break;
            }
            self.granted.insert(first.id);
            self.queue.pop_front();
            take(&mut self.buckets, at);
        }
        self.settled = self.settled.max(now);
    }

    /// Returns when the waiter's turn will come if nothing changes.
    fn turn_of(&self, id: u64) -> u64 {
        let mut buckets = self.buckets.clone();
        let floor = self.not_before.max(self.settled);
        for waiter in &self.queue {
            let at = start_of(&buckets, floor);
            if waiter.id == id {
                return at;
            }
            take(&mut buckets, at);
        }
        floor
    }

    /// Notes that waiters may start earlier than they were told.
    fn moved_up(&mut self) -> Vec<Waker> {
        self.version += 1;
        self.queue
            .iter_mut()
            .filter_map(|waiter| waiter.waker.take())
            .collect()
    }
}

fn start_of(buckets: &[Bucket], floor: u64) -> u64 {
    buckets
        .iter()
        .map(|bucket| bucket.full_at.saturating_sub(bucket.tolerance))
        .fold(floor, u64::max)
}

fn take(buckets: &mut [Bucket], at: u64) {
    for bucket in buckets {
        bucket.full_at = bucket.full_at.max(at).saturating_add(bucket.interval);
    }
}

/// A place in the queue, given up when dropped.
struct Turn<'a> {
    limiter: &'a Limiter,
    id: Option<u64>,
}

impl Turn<'_> {
    fn step(&mut self, now: u64) -> Step {
        let mut state = self.limiter.lock();
        state.settle(now);
        let id = if let Some(id) = self.id {
            id
        } else {
            let id = state.next_id;
            state.next_id += 1;
            state.queue.push_back(Waiter { id, waker: None });
            self.id = Some(id);
            state.settle(now);
            id
        };
        if state.granted.remove(&id) {
            self.id = None;
            return Step::Go;
        }
        Step::Wait {
            until: state.turn_of(id),
            version: state.version,
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut state = self.limiter.lock();
        if state.granted.remove(&id) {
            for bucket in &mut state.buckets {
                bucket.full_at = bucket.full_at.saturating_sub(bucket.interval);
            }
        } else {
            state.queue.retain(|waiter| waiter.id != id);
        }
        let wakers = state.moved_up();
        drop(state);
        for waker in wakers {
            waker.wake();
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
