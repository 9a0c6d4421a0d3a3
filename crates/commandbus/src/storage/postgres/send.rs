//! Sending.

use postgres_types::Type;
use uuid::Uuid;

use crate::batch::BatchStatus;
use crate::error::Result;
use crate::ids::CommandId;
use crate::names::Domain;
use crate::payload::Payload;
use crate::storage::On;
use crate::storage::postgres::conn::Param;
use crate::storage::postgres::transaction::Runner;
use crate::storage::postgres::values::{JsonText, get, int};
use crate::storage::postgres::{CONFLICT_PAUSE, CONFLICT_RETRIES, Postgres, answer, failure};
use crate::storage::send::{CreateBatch, Outgoing, OutgoingCommand, SendOutcome};
use tokio_postgres::Row;

const SEND: &str = "select problem, detail, msg_ids from commandbus.cb_send($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false)";
const CREATE_BATCH: &str = "select problem, detail, msg_ids from commandbus.cb_create_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

impl Postgres {
    pub(super) async fn send_groups(
        &self,
        on: On<'_>,
        groups: Vec<Outgoing>,
    ) -> Result<SendOutcome> {
        match &groups[..] {
            [group] if on.is_own() && group.commands.len() == 1 && group.batch.is_none() => {
                return self.send_together(group.clone()).await;
            }
            [group] => return self.send_group(on, group).await,
            _ => {}
        }
        if let Some(mut runner) = Runner::of(on)? {
            runner.batch("savepoint cb_send").await?;
            let sent = send_each(&mut runner, &groups).await?;
            let end = match sent {
                SendOutcome::Sent(_) => "release savepoint cb_send",
                _ => "rollback to savepoint cb_send; release savepoint cb_send",
            };
            runner.batch(end).await?;
            return Ok(sent);
        }
        let mut pause = CONFLICT_PAUSE;
        for _ in 0..CONFLICT_RETRIES {
            match self.send_at_once(&groups).await {
                Err(error) if failure::is_conflict(&error) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                done => return done,
            }
        }
        self.send_at_once(&groups).await
    }

    /// Sends several groups in a transaction of its own.
    async fn send_at_once(&self, groups: &[Outgoing]) -> Result<SendOutcome> {
        let mut conn = self.pool.get().await?;
        conn.begin(self.pool.limits().statement_timeout).await?;
        let sent = send_each(&mut Runner::Conn(&mut conn), groups).await?;
        match sent {
            SendOutcome::Sent(_) => conn.commit().await?,
            _ => conn.rollback().await?,
        }
        Ok(sent)
    }

    /// Sends one group with one statement.
    pub(super) async fn send_group(&self, on: On<'_>, group: &Outgoing) -> Result<SendOutcome> {
        let rows = Columns::of(&group.domain, &group.commands);
        let batch = group.batch.map(Uuid::from);
        let delay = int(group.delay);
        let params = rows.params();
        let params = [&params[..], &[(&delay, Type::INT4), (&batch, Type::UUID)]].concat();
        let row = self.query_one(on, SEND, &params).await?;
        outcome(&row, &group.domain)
    }

    pub(super) async fn create_batch_now(
        &self,
        on: On<'_>,
        batch: CreateBatch,
    ) -> Result<SendOutcome> {
        let CreateBatch { row: new, commands } = batch;
        let rows = Columns::of(&new.domain, &commands);
        let id = Uuid::from(new.id);
        let custom = new.custom_data.as_ref().map(Payload::as_json).map(JsonText);
        let params = rows.params();
        let params = [
            &params[..],
            &[
                (&id, Type::UUID),
                (&new.name, Type::TEXT),
                (&custom, Type::JSONB),
            ],
        ]
        .concat();
        let row = self.query_one(on, CREATE_BATCH, &params).await?;
        outcome(&row, &new.domain)
    }
}

/// Sends group after group; stops at the first that is refused.
async fn send_each(runner: &mut Runner<'_>, groups: &[Outgoing]) -> Result<SendOutcome> {
    let mut ids = Vec::new();
    for group in groups {
        let rows = Columns::of(&group.domain, &group.commands);
        let batch = group.batch.map(Uuid::from);
        let delay = int(group.delay);
        let params = rows.params();
        let params = [&params[..], &[(&delay, Type::INT4), (&batch, Type::UUID)]].concat();
        let answers = runner.query(SEND, &params).await?;
        let row = answers.first().ok_or_else(|| answer("gave no row"))?;
        match outcome(row, &group.domain)? {
            SendOutcome::Sent(sent) => ids.extend(sent),
            refused => return Ok(refused),
        }
    }
    Ok(SendOutcome::Sent(ids))
}

/// Commands as one array for each column.
struct Columns<'a> {
    domain: &'a str,
    queue: String,
    ids: Vec<Uuid>,
    types: Vec<&'a str>,
    correlations: Vec<Uuid>,
    replies: Vec<&'a str>,
    limits: Vec<i32>,
    messages: Vec<JsonText<'a>>,
}

impl<'a> Columns<'a> {
    fn of(domain: &'a Domain, commands: &'a [OutgoingCommand]) -> Self {
        Self {
            domain: domain.as_str(),
            queue: domain.command_queue().as_str().to_owned(),
            ids: commands.iter().map(|command| command.id.into()).collect(),
            types: commands
                .iter()
                .map(|command| &*command.command_type)
                .collect(),
            correlations: commands
                .iter()
                .map(|command| command.correlation_id.into())
                .collect(),
            replies: commands
                .iter()
                .map(|command| command.reply_to.as_ref().map_or("", |queue| queue.as_str()))
                .collect(),
            limits: commands
                .iter()
                .map(|command| int(command.max_attempts))
                .collect(),
            messages: commands
                .iter()
                .map(|command| JsonText(&command.message))
                .collect(),
        }
    }

    fn params(&self) -> [Param<'_>; 8] {
        [
            (&self.domain, Type::TEXT),
            (&self.queue, Type::TEXT),
            (&self.ids, Type::UUID_ARRAY),
            (&self.types, Type::TEXT_ARRAY),
            (&self.correlations, Type::UUID_ARRAY),
            (&self.replies, Type::TEXT_ARRAY),
            (&self.limits, Type::INT4_ARRAY),
            (&self.messages, Type::JSONB_ARRAY),
        ]
    }
}

fn outcome(row: &Row, domain: &Domain) -> Result<SendOutcome> {
    let problem: Option<&str> = get(row, "problem")?;
    let Some(problem) = problem else {
        return Ok(SendOutcome::Sent(get(row, "msg_ids")?));
    };
    let detail = get::<Option<String>>(row, "detail")?.unwrap_or_default();
    Ok(match problem {
        "queue" => SendOutcome::QueueNotFound(detail),
        "duplicate" => SendOutcome::Duplicate(domain.clone(), detail.parse::<CommandId>()?),
        "batch_missing" => SendOutcome::BatchNotFound,
        "batch_exists" => SendOutcome::BatchExists,
        "batch_closed" => SendOutcome::BatchClosed(BatchStatus::from_stored(&detail)?),
        other => return Err(answer(format_args!("told the unknown problem {other}"))),
    })
}
