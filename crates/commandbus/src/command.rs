//! Commands: as they are sent, as they are stored, and what happened to them.

use std::fmt;

use jiff::Timestamp;

use crate::error::Error;
use crate::ids::{BatchId, CommandId, CorrelationId};
use crate::names::{Domain, QueueName};
use crate::payload::Payload;

/// A command to send: what is to be done, in which domain, under which id.
///
/// ```
/// use commandbus::{Command, CommandId};
/// use serde_json::json;
///
/// let command = Command::new("orders", "Ship", CommandId::random())
///     .data(json!({"order": 17}))
///     .reply_to("orders__replies")
///     .max_attempts(5);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until it is sent"]
pub struct Command {
    pub(crate) domain: String,
    pub(crate) command_type: String,
    pub(crate) command_id: CommandId,
    pub(crate) data: Payload,
    pub(crate) correlation_id: Option<CorrelationId>,
    pub(crate) reply_to: Option<String>,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) batch_id: Option<BatchId>,
    pub(crate) delay: std::time::Duration,
}

impl Command {
    /// Starts a command without data. Names are checked when it is sent.
    pub fn new(
        domain: impl Into<String>,
        command_type: impl Into<String>,
        command_id: impl Into<CommandId>,
    ) -> Self {
        Self {
            domain: domain.into(),
            command_type: command_type.into(),
            command_id: command_id.into(),
            data: Payload::empty(),
            correlation_id: None,
            reply_to: None,
            max_attempts: None,
            batch_id: None,
            delay: std::time::Duration::ZERO,
        }
    }

    /// Sets the data, a JSON object; `{}` by default.
    pub fn data(mut self, data: impl Into<Payload>) -> Self {
        self.data = data.into();
        self
    }

    /// Sets the correlation id; a random one by default.
    pub fn correlation_id(mut self, id: impl Into<CorrelationId>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Sets the queue that gets the reply; none by default.
    pub fn reply_to(mut self, queue: impl Into<String>) -> Self {
        self.reply_to = Some(queue.into());
        self
    }

    /// Limits the attempts of this command, whatever the policy of the worker says. Without it the
    /// policy of the worker decides.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Adds the command to a batch that exists and is not finished.
    pub fn batch_id(mut self, batch: impl Into<BatchId>) -> Self {
        self.batch_id = Some(batch.into());
        self
    }

    /// Hides the command from workers for a while, in whole seconds rounded up; none by default.
    pub fn delay(mut self, delay: std::time::Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> CommandId {
        self.command_id
    }
}

macro_rules! texts {
    ($(#[$doc:meta])* $name:ident: $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Returns the text that is stored.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            pub(crate) fn from_stored(text: &str) -> Result<Self, Error> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    other => Err(Error::encoding(format!(
                        concat!("the database holds the unknown ", stringify!($name), " {:?}"),
                        other
                    ))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::from_stored(text)
                    .map_err(|_| Error::invalid("status", format_args!("{text:?} is no status")))
            }
        }
    };
}
pub(crate) use texts;

texts! {
    /// Where a command stands.
    CommandStatus:
    /// Sent, and not received yet.
    Pending = "PENDING",
    /// Received at least once, and not decided.
    InProgress = "IN_PROGRESS",
    /// Done.
    Completed = "COMPLETED",
    /// Refused by a business rule.
    Failed = "FAILED",
    /// Cancelled by an operator.
    Canceled = "CANCELED",
    /// Waiting for the decision of an operator.
    InTroubleshootingQueue = "IN_TROUBLESHOOTING_QUEUE",
}

impl CommandStatus {
    /// Returns true if the status never changes again.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

/// What the database tells about a command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandRecord {
    /// The domain.
    pub domain: String,
    /// The queue it was sent to.
    pub queue_name: String,
    /// The id of the message that carries it now, or carried it last.
    pub msg_id: Option<i64>,
    /// The id.
    pub command_id: CommandId,
    /// The type.
    pub command_type: String,
    /// The status.
    pub status: CommandStatus,
    /// How often it was received since it was sent, or since an operator retried it.
    pub attempts: u32,
    /// The limit asked for when it was sent.
    pub max_attempts: u32,
    /// The class of the last error: `TRANSIENT`, `PERMANENT` or `BUSINESS_RULE`.
    pub last_error_type: Option<String>,
    /// The code of the last error.
    pub last_error_code: Option<String>,
    /// The message of the last error.
    pub last_error_msg: Option<String>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// The queue that gets the reply.
    pub reply_to: Option<String>,
    /// The correlation id.
    pub correlation_id: Option<CorrelationId>,
    /// The batch it belongs to.
    pub batch_id: Option<BatchId>,
}

/// Chooses commands in [`query_commands`](crate::CommandBus::query_commands); everything by default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CommandFilter {
    /// Only of this status.
    pub status: Option<CommandStatus>,
    /// Only of this domain.
    pub domain: Option<String>,
    /// Only of this type.
    pub command_type: Option<String>,
    /// Only sent at or after this instant.
    pub created_after: Option<Timestamp>,
    /// Only sent at or before this instant.
    pub created_before: Option<Timestamp>,
    /// How many at most; 100 by default.
    pub limit: u32,
    /// How many to leave out first; 0 by default.
    pub offset: u64,
}

impl Default for CommandFilter {
    fn default() -> Self {
        Self {
            status: None,
            domain: None,
            command_type: None,
            created_after: None,
            created_before: None,
            limit: 100,
            offset: 0,
        }
    }
}

impl CommandFilter {
    /// Starts with everything, the newest 100.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps commands of this status.
    #[must_use]
    pub fn status(mut self, status: CommandStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Keeps commands of this domain.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Keeps commands of this type.
    #[must_use]
    pub fn command_type(mut self, command_type: impl Into<String>) -> Self {
        self.command_type = Some(command_type.into());
        self
    }

    /// Keeps commands sent at or after this instant.
    #[must_use]
    pub fn created_after(mut self, instant: Timestamp) -> Self {
        self.created_after = Some(instant);
        self
    }

    /// Keeps commands sent at or before this instant.
    #[must_use]
    pub fn created_before(mut self, instant: Timestamp) -> Self {
        self.created_before = Some(instant);
        self
    }

    /// Sets how many are returned at most.
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
}

/// One event of an audit trail.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// Its number, ascending.
    pub audit_id: i64,
    /// The domain.
    pub domain: String,
    /// The command, or the id of the batch for events of a batch.
    pub command_id: CommandId,
    /// What happened, such as `SENT` or `RECEIVED`. Other writers may add types.
    pub event_type: String,
    /// When its transaction began.
    pub ts: Timestamp,
    /// More about it.
    pub details: Option<Payload>,
}

/// A sent command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Its id.
    pub command_id: CommandId,
    /// The id of its message.
    pub msg_id: i64,
}

/// What [`send_batch`](crate::CommandBus::send_batch) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentBatch {
    /// One result for each request, in its order.
    pub results: Vec<Sent>,
    /// How many transactions it took.
    pub chunks_processed: usize,
    /// How many commands were sent.
    pub total_commands: usize,
}

/// A command whose names and numbers have been checked.
pub(crate) struct Checked {
    pub(crate) domain: Domain,
    pub(crate) reply_to: Option<QueueName>,
}

impl Command {
    pub(crate) fn check(&self) -> Result<Checked, Error> {
        crate::names::check_command_type(&self.command_type)?;
        if !self.data.is_object() {
            return Err(Error::invalid("data", "must be a json object"));
        }
        if self
            .max_attempts
            .is_some_and(|limit| limit == 0 || i32::try_from(limit).is_err())
        {
            return Err(Error::invalid("max_attempts", "must be 1 to 2147483647"));
        }
        Ok(Checked {
            domain: Domain::new(&self.domain)?,
            reply_to: self.reply_to.as_ref().map(QueueName::new).transpose()?,
        })
    }
}
