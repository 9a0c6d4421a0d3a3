//! The bus: sending commands and looking at them.

use std::time::Duration;

use crate::batch::{Batch, BatchFilter, CreatedBatch, NewBatch};
use crate::command::{
    AuditEvent, Command, CommandFilter, CommandRecord, CommandStatus, Sent, SentBatch,
};
use crate::database::Database;
use crate::error::{Error, Result};
use crate::ids::{BatchId, CommandId};
use crate::names::Domain;
use crate::storage::On;
use crate::storage::batches::{BatchQuery, MemberQuery};
use crate::transaction::TransactionRef;
use crate::watch;

mod sending;

/// How many commands of a `send_batch` share a transaction by default.
const CHUNK_SIZE: usize = 1000;

/// Sends commands, and tells what became of them.
///
/// It is made by [`Database::bus`], and cheap to clone.
#[derive(Clone, Debug)]
pub struct CommandBus {
    database: Database,
    default_max_attempts: u32,
}

impl CommandBus {
    pub(crate) fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            default_max_attempts: 3,
        }
    }
}

#[bifrons::dual(blocking = crate::blocking::CommandBus)]
impl CommandBus {
    /// Sets the limit of attempts that is shown for commands that were sent without one; 3 by
    /// default. The policy of the worker decides about them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for 0 and for more than 2147483647.
    pub fn with_default_max_attempts(mut self, attempts: u32) -> Result<Self> {
        if attempts == 0 || i32::try_from(attempts).is_err() {
            return Err(Error::invalid(
                "default_max_attempts",
                "must be 1 to 2147483647",
            ));
        }
        self.default_max_attempts = attempts;
        Ok(self)
    }

    /// Returns the database.
    #[must_use]
    #[blocking(wrap = crate::blocking::Database)]
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Sends a command: message, row and audit event in one transaction.
    ///
    /// The id is the key of idempotency: a second command of the same id in the same domain is
    /// refused, also when two are sent at the same moment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DuplicateCommand`](crate::ErrorKind::DuplicateCommand), [`ErrorKind::QueueNotFound`](crate::ErrorKind::QueueNotFound) if the command queue or the
    /// reply queue does not exist, [`ErrorKind::BatchNotFound`](crate::ErrorKind::BatchNotFound), [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation) if
    /// the batch is finished, [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument). Nothing is written then.
    /// [`ErrorKind::Database`](crate::ErrorKind::Database): if the connection broke it is not known whether the command was
    /// sent; send it again with the same id.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the command may or may not be sent; send it again with the same id.
    pub async fn send(&self, command: Command) -> Result<Sent> {
        self.send_one(On::Own, command).await
    }

    /// Sends a command inside a transaction of the caller. A refusal leaves the transaction usable.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a transaction of another
    /// kind of database.
    pub async fn send_in<'t>(
        &self,
        transaction: impl Into<TransactionRef<'t>> + Send,
        command: Command,
    ) -> Result<Sent> {
        let transaction: TransactionRef<'_> = transaction.into();
        self.send_one(transaction.on()?, command).await
    }

    /// Sends a command, or returns what is there if its id exists already.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), without [`ErrorKind::DuplicateCommand`](crate::ErrorKind::DuplicateCommand).
    pub async fn send_or_get(&self, command: Command) -> Result<CommandRecord> {
        let domain = Domain::new(&command.domain)?;
        let id = command.command_id;
        match self.send_one(On::Own, command).await {
            Ok(_) => {}
            Err(error) if error.is_duplicate_command() => {}
            Err(error) => return Err(error),
        }
        let stored = self
            .database
            .driver()
            .command(On::Own, domain.clone(), id)
            .await?;
        stored.ok_or_else(|| Error::command_not_found(Some(domain.as_str()), id))
    }

    /// Sends commands of any domains, 1000 in each transaction.
    ///
    /// # Errors
    ///
    /// As [`send_batch_chunked`](Self::send_batch_chunked).
    pub async fn send_batch(&self, commands: Vec<Command>) -> Result<SentBatch> {
        self.send_chunks(commands, CHUNK_SIZE).await
    }

    /// Sends commands of any domains, `chunk_size` in each transaction, in their order.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). A chunk is sent as a whole or not at all; chunks before the one that
    /// failed stay sent, and [`Error::committed`] says how many commands they are.
    pub async fn send_batch_chunked(
        &self,
        commands: Vec<Command>,
        chunk_size: usize,
    ) -> Result<SentBatch> {
        self.send_chunks(commands, chunk_size).await
    }

    /// Sends commands of any domains inside a transaction of the caller, all or none.
    ///
    /// # Errors
    ///
    /// As [`send_in`](Self::send_in).
    pub async fn send_batch_in<'t>(
        &self,
        transaction: impl Into<TransactionRef<'t>> + Send,
        commands: Vec<Command>,
    ) -> Result<SentBatch> {
        let transaction: TransactionRef<'_> = transaction.into();
        self.send_all(transaction.on()?, commands).await
    }

    /// Creates a batch with its commands, whatever their number, in one transaction.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::EmptyBatch`](crate::ErrorKind::EmptyBatch), [`ErrorKind::BatchExists`](crate::ErrorKind::BatchExists), [`ErrorKind::DuplicateCommand`](crate::ErrorKind::DuplicateCommand) also
    /// for an id that the batch holds twice, [`ErrorKind::QueueNotFound`](crate::ErrorKind::QueueNotFound),
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument). Nothing is written then.
    pub async fn create_batch(&self, batch: NewBatch) -> Result<CreatedBatch> {
        self.create_batch_on(On::Own, batch).await
    }

    /// Creates a batch inside a transaction of the caller. A refusal leaves the transaction usable.
    ///
    /// # Errors
    ///
    /// As [`create_batch`](Self::create_batch).
    pub async fn create_batch_in<'t>(
        &self,
        transaction: impl Into<TransactionRef<'t>> + Send,
        batch: NewBatch,
    ) -> Result<CreatedBatch> {
        let transaction: TransactionRef<'_> = transaction.into();
        self.create_batch_on(transaction.on()?, batch).await
    }

    /// Withdraws a command that no worker received yet: it is cancelled, and its sender gets a reply
    /// that says so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CommandNotFound`](crate::ErrorKind::CommandNotFound); [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation) if it is not pending.
    pub async fn cancel_pending(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
        reason: impl Into<String> + Send,
    ) -> Result<()> {
        self.withdraw(Domain::new(domain)?, id.into(), reason.into())
            .await
    }

    /// Returns a command, or none if there is none of that id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that no domain can have,
    /// [`ErrorKind::SchemaMissing`](crate::ErrorKind::SchemaMissing), [`ErrorKind::Database`](crate::ErrorKind::Database).
    pub async fn get_command(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
    ) -> Result<Option<CommandRecord>> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        self.database.driver().command(On::Own, domain, id).await
    }

    /// Returns a command as a transaction of the caller sees it.
    ///
    /// # Errors
    ///
    /// As [`get_command`](Self::get_command).
    pub async fn get_command_in<'t>(
        &self,
        transaction: impl Into<TransactionRef<'t>> + Send,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
    ) -> Result<Option<CommandRecord>> {
        let transaction: TransactionRef<'_> = transaction.into();
        let (domain, id) = (Domain::new(domain)?, id.into());
        self.database
            .driver()
            .command(transaction.on()?, domain, id)
            .await
    }

    /// Returns true if there is a command of that id in the domain.
    ///
    /// # Errors
    ///
    /// As [`get_command`](Self::get_command).
    pub async fn command_exists(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
    ) -> Result<bool> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        Ok(self
            .database
            .driver()
            .command(On::Own, domain, id)
            .await?
            .is_some())
    }

    /// Returns what happened to a command in all domains that know its id, in order. The id of a
    /// batch, as a command id, gives the events of the batch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SchemaMissing`](crate::ErrorKind::SchemaMissing), [`ErrorKind::Database`](crate::ErrorKind::Database).
    pub async fn get_audit_trail(
        &self,
        id: impl Into<CommandId> + Send,
    ) -> Result<Vec<AuditEvent>> {
        let id = id.into();
        self.database.driver().audit(id, None).await
    }

    /// Returns what happened to a command of one domain, in order.
    ///
    /// # Errors
    ///
    /// As [`get_command`](Self::get_command).
    pub async fn get_audit_trail_of(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<CommandId> + Send,
    ) -> Result<Vec<AuditEvent>> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        self.database.driver().audit(id, Some(domain)).await
    }

    /// Returns the commands that a filter chooses, newest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SchemaMissing`](crate::ErrorKind::SchemaMissing), [`ErrorKind::Database`](crate::ErrorKind::Database).
    pub async fn query_commands(&self, filter: CommandFilter) -> Result<Vec<CommandRecord>> {
        self.database.driver().commands(filter).await
    }

    /// Returns a batch, or none if there is none of that id.
    ///
    /// # Errors
    ///
    /// As [`get_command`](Self::get_command).
    pub async fn get_batch(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<BatchId> + Send,
    ) -> Result<Option<Batch>> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        Ok(self
            .database
            .driver()
            .batch(On::Own, domain, id)
            .await?
            .map(|stored| stored.batch))
    }

    /// Waits until a batch is finished, by whatever process, and returns it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BatchNotFound`](crate::ErrorKind::BatchNotFound);
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted), a timeout, if the batch is not
    /// finished after `limit`; [`ErrorKind::Database`](crate::ErrorKind::Database).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed; wait again.
    pub async fn wait_for_batch(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<BatchId> + Send,
        limit: Duration,
    ) -> Result<Batch> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        watch::wait(self.database.driver(), domain, id, limit).await
    }

    /// Returns the batches of a domain that a filter chooses, newest first.
    ///
    /// # Errors
    ///
    /// As [`get_command`](Self::get_command).
    pub async fn list_batches(
        &self,
        domain: impl AsRef<str> + Send,
        filter: BatchFilter,
    ) -> Result<Vec<Batch>> {
        let BatchFilter {
            status,
            limit,
            offset,
        } = filter;
        let query = BatchQuery {
            domain: Domain::new(domain)?,
            status,
            limit,
            offset,
        };
        self.database.driver().batches(query).await
    }

    /// Returns commands of a batch, of all statuses or of one, oldest first.
    ///
    /// # Errors
    ///
    /// As [`get_command`](Self::get_command).
    pub async fn list_batch_commands(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<BatchId> + Send,
        status: Option<CommandStatus>,
        limit: u32,
        offset: u64,
    ) -> Result<Vec<CommandRecord>> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        let query = MemberQuery {
            domain,
            id,
            status,
            limit,
            offset,
        };
        self.database.driver().batch_commands(query).await
    }

    /// Counts the members of a batch anew and returns it, or none if there is none of that id.
    ///
    /// Counts are exact without it, unless another program changed rows by hand or the batch is one
    /// of processes, whose commands in the troubleshooting queue are counted here only.
    ///
    /// # Errors
    ///
    /// As [`get_command`](Self::get_command).
    pub async fn refresh_batch(
        &self,
        domain: impl AsRef<str> + Send,
        id: impl Into<BatchId> + Send,
    ) -> Result<Option<Batch>> {
        let (domain, id) = (Domain::new(domain)?, id.into());
        self.refresh(domain, id).await
    }
}
