//! When a failed command is tried again.

use std::time::Duration;

use crate::error::{Error, Result};

/// How often a command is tried, and how long it waits between the attempts.
///
/// By default three attempts, with 10, 60 and 300 seconds between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    backoff_schedule: Vec<u32>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff_schedule: vec![10, 60, 300],
        }
    }
}

impl RetryPolicy {
    /// Makes a policy. The schedule is in whole seconds: entry k is the wait after failed attempt
    /// k, the last entry serves all later ones, and an empty schedule means 30 seconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if `max_attempts` is 0 or
    /// a number is beyond 2147483647.
    pub fn new(max_attempts: u32, backoff_schedule: impl Into<Vec<u32>>) -> Result<Self> {
        if max_attempts == 0 || i32::try_from(max_attempts).is_err() {
            return Err(Error::invalid("max_attempts", "must be 1 to 2147483647"));
        }
        let backoff_schedule = backoff_schedule.into();
        if backoff_schedule
            .iter()
            .any(|&seconds| i32::try_from(seconds).is_err())
        {
            return Err(Error::invalid(
                "backoff_schedule",
                "waits at most 2147483647 seconds",
            ));
        }
        Ok(Self {
            max_attempts,
            backoff_schedule,
        })
    }

    /// Returns the limit for commands that bring none of their own.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// Returns the limit for a command: its own, or that of the policy.
    #[must_use]
    pub fn effective_limit(&self, own: Option<u32>) -> u32 {
        own.unwrap_or(self.max_attempts)
    }

    /// Returns true if attempt number `attempt` may be followed by another one.
    #[must_use]
    pub fn should_retry(&self, attempt: u32, own_limit: Option<u32>) -> bool {
        attempt < self.effective_limit(own_limit)
    }

    /// Returns how long a command waits after its failed attempt number `attempt`; nothing when no
    /// attempt is left.
    #[must_use]
    pub fn backoff(&self, attempt: u32, own_limit: Option<u32>) -> Duration {
        if !self.should_retry(attempt, own_limit) {
            return Duration::ZERO;
        }
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let seconds = self
            .backoff_schedule
            .get(index)
            .or_else(|| self.backoff_schedule.last())
            .copied()
            .unwrap_or(30);
        Duration::from_secs(seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R1: the schedule, its last entry, the empty schedule, and no wait at the end.
    #[test]
    fn r1_waits_follow_the_schedule() {
        let seconds = |policy: &RetryPolicy, attempt| policy.backoff(attempt, None).as_secs();
        let policy = RetryPolicy::default();
        assert_eq!([1, 2, 3, 4].map(|k| seconds(&policy, k)), [10, 60, 0, 0]);
        let long = RetryPolicy::new(9, [1, 2]).unwrap();
        assert_eq!([1, 2, 3, 8, 9].map(|k| seconds(&long, k)), [1, 2, 2, 2, 0]);
        let empty = RetryPolicy::new(2, []).unwrap();
        assert_eq!([1, 2].map(|k| seconds(&empty, k)), [30, 0]);
        // R3: the limit of the command wins, in both directions.
        assert_eq!(policy.backoff(3, Some(5)).as_secs(), 300);
        assert!(!policy.should_retry(1, Some(1)));
        assert!(RetryPolicy::new(0, []).is_err());
    }
}
