//! The driver for PostgreSQL.
//!
//! The verbs are functions in the database (`schema/*.sql`), set-based, one statement and one round
//! trip each, without prepared statements and session settings: so they work behind a pooler, hold
//! a connection for one statement, and run alike alone and inside a transaction of the caller.
//! Nothing runs in the background: a connection is driven by whoever waits for it.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::{Config, Row};

mod coalesce;
mod conn;
mod failure;
mod finish;
mod lease;
mod listen;
mod operate;
mod pool;
mod process;
mod query;
mod send;
mod setup;
#[cfg(test)]
mod tests;
mod transaction;
mod values;

pub(crate) use self::pool::PoolConfig;
pub use self::setup::{replace_embedded_sql, schema_sql};

use self::conn::Param;
use self::pool::Pool;
use self::transaction::{PgTransaction, Runner};
use crate::command::{AuditEvent, CommandFilter, CommandRecord};
use crate::error::{Error, Result};
use crate::ids::{BatchId, CommandId, ProcessId};
use crate::names::{Domain, QueueName};
use crate::storage::batches::{BatchQuery, MemberQuery, NewBatchRow, StoredBatch};
use crate::storage::finish::{FinishItem, FinishReport, Held};
use crate::storage::lease::{LeaseRequest, Leased};
use crate::storage::operate::{OperateReport, Operation, Selection, TsqQuery};
use crate::storage::process::{
    NewProcess, ProcessQuery, ProcessRow, QueueMessage, Recorded, Settle, StepReply, StepRow,
    StepSent,
};
use crate::storage::send::{CreateBatch, Outgoing, SendOutcome};
use crate::storage::setup::{Capabilities, QueueStats, SetupMode};
use crate::storage::{Driver, Fut, On, OpenTransaction, Wakeups};
use crate::troubleshooting::TroubleshootingItem;

/// How often a transaction that met a conflict is run again, and how long the first pause is.
const CONFLICT_RETRIES: u32 = 5;
const CONFLICT_PAUSE: Duration = Duration::from_millis(5);

/// The driver.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pool: Arc<Pool>,
    listen: Arc<Config>,
    sends: Arc<coalesce::Sends>,
}

impl Postgres {
    /// Takes a URL or a list of `key=value`; no connection is made yet.
    pub(crate) fn new(url: &str, listen_url: Option<&str>, limits: PoolConfig) -> Result<Self> {
        let config = parse("database_url", url, &limits)?;
        let listen = match listen_url {
            Some(url) => parse("listen_url", url, &limits)?,
            None => config.clone(),
        };
        Ok(Self {
            pool: Arc::new(Pool::new(config, limits)),
            listen: Arc::new(listen),
            sends: Arc::default(),
        })
    }

    /// Connects once, to tell at once that the address is wrong.
    pub(crate) async fn check(&self) -> Result<()> {
        drop(self.pool.get().await?);
        Ok(())
    }

    /// Runs one statement: alone, and then again when it met a conflict, or in a transaction.
    async fn query(&self, on: On<'_>, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        if let Some(mut runner) = Runner::of(on)? {
            return runner.query(sql, params).await;
        }
        let mut pause = CONFLICT_PAUSE;
        for _ in 0..CONFLICT_RETRIES {
            match self.query_once(sql, params).await {
                Err(error) if failure::is_conflict(&error) => {
                    tracing::debug!(%error, "a transaction met a conflict and is run again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                done => return done,
            }
        }
        self.query_once(sql, params).await
    }

    async fn query_once(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let mut conn = self.pool.get().await?;
        match self.pool.limits().statement_timeout {
            Some(limit) => conn.query_within(limit, sql, params).await,
            None => conn.query(sql, params).await,
        }
    }

    async fn begin_now(&self) -> Result<PgTransaction> {
        let limit = self.pool.limits().statement_timeout;
        PgTransaction::begin(self.pool.get().await?, limit).await
    }

    /// The same for a statement that gives one row.
    async fn query_one(&self, on: On<'_>, sql: &str, params: &[Param<'_>]) -> Result<Row> {
        let rows = self.query(on, sql, params).await?;
        rows.into_iter().next().ok_or_else(|| answer("gave no row"))
    }
}

fn parse(argument: &'static str, url: &str, limits: &PoolConfig) -> Result<Config> {
    // The text of the cause may show parts of the URL, which may hold a password.
    let mut config = Config::from_str(url)
        .map_err(|_| Error::invalid(argument, "is no valid PostgreSQL address"))?;
    if config.get_application_name().is_none() {
        config.application_name("commandbus");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(limits.timeout);
    }
    Ok(config)
}

fn answer(what: impl Display) -> Error {
    Error::encoding(format!(
        "a function of the schema {what}: another version of it is installed"
    ))
}

impl Driver for Postgres {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            driver: "postgres",
            several_hosts: true,
            shared_with_peer: true,
            listen: true,
        }
    }

    fn begin(&self) -> Fut<'_, Box<dyn OpenTransaction>> {
        Box::pin(async {
            let transaction: Box<dyn OpenTransaction> = Box::new(self.begin_now().await?);
            Ok(transaction)
        })
    }

    fn setup(&self, mode: SetupMode) -> Fut<'_, bool> {
        Box::pin(self.run_setup(mode))
    }

    fn schema_exists(&self) -> Fut<'_, bool> {
        Box::pin(self.has_schema())
    }

    fn create_queue(&self, queue: QueueName) -> Fut<'_, ()> {
        Box::pin(self.create_queue_now(queue))
    }

    fn queue_exists(&self, queue: QueueName) -> Fut<'_, bool> {
        Box::pin(self.has_queue(queue))
    }

    fn queue_stats(&self, queue: QueueName) -> Fut<'_, Option<QueueStats>> {
        Box::pin(self.count_queue(queue))
    }

    fn send<'a>(&'a self, on: On<'a>, groups: Vec<Outgoing>) -> Fut<'a, SendOutcome> {
        Box::pin(self.send_groups(on, groups))
    }

    fn create_batch<'a>(&'a self, on: On<'a>, batch: CreateBatch) -> Fut<'a, SendOutcome> {
        Box::pin(self.create_batch_now(on, batch))
    }

    fn cancel_pending<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        ids: Vec<CommandId>,
        reason: String,
        operator: Option<String>,
    ) -> Fut<'a, OperateReport> {
        Box::pin(self.withdraw(on, domain, ids, reason, operator))
    }

    fn lease(&self, request: LeaseRequest) -> Fut<'_, Leased> {
        Box::pin(self.lease_now(request))
    }

    fn finish(&self, domain: Domain, items: Vec<FinishItem>) -> Fut<'_, FinishReport> {
        Box::pin(self.finish_now(domain, items))
    }

    fn extend(&self, domain: Domain, held: Vec<Held>, seconds: u32) -> Fut<'_, Vec<bool>> {
        Box::pin(self.extend_now(domain, held, seconds))
    }

    fn release(&self, domain: Domain, held: Vec<Held>) -> Fut<'_, ()> {
        Box::pin(self.release_now(domain, held))
    }

    fn operate<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        ids: Vec<CommandId>,
        operation: Operation,
    ) -> Fut<'a, OperateReport> {
        Box::pin(self.operate_now(on, domain, ids, operation))
    }

    fn tsq_list(&self, query: TsqQuery) -> Fut<'_, Vec<TroubleshootingItem>> {
        Box::pin(self.list_items(query))
    }

    fn tsq_count(&self, selection: Selection) -> Fut<'_, u64> {
        Box::pin(self.count_items(selection))
    }

    fn tsq_ids(
        &self,
        selection: Selection,
        limit: Option<u32>,
    ) -> Fut<'_, Vec<(String, CommandId)>> {
        Box::pin(self.item_ids(selection, limit))
    }

    fn tsq_domains(&self) -> Fut<'_, Vec<String>> {
        Box::pin(self.item_domains())
    }

    fn command_domains(&self, id: CommandId) -> Fut<'_, Vec<String>> {
        Box::pin(self.domains_of(id))
    }

    fn command<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        id: CommandId,
    ) -> Fut<'a, Option<CommandRecord>> {
        Box::pin(self.one_command(on, domain, id))
    }

    fn commands(&self, filter: CommandFilter) -> Fut<'_, Vec<CommandRecord>> {
        Box::pin(self.find_commands(filter))
    }

    fn audit(&self, id: CommandId, domain: Option<Domain>) -> Fut<'_, Vec<AuditEvent>> {
        Box::pin(self.events(id, domain))
    }

    fn batch<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        id: BatchId,
    ) -> Fut<'a, Option<StoredBatch>> {
        Box::pin(self.one_batch(on, domain, id))
    }

    fn batches(&self, query: BatchQuery) -> Fut<'_, Vec<crate::batch::Batch>> {
        Box::pin(self.find_batches(query))
    }

    fn batch_commands(&self, query: MemberQuery) -> Fut<'_, Vec<CommandRecord>> {
        Box::pin(self.members(query))
    }

    fn refresh_batch(&self, domain: Domain, id: BatchId) -> Fut<'_, Option<StoredBatch>> {
        Box::pin(self.refresh(domain, id))
    }

    fn create_process_batch<'a>(&'a self, on: On<'a>, batch: NewBatchRow) -> Fut<'a, bool> {
        Box::pin(self.insert_batch(on, batch))
    }

    fn insert_process<'a>(&'a self, on: On<'a>, process: NewProcess) -> Fut<'a, ()> {
        Box::pin(self.new_process(on, process))
    }

    fn lock_process<'a>(
        &'a self,
        on: On<'a>,
        domain: Domain,
        id: ProcessId,
    ) -> Fut<'a, Option<ProcessRow>> {
        Box::pin(self.locked_process(on, domain, id))
    }

    fn save_process<'a>(&'a self, on: On<'a>, process: ProcessRow) -> Fut<'a, ()> {
        Box::pin(self.write_process(on, process))
    }

    fn step_sent<'a>(&'a self, on: On<'a>, step: StepSent) -> Fut<'a, ()> {
        Box::pin(self.note_step(on, step))
    }

    fn step_replied<'a>(&'a self, on: On<'a>, reply: StepReply) -> Fut<'a, Recorded> {
        Box::pin(self.note_reply(on, reply))
    }

    fn steps<'a>(&'a self, on: On<'a>, domain: Domain, id: ProcessId) -> Fut<'a, Vec<StepRow>> {
        Box::pin(self.process_steps(on, domain, id))
    }

    fn processes(&self, query: ProcessQuery) -> Fut<'_, Vec<ProcessRow>> {
        Box::pin(self.find_processes(query))
    }

    fn read_messages(
        &self,
        queue: QueueName,
        visibility: u32,
        limit: u32,
    ) -> Fut<'_, Vec<QueueMessage>> {
        Box::pin(self.read_queue(queue, visibility, limit))
    }

    fn settle_messages<'a>(
        &'a self,
        on: On<'a>,
        queue: QueueName,
        settle: Vec<(i64, Settle)>,
    ) -> Fut<'a, Vec<bool>> {
        Box::pin(self.settle(on, queue, settle))
    }

    fn listen(&self, channels: Vec<String>) -> Fut<'_, Box<dyn Wakeups>> {
        Box::pin(async move {
            let config = Config::clone(&self.listen);
            let subscription: Box<dyn Wakeups> =
                Box::new(listen::Subscription::open(config, &channels).await);
            Ok(subscription)
        })
    }
}
