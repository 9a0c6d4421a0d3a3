//! When a request is sent again, and after how long.
//!
//! | what happened | request may be repeated | request is sent once |
//! |---|---|---|
//! | nothing was sent: no connection, no name | yes | yes |
//! | 401, and the credentials can be renewed | once, after the renewal | once, after the renewal |
//! | 429 | yes | yes |
//! | 408, 5xx but 501 and 505 | yes | no: [`UnclearWrite`](crate::ErrorKind::UnclearWrite) |
//! | no answer after something was sent | yes | no: [`UnclearWrite`](crate::ErrorKind::UnclearWrite) |
//! | any other status | no | no |
//!
//! Which column counts is what the request [declares](crate::Idempotency). Delays grow by a factor,
//! are capped, and are drawn evenly between zero and that cap ("full jitter"); `Retry-After` replaces
//! them, as seconds or as an HTTP date.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

mod budget;
mod jitter;

pub(crate) use self::budget::Purse;
pub use self::budget::RetryBudget;
pub(crate) use self::jitter::Jitter;

/// Says when a request is sent again, and after how long.
///
/// | setting | default |
/// |---|---|
/// | retries after the first attempt | 3 |
/// | first delay, factor, cap | 1 s, 2, 60 s |
/// | jitter | full |
/// | cap for `Retry-After` | 300 s |
/// | limit per attempt | 30 s |
/// | limit for the whole call | none |
/// | retries after 429 | on |
/// | budget shared by all calls of a client | 100 retries, one back per 5 successes |
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    max_retries: u32,
    base: Duration,
    factor: f64,
    cap: Duration,
    jitter: bool,
    retry_after_cap: Duration,
    attempt_timeout: Option<Duration>,
    overall_timeout: Option<Duration>,
    rate_limit_retry: bool,
    budget: Option<RetryBudget>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            base: Duration::from_secs(1),
            factor: 2.0,
            cap: Duration::from_secs(60),
            jitter: true,
            retry_after_cap: Duration::from_secs(300),
            attempt_timeout: Some(Duration::from_secs(30)),
            overall_timeout: None,
            rate_limit_retry: true,
            budget: Some(RetryBudget::default()),
        }
    }
}

impl RetryPolicy {
    /// Makes the default policy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a policy that never sends anything again, except once after a renewal of credentials.
    #[must_use]
    pub fn none() -> Self {
        Self::default().max_retries(0)
    }

    /// Sets how often a request is sent again. Default: 3.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets the upper bound of the first delay. Default: 1 second.
    #[must_use]
    pub fn base_delay(mut self, delay: Duration) -> Self {
        self.base = delay;
        self
    }

    /// Sets by how much each delay's bound exceeds the one before. Default: 2. Values below 1 and
    /// those that are no numbers count as 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = if factor.is_finite() {
            factor.max(1.0)
        } else {
            1.0
        };
        self
    }

    /// Sets the largest delay that is not asked for by the service. Default: 60 seconds.
    #[must_use]
    pub fn max_delay(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Sets whether delays are drawn evenly between zero and their bound, or are the bound itself.
    /// Default: true.
    #[must_use]
    pub fn jitter(mut self, full: bool) -> Self {
        self.jitter = full;
        self
    }

    /// Sets the longest `Retry-After` that is followed; longer ones are cut. Default: 300 seconds.
    #[must_use]
    pub fn retry_after_cap(mut self, cap: Duration) -> Self {
        self.retry_after_cap = cap;
        self
    }

    /// Sets how long one attempt may take. Default: 30 seconds; `None` means no limit.
    #[must_use]
    pub fn attempt_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.attempt_timeout = limit.into();
        self
    }

    /// Sets how long a whole call may take: all attempts, waits and token requests together.
    /// Default: no limit. A wait that would go beyond the limit is not begun.
    #[must_use]
    pub fn overall_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.overall_timeout = limit.into();
        self
    }

    /// Sets whether a request is sent again after 429. Default: true.
    #[must_use]
    pub fn rate_limit_retry(mut self, retry: bool) -> Self {
        self.rate_limit_retry = retry;
        self
    }

    /// Sets the budget for retries that all calls of a client share, so that a service in trouble is
    /// not buried under retries. Retries after 429 do not count. `None` means no bound.
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Option<RetryBudget>>) -> Self {
        self.budget = budget.into();
        self
    }

    /// Returns how often a request is sent again.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.max_retries
    }

    pub(crate) fn attempt_limit(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    pub(crate) fn overall_limit(&self) -> Option<Duration> {
        self.overall_timeout
    }

    pub(crate) fn retries_rate_limits(&self) -> bool {
        self.rate_limit_retry
    }

    pub(crate) fn shared_budget(&self) -> Option<&RetryBudget> {
        self.budget.as_ref()
    }

    /// Returns the bound of the delay before the given retry, counted from 1.
    #[must_use]
    pub fn delay_bound(&self, retry: u32) -> Duration {
        let steps = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let bound = self.base.as_secs_f64() * self.factor.powi(steps);
        Duration::try_from_secs_f64(bound).map_or(self.cap, |bound| bound.min(self.cap))
    }

    /// Returns the delay before the given retry, counted from 1.
    pub(crate) fn delay(&self, retry: u32, jitter: &Jitter) -> Duration {
        let bound = self.delay_bound(retry);
        if self.jitter {
            bound.mul_f64(jitter.next())
        } else {
            bound
        }
    }

    /// Returns how long the response asks to wait, capped; garbage counts as nothing.
    #[must_use]
    pub fn retry_after(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let asked = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number too large for u64 still means "very long".
            Duration::from_secs(text.parse().unwrap_or(u64::MAX))
        } else {
            let date = httpdate::parse_http_date(text).ok()?;
            date.duration_since(now).unwrap_or(Duration::ZERO)
        };
        Some(asked.min(self.retry_after_cap))
    }
}

/// What a status means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    /// The credentials were refused: 401.
    Unauthenticated,
    /// Too many requests; this one was not processed: 429.
    RateLimited,
    /// The request may have been processed: 408 and most of 5xx.
    Unclear,
    /// The answer is final.
    Final,
}

pub(crate) fn verdict(status: StatusCode) -> Verdict {
    match status.as_u16() {
        200..=299 => Verdict::Success,
        401 => Verdict::Unauthenticated,
        429 => Verdict::RateLimited,
        // Not implemented, and version not supported: repeating cannot help, nothing was done.
        501 | 505 => Verdict::Final,
        408 | 500..=599 => Verdict::Unclear,
        _ => Verdict::Final,
    }
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} retries from {:?} to {:?}",
            self.max_retries, self.base, self.cap
        )
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn after(value: &[u8], now: SystemTime) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(value).unwrap());
        RetryPolicy::new().retry_after(&headers, now)
    }

    #[test]
    fn bounds_grow_by_the_factor_up_to_the_cap() {
        let policy = RetryPolicy::new();
        let seconds: Vec<u64> = (1..=9)
            .map(|retry| policy.delay_bound(retry).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(policy.delay_bound(u32::MAX), Duration::from_secs(60));
    }

    #[test]
    fn full_jitter_stays_under_the_bound_and_is_repeatable() {
        let policy = RetryPolicy::new();
        let draw = |seed| {
            let jitter = Jitter::seeded(seed);
            (1..200)
                .map(|_| policy.delay(3, &jitter))
                .collect::<Vec<_>>()
        };
        let delays = draw(7);
        assert_eq!(delays, draw(7));
        assert_ne!(delays, draw(8));
        assert!(delays.iter().all(|delay| *delay < Duration::from_secs(4)));
        assert!(delays.iter().any(|delay| *delay < Duration::from_secs(1)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_secs(3)));
    }

    #[test]
    fn without_jitter_the_delay_is_its_bound() {
        let policy = RetryPolicy::new()
            .jitter(false)
            .base_delay(Duration::from_millis(3));
        assert_eq!(
            policy.delay(2, &Jitter::seeded(1)),
            Duration::from_millis(6)
        );
    }

    #[test]
    fn retry_after_is_read_as_seconds() {
        let now = SystemTime::now();
        assert_eq!(after(b"7", now), Some(Duration::from_secs(7)));
        assert_eq!(after(b" 0 ", now), Some(Duration::ZERO));
        assert_eq!(after(b"301", now), Some(Duration::from_secs(300)));
        assert_eq!(
            after(b"99999999999999999999999", now),
            Some(Duration::from_secs(300))
        );
    }

    #[test]
    fn retry_after_is_read_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for date in [
            "Sun, 06 Nov 1994 08:49:47 GMT",
            "Sunday, 06-Nov-94 08:49:47 GMT",
            "Sun Nov  6 08:49:47 1994",
        ] {
            assert_eq!(
                after(date.as_bytes(), now),
                Some(Duration::from_secs(10)),
                "{date}"
            );
        }
        let past = after(b"Sun, 06 Nov 1994 08:49:27 GMT", now);
        assert_eq!(past, Some(Duration::ZERO));
    }

    #[test]
    fn garbage_in_retry_after_counts_as_nothing() {
        let now = SystemTime::now();
        for garbage in [
            &b"soon"[..],
            b"",
            b"-5",
            b"1.5",
            b"5s",
            b"\xff",
            b"0x10",
            b"+5",
        ] {
            assert_eq!(after(garbage, now), None, "{garbage:?}");
        }
    }

    #[test]
    fn statuses_are_judged_by_what_may_have_happened() {
        let judge = |status| verdict(StatusCode::from_u16(status).unwrap());
        assert_eq!(judge(204), Verdict::Success);
        assert_eq!(judge(401), Verdict::Unauthenticated);
        assert_eq!(judge(429), Verdict::RateLimited);
        for unclear in [408, 500, 502, 503, 504, 520, 599] {
            assert_eq!(judge(unclear), Verdict::Unclear);
        }
        for last in [301, 304, 400, 403, 404, 409, 422, 501, 505] {
            assert_eq!(judge(last), Verdict::Final);
        }
    }
}
