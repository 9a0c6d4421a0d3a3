//! A bound on retries over all calls of a client.

use std::sync::Mutex;
use std::sync::PoisonError;

/// Bounds the retries of all calls of a client together.
///
/// It starts with `capacity` retries. Each retry takes one, and each success gives a part of one
/// back, up to the capacity. While it is empty, failures are final at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    capacity: u32,
    successes_per_retry: u32,
}

impl RetryBudget {
    /// Makes a budget of `capacity` retries, of which one comes back per `successes_per_retry`
    /// successful calls (0 counts as 1).
    #[must_use]
    pub fn new(capacity: u32, successes_per_retry: u32) -> Self {
        Self {
            capacity,
            successes_per_retry: successes_per_retry.max(1),
        }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(100, 5)
    }
}

/// The state of a budget, in parts of a retry.
#[derive(Debug)]
pub(crate) struct Purse {
    budget: Option<RetryBudget>,
    parts: Mutex<u64>,
}

impl Purse {
    pub(crate) fn new(budget: Option<RetryBudget>) -> Self {
        let full = budget.map_or(0, |budget| {
            u64::from(budget.capacity) * u64::from(budget.successes_per_retry)
        });
        Self {
            budget,
            parts: Mutex::new(full),
        }
    }

    /// Takes one retry; false means that none is left.
    pub(crate) fn take(&self) -> bool {
        let Some(budget) = self.budget else {
            return true;
        };
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        match parts.checked_sub(u64::from(budget.successes_per_retry)) {
            Some(left) => {
                *parts = left;
                true
            }
            None => false,
        }
    }

    /// Notes a success.
    pub(crate) fn give(&self) {
        let Some(budget) = self.budget else { return };
        let full = u64::from(budget.capacity) * u64::from(budget.successes_per_retry);
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        *parts = (*parts + 1).min(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_comes_back_after_enough_successes() {
        let purse = Purse::new(Some(RetryBudget::new(2, 3)));
        assert!(purse.take() && purse.take());
        assert!(!purse.take());
        purse.give();
        purse.give();
        assert!(!purse.take());
        purse.give();
        assert!(purse.take());
        for _ in 0..100 {
            purse.give();
        }
        assert!(purse.take() && purse.take());
        assert!(!purse.take(), "the budget never exceeds its capacity");
    }

    #[test]
    fn without_a_budget_there_is_no_bound() {
        let purse = Purse::new(None);
        assert!((0..1000).all(|_| purse.take()));
    }
}
