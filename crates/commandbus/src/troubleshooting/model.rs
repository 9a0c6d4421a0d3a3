//! Items of the troubleshooting queue.

use jiff::Timestamp;

use crate::ids::{CommandId, CorrelationId};
use crate::payload::Payload;

/// A command that waits for the decision of a person.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TroubleshootingItem {
    /// The domain.
    pub domain: String,
    /// The id.
    pub command_id: CommandId,
    /// The type.
    pub command_type: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The limit asked for when it was sent.
    pub max_attempts: u32,
    /// The class of the last error: `TRANSIENT` or `PERMANENT`.
    pub last_error_type: Option<String>,
    /// The code of the last error.
    pub last_error_code: Option<String>,
    /// The message of the last error.
    pub last_error_msg: Option<String>,
    /// The correlation id.
    pub correlation_id: Option<CorrelationId>,
    /// The queue that gets the reply.
    pub reply_to: Option<String>,
    /// The whole archived envelope; none if the archive has none.
    pub payload: Option<Payload>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}
