//! Batches: named groups of commands or of processes with counts.

use std::fmt;

use jiff::Timestamp;

use crate::command::{Command, Sent, texts};
use crate::error::Error;
use crate::ids::{BatchId, CommandId, CorrelationId};
use crate::payload::Payload;
use crate::watch::Callback;
pub use crate::watch::CallbackResult;

texts! {
    /// Where a batch stands.
    BatchStatus:
    /// Created; none of its members was received.
    Pending = "PENDING",
    /// At least one member was received.
    InProgress = "IN_PROGRESS",
    /// All members are done, and none failed or was cancelled.
    Completed = "COMPLETED",
    /// All members are decided, and some failed or were cancelled.
    CompletedWithFailures = "COMPLETED_WITH_FAILURES",
}

impl BatchStatus {
    /// Returns true if the status never changes again.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::CompletedWithFailures)
    }
}

texts! {
    /// What the members of a batch are.
    BatchType:
    /// Commands.
    Command = "COMMAND",
    /// Processes.
    Process = "PROCESS",
}

/// A batch as the database has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// The domain.
    pub domain: String,
    /// The id.
    pub batch_id: BatchId,
    /// The name given to it.
    pub name: Option<String>,
    /// The data given with it.
    pub custom_data: Option<Payload>,
    /// The status.
    pub status: BatchStatus,
    /// What its members are.
    pub batch_type: BatchType,
    /// How many members it has.
    pub total_count: u32,
    /// How many are done.
    pub completed_count: u32,
    /// How many a business rule refused.
    pub failed_count: u32,
    /// How many were cancelled.
    pub canceled_count: u32,
    /// How many wait for an operator now.
    pub in_troubleshooting_count: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its first member was received.
    pub started_at: Option<Timestamp>,
    /// When its last member was decided.
    pub completed_at: Option<Timestamp>,
}

/// A batch to create: commands of one domain that are counted together.
#[derive(Clone, Debug)]
#[must_use = "a batch does nothing until it is created"]
pub struct NewBatch {
    pub(crate) domain: String,
    pub(crate) batch_id: BatchId,
    pub(crate) name: Option<String>,
    pub(crate) custom_data: Option<Payload>,
    pub(crate) commands: Vec<BatchCommand>,
    pub(crate) on_complete: Option<Callback>,
}

impl NewBatch {
    /// Starts an empty batch with a random id.
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            batch_id: BatchId::random(),
            name: None,
            custom_data: None,
            commands: Vec::new(),
            on_complete: None,
        }
    }

    /// Sets the id.
    pub fn batch_id(mut self, id: impl Into<BatchId>) -> Self {
        self.batch_id = id.into();
        self
    }

    /// Sets a name for people.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets data that is kept with the batch.
    pub fn custom_data(mut self, data: impl Into<Payload>) -> Self {
        self.custom_data = Some(data.into());
        self
    }

    /// Adds a command.
    pub fn command(mut self, command: BatchCommand) -> Self {
        self.commands.push(command);
        self
    }

    /// Adds commands.
    pub fn commands(mut self, commands: impl IntoIterator<Item = BatchCommand>) -> Self {
        self.commands.extend(commands);
        self
    }

    /// Sets a function that gets the batch when it is finished, by this process or by another.
    ///
    /// It is kept in the memory of this process and runs at most once, after the commit, on a thread
    /// where it may block. Its errors and panics are logged. If the process ends before, the callback
    /// is lost; the batch is not.
    pub fn on_complete(
        mut self,
        callback: impl FnOnce(Batch) -> CallbackResult + Send + 'static,
    ) -> Self {
        self.on_complete = Some(Callback::new(callback));
        self
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> BatchId {
        self.batch_id
    }
}

/// A command of a new batch; its domain is that of the batch.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until its batch is created"]
pub struct BatchCommand(pub(crate) Command);

impl BatchCommand {
    /// Starts a command without data.
    pub fn new(command_type: impl Into<String>, command_id: impl Into<CommandId>) -> Self {
        Self(Command::new(String::new(), command_type, command_id))
    }

    /// Sets the data, a JSON object; `{}` by default.
    pub fn data(self, data: impl Into<Payload>) -> Self {
        Self(self.0.data(data))
    }

    /// Sets the correlation id; a random one by default.
    pub fn correlation_id(self, id: impl Into<CorrelationId>) -> Self {
        Self(self.0.correlation_id(id))
    }

    /// Sets the queue that gets the reply; none by default.
    pub fn reply_to(self, queue: impl Into<String>) -> Self {
        Self(self.0.reply_to(queue))
    }

    /// Limits the attempts of this command, whatever the policy of the worker says.
    pub fn max_attempts(self, attempts: u32) -> Self {
        Self(self.0.max_attempts(attempts))
    }
}

/// What [`create_batch`](crate::CommandBus::create_batch) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedBatch {
    /// The id of the batch.
    pub batch_id: BatchId,
    /// One result for each command, in its order.
    pub results: Vec<Sent>,
    /// How many commands were sent.
    pub total_commands: usize,
}

/// Chooses batches in [`list_batches`](crate::CommandBus::list_batches).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchFilter {
    /// Only of this status.
    pub status: Option<BatchStatus>,
    /// How many at most; 100 by default.
    pub limit: u32,
    /// How many to leave out first; 0 by default.
    pub offset: u64,
}

impl Default for BatchFilter {
    fn default() -> Self {
        Self {
            status: None,
            limit: 100,
            offset: 0,
        }
    }
}

impl BatchFilter {
    /// Starts with everything, the newest 100.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps batches of this status.
    #[must_use]
    pub fn status(mut self, status: BatchStatus) -> Self {
        self.status = Some(status);
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
