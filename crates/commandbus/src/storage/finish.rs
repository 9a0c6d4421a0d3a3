//! Arguments and results of finishing attempts.

use crate::ids::{BatchId, CommandId};

/// The attempt that holds a message; what a fence compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) msg_id: i64,
    pub(crate) command_id: CommandId,
    pub(crate) attempt: u32,
}

/// An attempt and its outcome.
#[derive(Clone, Debug)]
pub(crate) struct FinishItem {
    pub(crate) held: Held,
    pub(crate) outcome: Outcome,
    /// The reply queue and the reply message, JSON text; only for terminal outcomes.
    pub(crate) reply: Option<(String, String)>,
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Done.
    Completed {
        /// The handler gave a result.
        has_result: bool,
    },
    /// Failed, and tried again after so many seconds.
    Retry { error: AttemptError, delay: u32 },
    /// Failed for the last time.
    Exhausted { error: AttemptError, limit: u32 },
    /// Needs a person.
    Permanent { error: AttemptError },
    /// Refused.
    BusinessRule { error: AttemptError },
}

/// The error of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AttemptError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// A JSON object as text.
    pub(crate) details: String,
}

/// What became of the attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct FinishReport {
    /// One for each item, in order.
    pub(crate) results: Vec<Finished>,
    /// Batches that this transaction finished.
    pub(crate) finished_batches: Vec<BatchId>,
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// It took effect.
    Applied,
    /// It took effect, and its reply went nowhere: the reply queue does not exist.
    AppliedWithoutReply,
    /// A late success of a command that was in the troubleshooting queue; it took effect.
    AppliedLate,
    /// The attempt does not own its message; nothing changed but an audit event.
    Stale,
}
