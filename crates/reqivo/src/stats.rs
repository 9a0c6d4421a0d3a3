use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::ErrorKind;
use crate::pool::PoolStats;

/// What a session did so far; see [`Session::stats`](crate::Session::stats).
///
/// Calls that were cancelled are neither responses nor errors. Clones of a session count together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Calls begun.
    pub calls: u64,
    /// Calls that came to a response below 200 or above 599. Both are rare.
    pub other_responses: u64,
    /// Calls that came to a 2xx response.
    pub successes: u64,
    /// Calls that came to a 3xx response, which was not followed.
    pub redirections: u64,
    /// Calls that came to a 4xx response.
    pub client_errors: u64,
    /// Calls that came to a 5xx response.
    pub server_errors: u64,
    /// Redirects followed.
    pub redirects: u64,
    /// Requests sent a second time because a kept connection turned out to be closed.
    pub repeats: u64,
    /// Calls that failed, and bodies that did not arrive whole.
    pub errors: ErrorCounts,
    /// What the pool holds and did. A pool that sessions share counts for all of them.
    pub pool: PoolStats,
}

impl SessionStats {
    /// Returns the number of calls that came to a response.
    #[must_use]
    pub fn responses(&self) -> u64 {
        self.other_responses
            + self.successes
            + self.redirections
            + self.client_errors
            + self.server_errors
    }
}

/// Errors by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounts([u64; ErrorKind::ALL.len()]);

impl ErrorCounts {
    /// Returns how many errors there were of this kind.
    #[must_use]
    pub fn of(&self, kind: ErrorKind) -> u64 {
        self.0[kind as usize]
    }

    /// Returns how many errors there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns each kind with its number, also where that is zero.
    pub fn iter(&self) -> impl Iterator<Item = (ErrorKind, u64)> + '_ {
        ErrorKind::ALL.iter().copied().zip(self.0.iter().copied())
    }
}

/// The counters behind [`SessionStats`]. Each is right by itself; nothing is said about their order.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    /// By the first digit of the status; the rest at 0.
    classes: [AtomicU64; 6],
    redirects: AtomicU64,
    repeats: AtomicU64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
}

impl Counters {
    /// Counts a call that begins and returns its number.
    pub(crate) fn call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn response(&self, status: u16) {
        let class = usize::from(status / 100);
        let counter = self.classes.get(class).unwrap_or(&self.classes[0]);
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn redirect(&self) {
        self.redirects.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn repeat(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn error(&self, kind: ErrorKind) {
        self.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, pool: PoolStats) -> SessionStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [none, informational, successes, redirections, client, server] = &self.classes;
        SessionStats {
            calls: of(&self.calls),
            other_responses: of(none) + of(informational),
            successes: of(successes),
            redirections: of(redirections),
            client_errors: of(client),
            server_errors: of(server),
            redirects: of(&self.redirects),
            repeats: of(&self.repeats),
            errors: ErrorCounts(std::array::from_fn(|at| of(&self.errors[at]))),
            pool,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_and_every_kind_is_counted_once() {
        let counters = Counters::default();
        for status in [101, 200, 204, 304, 404, 599, 600, 999] {
            counters.response(status);
        }
        for kind in ErrorKind::ALL {
            counters.error(*kind);
        }
        let stats = counters.snapshot(PoolStats::default());
        assert_eq!(
            (stats.responses(), stats.successes, stats.other_responses),
            (8, 2, 3)
        );
        assert!(stats.errors.iter().all(|(_, count)| count == 1));
        assert_eq!(stats.errors.total(), ErrorKind::ALL.len() as u64);
    }
}
