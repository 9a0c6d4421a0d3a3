//! How errors are made: one constructor for each thing that can be said.

use std::error::Error as StdError;

use super::{Error, ErrorKind, Facts, Inner};
use crate::command::CommandStatus;
use crate::ids::{BatchId, CommandId};

impl Error {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<Box<str>>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                text: text.into(),
                facts: Facts::default(),
                source: None,
            }),
        }
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    pub(crate) fn invalid(name: &'static str, text: impl std::fmt::Display) -> Self {
        let mut made = Self::new(ErrorKind::InvalidArgument, format!("{name}: {text}"));
        made.inner.facts.name = Some(name);
        made
    }

    pub(crate) fn duplicate(domain: &str, id: CommandId) -> Self {
        let mut made = Self::new(
            ErrorKind::DuplicateCommand,
            format!("command {id} exists already in domain {domain}"),
        );
        made.inner.facts.domain = Some(domain.into());
        made.inner.facts.command_id = Some(id);
        made
    }

    /// Says how many commands of a larger call stay sent although it failed.
    pub(crate) fn committed_before(mut self, committed: usize) -> Self {
        self.inner.facts.committed = Some(committed);
        if committed > 0 {
            self.inner.text = format!(
                "{} ({committed} commands before it are sent)",
                self.inner.text
            )
            .into();
        }
        self
    }

    pub(crate) fn command_not_found(domain: Option<&str>, id: CommandId) -> Self {
        let place = domain
            .map(|domain| format!(" in domain {domain}"))
            .unwrap_or_default();
        let mut made = Self::new(
            ErrorKind::CommandNotFound,
            format!("there is no command {id}{place}"),
        );
        made.inner.facts.domain = domain.map(Into::into);
        made.inner.facts.command_id = Some(id);
        made
    }

    pub(crate) fn wrong_status(domain: &str, id: CommandId, status: CommandStatus) -> Self {
        Self::in_status(
            format!("command {id} is not in the troubleshooting queue: its status is {status}"),
            domain,
            id,
            status,
        )
    }

    pub(crate) fn not_pending(domain: &str, id: CommandId, status: CommandStatus) -> Self {
        Self::in_status(
            format!("command {id} is not pending: its status is {status}"),
            domain,
            id,
            status,
        )
    }

    fn in_status(text: String, domain: &str, id: CommandId, status: CommandStatus) -> Self {
        let mut made = Self::new(ErrorKind::InvalidOperation, text);
        made.inner.facts.domain = Some(domain.into());
        made.inner.facts.command_id = Some(id);
        made.inner.facts.status = Some(status);
        made
    }

    pub(crate) fn invalid_operation(text: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::InvalidOperation, text)
    }

    pub(crate) fn batch(kind: ErrorKind, domain: &str, id: BatchId) -> Self {
        let text = match kind {
            ErrorKind::BatchNotFound => format!("there is no batch {id} in domain {domain}"),
            ErrorKind::BatchExists => format!("batch {id} exists already in domain {domain}"),
            ErrorKind::EmptyBatch => format!("batch {id} of domain {domain} has no members"),
            _ => format!("batch {id} of domain {domain} is finished and takes no more commands"),
        };
        let mut made = Self::new(kind, text);
        made.inner.facts.domain = Some(domain.into());
        made.inner.facts.batch_id = Some(id);
        made
    }

    pub(crate) fn queue_not_found(queue: &str) -> Self {
        let mut made = Self::new(
            ErrorKind::QueueNotFound,
            format!("there is no queue {queue}: create it first"),
        );
        made.inner.facts.queue = Some(queue.into());
        made
    }

    pub(crate) fn handler(kind: ErrorKind, domain: &str, command_type: &str) -> Self {
        let text = match kind {
            ErrorKind::HandlerAlreadyRegistered => {
                format!("a handler for {domain}/{command_type} is registered already")
            }
            _ => format!("no handler is registered for {domain}/{command_type}"),
        };
        let mut made = Self::new(kind, text);
        made.inner.facts.domain = Some(domain.into());
        made.inner.facts.command_type = Some(command_type.into());
        made
    }

    pub(crate) fn lease_lost(msg_id: i64, attempt: u32) -> Self {
        let mut made = Self::new(
            ErrorKind::LeaseLost,
            format!("attempt {attempt} does not own message {msg_id} any more"),
        );
        made.inner.facts.msg_id = Some(msg_id);
        made.inner.facts.attempt = Some(attempt);
        made
    }

    pub(crate) fn encoding(text: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Encoding, text)
    }

    pub(crate) fn database(text: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Database, text)
    }

    pub(crate) fn retryable(mut self, retryable: bool) -> Self {
        self.inner.facts.retryable = retryable;
        self
    }

    pub(crate) fn timed_out(mut self, timeout: bool) -> Self {
        self.inner.facts.timeout = timeout;
        self
    }

    pub(crate) fn pool_timed_out(mut self) -> Self {
        self.inner.facts.pool_timeout = true;
        self.inner.facts.retryable = true;
        self
    }
}
