//! Arguments and results of processes and of plain queues.

use jiff::Timestamp;

use crate::ids::{BatchId, CommandId, ProcessId};
use crate::names::Domain;
use crate::payload::Payload;
use crate::process::ProcessStatus;

/// A process as it begins.
#[derive(Clone, Debug)]
pub(crate) struct NewProcess {
    pub(crate) domain: Domain,
    pub(crate) id: ProcessId,
    pub(crate) process_type: String,
    pub(crate) state: Payload,
    pub(crate) batch_id: Option<BatchId>,
}

/// A process as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct ProcessRow {
    pub(crate) domain: String,
    pub(crate) id: ProcessId,
    pub(crate) process_type: String,
    pub(crate) status: ProcessStatus,
    pub(crate) current_step: Option<String>,
    pub(crate) state: Payload,
    pub(crate) error_code: Option<String>,
    pub(crate) error_message: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Set by `save_process` when the status is terminal.
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) batch_id: Option<BatchId>,
}

/// A step that is sent.
#[derive(Clone, Debug)]
pub(crate) struct StepSent {
    pub(crate) domain: Domain,
    pub(crate) process_id: ProcessId,
    pub(crate) step_name: String,
    pub(crate) command_id: CommandId,
    pub(crate) command_type: String,
    pub(crate) command_data: Payload,
}

/// The reply of a step.
#[derive(Clone, Debug)]
pub(crate) struct StepReply {
    pub(crate) domain: Domain,
    pub(crate) process_id: ProcessId,
    pub(crate) command_id: CommandId,
    /// `SUCCESS`, `FAILED` or `CANCELED`.
    pub(crate) outcome: String,
    pub(crate) data: Option<Payload>,
}

/// What became of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is the first one; the name of its step.
    New(String),
    /// The step has a reply already.
    Duplicate,
    /// No step sent that command.
    Unknown,
}

/// A step as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StepRow {
    pub(crate) id: i64,
    pub(crate) step_name: String,
    pub(crate) command_id: CommandId,
    pub(crate) command_type: String,
    pub(crate) command_data: Option<Payload>,
    pub(crate) sent_at: Timestamp,
    pub(crate) reply_outcome: Option<String>,
    pub(crate) reply_data: Option<Payload>,
    pub(crate) received_at: Option<Timestamp>,
}

/// Which processes to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessQuery {
    pub(crate) domain: Option<Domain>,
    pub(crate) id: Option<ProcessId>,
    pub(crate) process_type: Option<String>,
    /// Any of these; all if empty.
    pub(crate) statuses: Vec<ProcessStatus>,
    pub(crate) batch_id: Option<BatchId>,
    pub(crate) limit: Option<u32>,
    pub(crate) offset: u64,
}

/// A message of any queue.
#[derive(Clone, Debug)]
pub(crate) struct QueueMessage {
    pub(crate) msg_id: i64,
    /// How often it was read, with this time.
    pub(crate) read_count: u32,
    pub(crate) enqueued_at: Timestamp,
    pub(crate) message: Payload,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    /// Delete it.
    Delete,
    /// Move it to the archive.
    Archive,
    /// Hide it for so many seconds from now.
    Hide(u32),
}
