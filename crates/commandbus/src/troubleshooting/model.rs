//! Items of the troubleshooting queue.

use jiff::Timestamp;

use crate::ids::{CommandId, CorrelationId};
use crate::names::Domain;
use crate::payload::Payload;
use crate::storage::operate::{Selection, TsqQuery};

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

/// Chooses items of the troubleshooting queue; everything by default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TroubleshootingFilter {
    /// Only of this type.
    pub command_type: Option<String>,
    /// Only with this code of the last error.
    pub error_code: Option<String>,
    /// Only those that changed last at or before this instant.
    pub updated_before: Option<Timestamp>,
    /// How many at most; 50 by default.
    pub limit: u32,
    /// How many to leave out first; 0 by default.
    pub offset: u64,
}

impl Default for TroubleshootingFilter {
    fn default() -> Self {
        Self {
            command_type: None,
            error_code: None,
            updated_before: None,
            limit: 50,
            offset: 0,
        }
    }
}

impl TroubleshootingFilter {
    /// Starts with everything, 50 items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps commands of this type.
    #[must_use]
    pub fn command_type(mut self, command_type: impl Into<String>) -> Self {
        self.command_type = Some(command_type.into());
        self
    }

    /// Keeps commands with this code of the last error.
    #[must_use]
    pub fn error_code(mut self, code: impl Into<String>) -> Self {
        self.error_code = Some(code.into());
        self
    }

    /// Keeps commands that changed last at or before this instant.
    #[must_use]
    pub fn updated_before(mut self, instant: Timestamp) -> Self {
        self.updated_before = Some(instant);
        self
    }

    /// Sets how many are chosen at most.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Sets how many are left out first.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    pub(super) fn query(self, domain: Option<Domain>) -> TsqQuery {
        let selection = Selection {
            domain,
            id: None,
            command_type: self.command_type,
            error_code: self.error_code,
            updated_before: self.updated_before,
        };
        TsqQuery {
            selection,
            limit: self.limit,
            offset: self.offset,
        }
    }
}

/// A page of the troubleshooting queue.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TroubleshootingPage {
    /// The items of the page, last updated first.
    pub items: Vec<TroubleshootingItem>,
    /// How many items the filter chooses.
    pub total: usize,
    /// Their ids, newest created first.
    pub ids: Vec<CommandId>,
}
