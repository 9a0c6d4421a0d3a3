//! The seam between the bus and its databases.
//!
//! A [`Driver`] offers verbs and not rows: each verb is one unit of the list of transactions (send,
//! receive, finish, operator action, ...), with all that belongs to it: queue, row, audit event,
//! batch count, reply and wake-up. A verb takes a group wherever the work comes in groups, because
//! one statement for a hundred commands costs little more than one for one. So PostgreSQL can be one
//! round trip of one function, and SQLite one job of its writer, and no caller knows which it was.
//!
//! A verb that takes [`On`] runs as a transaction of its own ([`On::Own`]), or inside one that the
//! caller began; then it neither commits nor leaves the transaction unusable when it refuses. What
//! can be refused is therefore a value in the result, and [`Error`](crate::Error) is left for what
//! failed. Arguments are owned: a driver may hand them to a thread, or use them twice when the
//! database chose a transaction as the victim of a deadlock.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use crate::command::{AuditEvent, CommandFilter, CommandRecord};
use crate::error::Result;
use crate::ids::{BatchId, CommandId, ProcessId};
use crate::names::{Domain, QueueName};

pub(crate) mod batches;
pub(crate) mod finish;
pub(crate) mod lease;
pub(crate) mod operate;
pub(crate) mod process;
pub(crate) mod send;
pub(crate) mod setup;

#[cfg(feature = "postgres")]
pub(crate) mod postgres;

use self::batches::{BatchQuery, StoredBatch};
use self::finish::{FinishItem, FinishReport, Held};
use self::lease::{LeaseRequest, Leased};
use self::operate::{OperateReport, Operation, Selection, TsqQuery};
use self::process::{
    NewProcess, ProcessQuery, ProcessRow, QueueMessage, Settle, StepReply, StepRow, StepSent,
};
use self::send::{CreateBatch, Outgoing, SendOutcome};
use self::setup::{Capabilities, QueueStats, SetupMode};
use crate::batch::Batch;
use crate::troubleshooting::TroubleshootingItem;

/// What a verb returns: a boxed future, `Send`.
pub(crate) type Fut<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Where a verb runs.
pub(crate) enum On<'a> {
    /// In a transaction of its own, which is retried when the database asks for that.
    Own,
    /// In a transaction that `Driver::begin` opened.
    Tx(&'a mut (dyn OpenTransaction + 'static)),
    /// In a transaction of the caller's own connection.
    #[cfg(feature = "postgres")]
    Joined(&'a tokio_postgres::Transaction<'a>),
}

impl On<'_> {
    /// The same place again, for several verbs in a row.
    pub(crate) fn again(&mut self) -> On<'_> {
        match self {
            Self::Own => On::Own,
            Self::Tx(tx) => On::Tx(&mut **tx),
            #[cfg(feature = "postgres")]
            Self::Joined(tx) => On::Joined(tx),
        }
    }

    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }
}

/// An open transaction. Dropped without a commit it is rolled back.
pub(crate) trait OpenTransaction: Debug + Send {
    /// Commits. An error leaves open whether the transaction took effect only if the connection
    /// broke.
    fn commit(self: Box<Self>) -> Fut<'static, ()>;
    /// Rolls back.
    fn rollback(self: Box<Self>) -> Fut<'static, ()>;
    /// Runs a statement of the caller; returns the number of rows it touched.
    fn execute(&mut self, sql: String, params: Vec<serde_json::Value>) -> Fut<'_, u64>;
    /// For the driver to find its own type again.
    fn as_any(&mut self) -> &mut (dyn std::any::Any + Send);
}

/// A database that holds queues, commands, batches and processes.
pub(crate) trait Driver: Debug + Send + Sync + 'static {
    /// What the driver can do besides.
    fn capabilities(&self) -> Capabilities;

    /// Begins a transaction for several verbs.
    fn begin(&self) -> Fut<'_, Box<dyn OpenTransaction>>;

    // --- setup and queues ---

    /// Brings the schema to its final shape; true if that changed anything.
    fn setup(&self, mode: SetupMode) -> Fut<'_, bool>;
    /// True if the schema is there in its final shape.
    fn schema_exists(&self) -> Fut<'_, bool>;
    /// Creates a queue unless it is there.
    fn create_queue(&self, queue: QueueName) -> Fut<'_, ()>;
    /// True if the queue is there.
    fn queue_exists(&self, queue: QueueName) -> Fut<'_, bool>;
    /// Counts the messages of a queue; none if it does not exist.
    fn queue_stats(&self, queue: QueueName) -> Fut<'_, Option<QueueStats>>;

    // --- sending ---

    /// Sends groups of commands, all or none.
    fn send<'a>(&'a self, on: On<'a>, groups: Vec<Outgoing>) -> Fut<'a, SendOutcome>;
    /// Creates a batch with all its commands, all or none.
    fn create_batch<'a>(&'a self, on: On<'a>, batch: CreateBatch) -> Fut<'a, SendOutcome>;
    /// Withdraws commands that no worker received yet.
    fn cancel_pending<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        ids: Vec<CommandId>,
        reason: String,
        operator: Option<String>,
    ) -> Fut<'a, OperateReport>;

    // --- working ---

    /// Leases messages and counts the attempts; sorts out what no handler may see.
    fn lease(&self, request: LeaseRequest) -> Fut<'_, Leased>;
    /// Settles attempts in one transaction, each fenced by itself.
    fn finish(&self, domain: Domain, items: Vec<FinishItem>) -> Fut<'_, FinishReport>;
    /// Moves the end of leases to `seconds` from now; false for each that is no longer held.
    fn extend(&self, domain: Domain, held: Vec<Held>, seconds: u32) -> Fut<'_, Vec<bool>>;
    /// Gives leases back that no handler began: visible at once, the attempt not counted.
    fn release(&self, domain: Domain, held: Vec<Held>) -> Fut<'_, ()>;

    // --- operating ---

    /// Applies one operator action to commands in the troubleshooting queue.
    fn operate<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        ids: Vec<CommandId>,
        operation: Operation,
    ) -> Fut<'a, OperateReport>;
    /// Lists what is in the troubleshooting queue.
    fn tsq_list(&self, query: TsqQuery) -> Fut<'_, Vec<TroubleshootingItem>>;
    /// Counts what is in the troubleshooting queue.
    fn tsq_count(&self, selection: Selection) -> Fut<'_, u64>;
    /// The ids that a selection means, newest created first.
    fn tsq_ids(
        &self,
        selection: Selection,
        limit: Option<u32>,
    ) -> Fut<'_, Vec<(String, CommandId)>>;
    /// The domains that have items, sorted.
    fn tsq_domains(&self) -> Fut<'_, Vec<String>>;
    /// The domains in which a command of that id exists.
    fn command_domains(&self, id: CommandId) -> Fut<'_, Vec<String>>;

    // --- looking ---

    /// One command.
    fn command<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        id: CommandId,
    ) -> Fut<'a, Option<CommandRecord>>;
    /// Commands, newest created first.
    fn commands(&self, filter: CommandFilter) -> Fut<'_, Vec<CommandRecord>>;
    /// The events of a command or batch, in order.
    fn audit(&self, id: CommandId, domain: Option<Domain>) -> Fut<'_, Vec<AuditEvent>>;
    /// One batch.
    fn batch<'a>(&'a self, on: On<'a>, domain: Domain, id: BatchId)
    -> Fut<'a, Option<StoredBatch>>;
    /// Batches, newest created first.
    fn batches(&self, query: BatchQuery) -> Fut<'_, Vec<Batch>>;
    /// The commands of a batch, oldest created first.
    fn batch_commands(&self, query: batches::MemberQuery) -> Fut<'_, Vec<CommandRecord>>;
    /// Counts a batch anew; the batch, and true if that finished it.
    fn refresh_batch(&self, domain: Domain, id: BatchId) -> Fut<'_, Option<StoredBatch>>;

    // --- processes ---

    /// Creates a batch of processes that will be started one by one; false if the id is taken.
    fn create_process_batch<'a>(&'a self, on: On<'a>, batch: batches::NewBatchRow)
    -> Fut<'a, bool>;
    /// Inserts a process.
    fn insert_process<'a>(&'a self, on: On<'a>, process: NewProcess) -> Fut<'a, ()>;
    /// Reads a process and keeps others from changing it until the transaction ends.
    fn lock_process<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        id: ProcessId,
    ) -> Fut<'a, Option<ProcessRow>>;
    /// Writes what can change of a process.
    fn save_process<'a>(&'a self, on: On<'a>, process: ProcessRow) -> Fut<'a, ()>;
    /// Notes that a step was sent.
    fn step_sent<'a>(&'a self, on: On<'a>, step: StepSent) -> Fut<'a, ()>;
    /// Notes the reply of a step, once.
    fn step_replied<'a>(&'a self, on: On<'a>, reply: StepReply) -> Fut<'a, process::Recorded>;
    /// The steps of a process, by the time they were sent.
    fn steps<'a>(&'a self, on: On<'a>, domain: Domain, id: ProcessId) -> Fut<'a, Vec<StepRow>>;
    /// Processes, newest created first.
    fn processes(&self, query: ProcessQuery) -> Fut<'_, Vec<ProcessRow>>;
    /// Reads messages of any queue and hides them for `visibility` seconds.
    fn read_messages(
        &self,
        queue: QueueName,
        visibility: u32,
        limit: u32,
    ) -> Fut<'_, Vec<QueueMessage>>;
    /// Deletes, archives or hides messages; true for each that was there.
    fn settle_messages<'a>(
        &'a self,
        on: On<'a>,
        queue: QueueName,
        settle: Vec<(i64, Settle)>,
    ) -> Fut<'a, Vec<bool>>;

    // --- waking up ---

    /// Subscribes to channels: those of queues and of finished batches.
    fn listen(&self, channels: Vec<String>) -> Fut<'_, Box<dyn Wakeups>>;
}

/// A subscription. What it tells may be late, early or twice; looking at the tables is the truth.
pub(crate) trait Wakeups: Debug + Send {
    /// Waits for something to look at. It reconnects by itself and never fails; dropping the
    /// future loses nothing.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Wake> + Send + '_>>;
}

/// Why to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Something was sent to the channel.
    Notified {
        /// The channel.
        channel: String,
        /// What was sent: empty for queues, the id of the batch for batches.
        payload: String,
    },
    /// The subscription was lost and is back: anything may have happened meanwhile.
    Resubscribed,
}
