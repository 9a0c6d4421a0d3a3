use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Phase, TimeLimit};
use crate::events::Watch;
use crate::timeouts::Timeouts;

/// The time limits of one call while it runs.
///
/// At most one timer is armed at a time, and only when a read or write would block.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) started: Instant,
    total: Option<(Instant, Duration)>,
    limits: Timeouts,
    /// When the current wait ends, by which limit.
    wait: Wait,
    /// Who is told what happens.
    pub(crate) watch: Option<Arc<Watch>>,
}

#[derive(Clone, Copy, Debug)]
enum Wait {
    Unset,
    Unlimited,
    Until(Expiry),
}

/// A moment and the limit that ends there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    pub(crate) at: Instant,
    pub(crate) limit: TimeLimit,
    pub(crate) after: Duration,
}

impl Expiry {
    pub(crate) fn error(self, phase: Phase) -> Error {
        Error::timeout(self.limit, self.after, phase)
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Write,
    FirstByte,
    Read,
    /// The body's own source, or leave to send it: only the total limit covers that.
    Source,
}

impl Clock {
    pub(crate) fn new(limits: Timeouts, started: Instant) -> Self {
        // A limit beyond what the clock can express is no limit.
        let total = limits
            .total
            .and_then(|total| Some((started.checked_add(total)?, total)));
        Self {
            started,
            total,
            limits,
            wait: Wait::Unset,
            watch: None,
        }
    }

    /// Something moved: the next wait starts anew.
    pub(crate) fn progress(&mut self) {
        self.wait = Wait::Unset;
    }

    /// The head of the final response is there.
    pub(crate) fn head_arrived(&mut self) {
        self.wait = Wait::Unset;
        if self.limits.total_until_head {
            self.total = None;
        }
    }

    /// When the current wait ends.
    pub(crate) fn expiry(&mut self, waiting: Waiting) -> Option<Expiry> {
        match self.wait {
            Wait::Until(expiry) => return Some(expiry),
            Wait::Unlimited => return None,
            Wait::Unset => {}
        }
        let (limit, after) = match waiting {
            Waiting::Write => (TimeLimit::Write, self.limits.write),
            Waiting::Source => (TimeLimit::Total, None),
            Waiting::FirstByte if self.limits.first_byte.is_some() => {
                (TimeLimit::FirstByte, self.limits.first_byte)
            }
            Waiting::FirstByte | Waiting::Read => (TimeLimit::Read, self.limits.read),
        };
        let expiry = self.sooner(limit, after);
        self.wait = expiry.map_or(Wait::Unlimited, Wait::Until);
        expiry
    }

    /// How long one of the limits is.
    pub(crate) fn limit(&self, limit: TimeLimit) -> Option<Duration> {
        match limit {
            TimeLimit::Pool => self.limits.pool,
            TimeLimit::Connect => self.limits.connect,
            TimeLimit::Tls => self.limits.tls,
            TimeLimit::Write => self.limits.write,
            TimeLimit::FirstByte => self.limits.first_byte,
            TimeLimit::Read => self.limits.read,
            TimeLimit::Total => self.total.map(|(_, total)| total),
        }
    }

    /// When a phase that begins now ends at the latest.
    pub(crate) fn phase(&self, limit: TimeLimit) -> Option<Expiry> {
        let after = match limit {
            TimeLimit::Pool => self.limits.pool,
            TimeLimit::Connect => self.limits.connect,
            TimeLimit::Tls => self.limits.tls,
            _ => None,
        };
        self.sooner(limit, after)
    }

    /// The sooner of the total limit and one that begins now.
    fn sooner(&self, limit: TimeLimit, after: Option<Duration>) -> Option<Expiry> {
        let total = self.total.map(|(at, after)| Expiry {
            at,
            limit: TimeLimit::Total,
            after,
        });
        match (total, after) {
            (total, None) => total,
            // The total limit began earlier, so it ends earlier: no need to look at the clock.
            (Some(total), Some(after)) if after >= total.after => Some(total),
            (total, Some(after)) => {
                let own = Instant::now()
                    .checked_add(after)
                    .map(|at| Expiry { at, limit, after });
                match (total, own) {
                    (Some(total), Some(own)) if own.at < total.at => Some(own),
                    (None, own) => own,
                    (total, _) => total,
                }
            }
        }
    }
}

/// Runs a future until it ends or time runs out.
pub(crate) async fn until<F: Future>(
    expiry: Option<Expiry>,
    phase: Phase,
    future: F,
) -> Result<F::Output, Error> {
    match expiry {
        None => Ok(future.await),
        Some(expiry) => tokio::time::timeout_at(expiry.at, future)
            .await
            .map_err(|_| expiry.error(phase)),
    }
}
