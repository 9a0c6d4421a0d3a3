use std::time::Duration;

use crate::error::Error;

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
    pub(super) per_origin: usize,
    pub(super) total: Option<usize>,
    pub(super) idle_per_origin: Option<usize>,
    pub(super) idle_total: Option<usize>,
    pub(super) idle_time: Duration,
    pub(super) max_age: Option<Duration>,
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
    /// Bytes written to connections that are not in use right now. With TLS, those inside of it.
    pub bytes_sent: u64,
    /// Bytes read from connections that are not in use right now. With TLS, those inside of it.
    pub bytes_received: u64,
}
