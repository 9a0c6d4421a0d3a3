//! Arguments and results of leasing.

use jiff::Timestamp;

use crate::ids::{BatchId, CommandId, CorrelationId};
use crate::names::Domain;
use crate::payload::Payload;

/// What to lease.
#[derive(Clone, Debug)]
pub(crate) struct LeaseRequest {
    pub(crate) domain: Domain,
    /// How long the lease lasts, in seconds.
    pub(crate) visibility: u32,
    /// How many messages at most.
    pub(crate) limit: u32,
    /// The limit of attempts for commands that bring none.
    pub(crate) max_attempts: u32,
    /// Messages whose handlers run in the asking worker: their attempts are counted, and they are
    /// handed out, but never sorted out for too many attempts.
    pub(crate) running: Vec<i64>,
}

/// What was leased, in the order of the messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leased {
    pub(crate) deliveries: Vec<LeasedCommand>,
    /// Messages that were archived because nobody may run them.
    pub(crate) discarded: Vec<Discarded>,
    /// Commands that were moved to the troubleshooting queue because their leases ran out too often.
    pub(crate) exhausted: Vec<Exhausted>,
}

/// A command under lease: the message with what the row adds.
#[derive(Clone, Debug)]
pub(crate) struct LeasedCommand {
    pub(crate) msg_id: i64,
    pub(crate) command_id: CommandId,
    pub(crate) command_type: String,
    pub(crate) data: Payload,
    pub(crate) correlation_id: Option<CorrelationId>,
    /// Any name a sender wrote; it may not be a queue.
    pub(crate) reply_to: Option<String>,
    pub(crate) attempt: u32,
    /// The effective limit: of the message, or of the request.
    pub(crate) max_attempts: u32,
    pub(crate) batch_id: Option<BatchId>,
    pub(crate) created_at: Timestamp,
    pub(crate) lease_expires_at: Timestamp,
}

/// A message that was archived instead of handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discarded {
    pub(crate) msg_id: i64,
    pub(crate) reason: DiscardReason,
}

/// Why a message was archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiscardReason {
    /// No object, or no usable command id.
    Malformed,
    /// No row has the id.
    NoCommand,
    /// The command is decided, or waits for an operator.
    NotOpen,
    /// The message names another domain.
    OtherDomain,
}

/// A command that lost its last lease.
#[derive(Clone, Debug)]
pub(crate) struct Exhausted {
    pub(crate) msg_id: i64,
    pub(crate) command_id: CommandId,
    pub(crate) attempt: u32,
}
