//! Processes: sequences of commands driven by replies, with state and compensation.

use std::fmt;

use crate::command::texts;
use crate::error::Error;

texts! {
    /// Where a process stands.
    ProcessStatus:
    /// Created; its first step is not sent.
    Pending = "PENDING",
    /// Running.
    InProgress = "IN_PROGRESS",
    /// Waiting for the reply of its current step.
    Waiting = "WAITING",
    /// Its current step is in the troubleshooting queue.
    WaitingForTsq = "WAITING_FOR_TSQ",
    /// Undoing what was done.
    Compensating = "COMPENSATING",
    /// Done.
    Completed = "COMPLETED",
    /// Undone after a step was cancelled.
    Compensated = "COMPENSATED",
    /// Not undone completely.
    Failed = "FAILED",
    /// Undone after a step failed.
    Canceled = "CANCELED",
}

impl ProcessStatus {
    /// Returns true if the status never changes again.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Compensated | Self::Failed | Self::Canceled
        )
    }
}
