//! Arguments and results of the troubleshooting queue.

use crate::command::CommandStatus;
use crate::ids::{BatchId, CommandId};
use crate::names::Domain;
use crate::payload::Payload;

/// An operator action.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) action: Action,
    pub(crate) operator: Option<String>,
}

/// What an operator decides.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Send it again.
    Retry,
    /// Give it up.
    Cancel { reason: String },
    /// It was done by other means.
    Complete { result: Option<Payload> },
}

impl Action {
    /// The name of the action in logs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel { .. } => "cancel",
            Self::Complete { .. } => "complete",
        }
    }
}

/// What became of the commands.
#[derive(Clone, Debug, Default)]
pub(crate) struct OperateReport {
    /// One for each id, in order.
    pub(crate) results: Vec<Operated>,
    /// Batches that this transaction finished.
    pub(crate) finished_batches: Vec<BatchId>,
}

/// What became of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operated {
    /// The action took effect; the new message id of a retry.
    Done(Option<i64>),
    /// There is no such command.
    NotFound,
    /// The command is not in the troubleshooting queue.
    WrongStatus(CommandStatus),
    /// The archive has no message to send again.
    NoPayload,
}

/// Chooses commands in the troubleshooting queue; everything by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) domain: Option<Domain>,
    pub(crate) id: Option<CommandId>,
    pub(crate) command_type: Option<String>,
    pub(crate) error_code: Option<String>,
    /// Only those that changed last at or before this instant.
    pub(crate) updated_before: Option<jiff::Timestamp>,
}

/// A page of the troubleshooting queue, last updated first.
#[derive(Clone, Debug)]
pub(crate) struct TsqQuery {
    pub(crate) selection: Selection,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}
