//! The one error of the crate.

use std::error::Error as StdError;
use std::fmt;

use bifrons::BlockingError;

use crate::command::CommandStatus;
use crate::ids::{BatchId, CommandId};

mod build;

/// Tells what went wrong with an operation, and on what.
///
/// The type is one pointer wide. Its text is one line without payloads; the cause, where there is
/// one, is in [`source`](std::error::Error::source).
pub struct Error {
    inner: Box<Inner>,
}

/// The result of the operations of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A command of that id exists in the domain already; nothing was written.
    DuplicateCommand,
    /// There is no command of that id.
    CommandNotFound,
    /// The thing exists, in a state that does not allow the operation.
    InvalidOperation,
    /// There is no batch of that id in the domain.
    BatchNotFound,
    /// A batch of that id exists in the domain already.
    BatchExists,
    /// A batch needs at least one member.
    EmptyBatch,
    /// There is no process of that id in the domain.
    ProcessNotFound,
    /// A handler is registered for that command type already.
    HandlerAlreadyRegistered,
    /// No handler is registered for that command type.
    HandlerNotFound,
    /// A value was given that can never work.
    InvalidArgument,
    /// The queue does not exist.
    QueueNotFound,
    /// The attempt does not own its message any more: its lease ran out, and another attempt or an
    /// operator decided. Nothing was changed.
    LeaseLost,
    /// The worker or router is running already.
    AlreadyRunning,
    /// The blocking runtime was shut down.
    RuntimeClosed,
    /// A blocking call was made where it would wait for itself, or stop an executor.
    WouldDeadlock,
    /// A limit of time set on the call from outside ran out, or the call was cancelled.
    Interrupted,
    /// The database has no PGMQ, and the setup mode does not allow to install it.
    PgmqMissing,
    /// The schema of the bus is not there; run the setup.
    SchemaMissing,
    /// The driver of this database does not offer the operation.
    Unsupported,
    /// A value in the database, or one given by the caller, cannot be decoded or encoded.
    Encoding,
    /// The database failed, or could not be reached.
    Database,
}

#[derive(Default)]
struct Facts {
    domain: Option<Box<str>>,
    command_id: Option<CommandId>,
    batch_id: Option<BatchId>,
    command_type: Option<Box<str>>,
    queue: Option<Box<str>>,
    name: Option<&'static str>,
    status: Option<CommandStatus>,
    msg_id: Option<i64>,
    attempt: Option<u32>,
    committed: Option<usize>,
    timeout: bool,
    pool_timeout: bool,
    retryable: bool,
}

struct Inner {
    kind: ErrorKind,
    text: Box<str>,
    facts: Facts,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the domain the operation was about.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.inner.facts.domain.as_deref()
    }

    /// Returns the command the operation was about.
    #[must_use]
    pub fn command_id(&self) -> Option<CommandId> {
        self.inner.facts.command_id
    }

    /// Returns the batch the operation was about.
    #[must_use]
    pub fn batch_id(&self) -> Option<BatchId> {
        self.inner.facts.batch_id
    }

    /// Returns the command type, of errors about handlers.
    #[must_use]
    pub fn command_type(&self) -> Option<&str> {
        self.inner.facts.command_type.as_deref()
    }

    /// Returns the queue, of [`ErrorKind::QueueNotFound`].
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        self.inner.facts.queue.as_deref()
    }

    /// Returns the name of the argument, of [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub fn argument(&self) -> Option<&'static str> {
        self.inner.facts.name
    }

    /// Returns the status that did not allow the operation.
    #[must_use]
    pub fn status(&self) -> Option<CommandStatus> {
        self.inner.facts.status
    }

    /// Returns the message id of the attempt, of [`ErrorKind::LeaseLost`].
    #[must_use]
    pub fn msg_id(&self) -> Option<i64> {
        self.inner.facts.msg_id
    }

    /// Returns the number of the attempt, of [`ErrorKind::LeaseLost`].
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        self.inner.facts.attempt
    }

    /// Returns how many commands of a `send_batch` were committed before it failed; they stay sent.
    #[must_use]
    pub fn committed(&self) -> Option<usize> {
        self.inner.facts.committed
    }

    /// Returns true if a command of that id exists already.
    #[must_use]
    pub fn is_duplicate_command(&self) -> bool {
        self.inner.kind == ErrorKind::DuplicateCommand
    }

    /// Returns true if the command, batch, process or queue does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(
            self.inner.kind,
            ErrorKind::CommandNotFound
                | ErrorKind::BatchNotFound
                | ErrorKind::ProcessNotFound
                | ErrorKind::QueueNotFound
        )
    }

    /// Returns true if the attempt does not own its message any more.
    #[must_use]
    pub fn is_lease_lost(&self) -> bool {
        self.inner.kind == ErrorKind::LeaseLost
    }

    /// Returns true if time ran out: of a statement, of the wait for a connection, or of the call.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.facts.timeout || self.inner.facts.pool_timeout
    }

    /// Returns true if no connection of the pool became free in time.
    #[must_use]
    pub fn is_pool_timeout(&self) -> bool {
        self.inner.facts.pool_timeout
    }

    /// Returns true if the same operation may succeed later: the database was busy, restarting, out
    /// of reach, or chose this transaction as the victim of a deadlock.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.inner.facts.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.inner.kind)
            .field("text", &self.inner.text);
        if let Some(source) = &self.inner.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<BlockingError> for Error {
    fn from(error: BlockingError) -> Self {
        let kind = if error.is_misuse() {
            ErrorKind::WouldDeadlock
        } else if error.is_closed() {
            ErrorKind::RuntimeClosed
        } else {
            ErrorKind::Interrupted
        };
        let timeout = error.is_timeout();
        let mut made = Self::new(kind, error.to_string());
        made.inner.facts.timeout = timeout;
        made.inner.facts.retryable = timeout;
        made.inner.source = Some(Box::new(error));
        made
    }
}
