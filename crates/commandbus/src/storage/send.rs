//! Arguments and results of sending.

use crate::batch::BatchStatus;
use crate::ids::{CommandId, CorrelationId};
use crate::names::{Domain, QueueName};
use crate::storage::batches::NewBatchRow;

/// Commands of one domain.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) domain: Domain,
    pub(crate) commands: Vec<OutgoingCommand>,
    /// Add them to this batch, and raise its total.
    pub(crate) batch: Option<crate::ids::BatchId>,
    /// Hide the messages for so many seconds.
    pub(crate) delay: u32,
}

/// A checked command with its message.
#[derive(Clone, Debug)]
pub(crate) struct OutgoingCommand {
    pub(crate) id: CommandId,
    pub(crate) command_type: String,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) reply_to: Option<QueueName>,
    /// What the row shows.
    pub(crate) max_attempts: u32,
    /// The envelope, JSON text.
    pub(crate) message: String,
}

/// A batch with all its commands.
#[derive(Clone, Debug)]
pub(crate) struct CreateBatch {
    pub(crate) row: NewBatchRow,
    pub(crate) commands: Vec<OutgoingCommand>,
}

/// What became of a group. In all cases but the first nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SendOutcome {
    /// The ids of the messages, in the order of the commands, group by group.
    Sent(Vec<i64>),
    /// A command of that id exists, in the database or twice in the group.
    Duplicate(Domain, CommandId),
    /// The command queue or a reply queue does not exist.
    QueueNotFound(String),
    /// There is no such batch.
    BatchNotFound,
    /// The batch takes no more.
    BatchClosed(BatchStatus),
    /// A batch of that id exists.
    BatchExists,
}
