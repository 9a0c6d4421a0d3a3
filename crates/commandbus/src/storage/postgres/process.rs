//! Processes and plain queues.

use postgres_types::Type;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::ProcessId;
use crate::names::{Domain, QueueName};
use crate::payload::Payload;
use crate::process::ProcessStatus;
use crate::storage::On;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::values::{JsonText, count, get, id, id_opt, int, json, long};
use crate::storage::process::{
    NewProcess, ProcessQuery, ProcessRow, QueueMessage, Recorded, Settle, StepReply, StepRow,
    StepSent,
};

const PROCESS: &str = "p.domain, p.process_id, p.process_type, p.status, p.current_step, p.state, p.error_code, \
     p.error_message, p.created_at, p.updated_at, p.completed_at, p.batch_id";

impl Postgres {
    pub(super) async fn new_process(&self, on: On<'_>, process: NewProcess) -> Result<()> {
        self.query(
            on,
            "insert into commandbus.process (domain, process_id, process_type, state, batch_id)
             values ($1, $2, $3, $4, $5)",
            &[
                (&process.domain.as_str(), Type::TEXT),
                (&Uuid::from(process.id), Type::UUID),
                (&process.process_type, Type::TEXT),
                (&JsonText(process.state.as_json()), Type::JSONB),
                (&process.batch_id.map(Uuid::from), Type::UUID),
            ],
        )
        .await?;
        Ok(())
    }

    pub(super) async fn locked_process(
        &self,
        on: On<'_>,
        domain: Domain,
        process: ProcessId,
    ) -> Result<Option<ProcessRow>> {
        let sql = format!(
            "select {PROCESS} from commandbus.process p where p.domain = $1 and p.process_id = $2 for update"
        );
        let params = [
            (&domain.as_str() as _, Type::TEXT),
            (&Uuid::from(process) as _, Type::UUID),
        ];
        let rows = self.query(on, &sql, &params).await?;
        rows.first().map(row).transpose()
    }

    pub(super) async fn write_process(&self, on: On<'_>, process: ProcessRow) -> Result<()> {
        let saved = self
            .query_one(
                on,
                "select commandbus.cb_save_process($1, $2, $3, $4, $5, $6, $7) as saved",
                &[
                    (&process.domain, Type::TEXT),
                    (&Uuid::from(process.id), Type::UUID),
                    (&process.status.as_str(), Type::TEXT),
                    (&process.current_step, Type::TEXT),
                    (&JsonText(process.state.as_json()), Type::JSONB),
                    (&process.error_code, Type::TEXT),
                    (&process.error_message, Type::TEXT),
                ],
            )
            .await?;
        if get(&saved, "saved")? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::ProcessNotFound,
            format!(
                "there is no process {} in domain {}",
                process.id, process.domain
            ),
        ))
    }

    pub(super) async fn note_step(&self, on: On<'_>, step: StepSent) -> Result<()> {
        self.query(
            on,
            "insert into commandbus.process_audit
                 (domain, process_id, step_name, command_id, command_type, command_data, sent_at)
             values ($1, $2, $3, $4, $5, $6, clock_timestamp())",
            &[
                (&step.domain.as_str(), Type::TEXT),
                (&Uuid::from(step.process_id), Type::UUID),
                (&step.step_name, Type::TEXT),
                (&Uuid::from(step.command_id), Type::UUID),
                (&step.command_type, Type::TEXT),
                (&JsonText(step.command_data.as_json()), Type::JSONB),
            ],
        )
        .await?;
        Ok(())
    }

    pub(super) async fn note_reply(&self, on: On<'_>, reply: StepReply) -> Result<Recorded> {
        let data = reply.data.as_ref().map(Payload::as_json).map(JsonText);
        let row = self
            .query_one(
                on,
                "select step, is_new from commandbus.cb_step_replied($1, $2, $3, $4, $5)",
                &[
                    (&reply.domain.as_str(), Type::TEXT),
                    (&Uuid::from(reply.process_id), Type::UUID),
                    (&Uuid::from(reply.command_id), Type::UUID),
                    (&reply.outcome, Type::TEXT),
                    (&data, Type::JSONB),
                ],
            )
            .await?;
        Ok(match (get(&row, "step")?, get(&row, "is_new")?) {
            (Some(step), true) => Recorded::New(step),
            (Some(_), false) => Recorded::Duplicate,
            (None, _) => Recorded::Unknown,
        })
    }

    pub(super) async fn process_steps(
        &self,
        on: On<'_>,
        domain: Domain,
        process: ProcessId,
    ) -> Result<Vec<StepRow>> {
        let sql = "select a.id, a.step_name, a.command_id, a.command_type, a.command_data, a.sent_at, a.reply_outcome,
                          a.reply_data, a.received_at
                   from commandbus.process_audit a where a.domain = $1 and a.process_id = $2
                   order by a.sent_at, a.id";
        let params = [
            (&domain.as_str() as _, Type::TEXT),
            (&Uuid::from(process) as _, Type::UUID),
        ];
        let rows = self.query(on, sql, &params).await?;
        rows.iter()
            .map(|row| {
                Ok(StepRow {
                    id: get(row, "id")?,
                    step_name: get(row, "step_name")?,
                    command_id: id(row, "command_id")?,
                    command_type: get(row, "command_type")?,
                    command_data: json(row, "command_data")?,
                    sent_at: get(row, "sent_at")?,
                    reply_outcome: get(row, "reply_outcome")?,
                    reply_data: json(row, "reply_data")?,
                    received_at: get(row, "received_at")?,
                })
            })
            .collect()
    }

    pub(super) async fn find_processes(&self, query: ProcessQuery) -> Result<Vec<ProcessRow>> {
        let sql = format!(
            "select {PROCESS} from commandbus.process p
             where ($1::text is null or p.domain = $1) and ($2::uuid is null or p.process_id = $2)
               and ($3::text is null or p.process_type = $3)
               and (cardinality($4::text[]) = 0 or p.status = any($4))
               and ($5::uuid is null or p.batch_id = $5)
             order by p.created_at desc, p.process_id limit $6 offset $7"
        );
        let statuses: Vec<&str> = query
            .statuses
            .iter()
            .map(|status| status.as_str())
            .collect();
        let rows = self
            .query(
                On::Own,
                &sql,
                &[
                    (&query.domain.as_ref().map(Domain::as_str), Type::TEXT),
                    (&query.id.map(Uuid::from), Type::UUID),
                    (&query.process_type, Type::TEXT),
                    (&statuses, Type::TEXT_ARRAY),
                    (&query.batch_id.map(Uuid::from), Type::UUID),
                    (&query.limit.map(i64::from), Type::INT8),
                    (&long(query.offset), Type::INT8),
                ],
            )
            .await?;
        rows.iter().map(row).collect()
    }

    pub(super) async fn read_queue(
        &self,
        queue: QueueName,
        visibility: u32,
        limit: u32,
    ) -> Result<Vec<QueueMessage>> {
        if !self.has_queue(queue.clone()).await? {
            return Err(Error::queue_not_found(queue.as_str()));
        }
        let rows = self
            .query(
                On::Own,
                "select r.msg_id, r.read_ct, r.enqueued_at, r.message from pgmq.read($1, $2, $3) r order by r.msg_id",
                &[
                    (&queue.as_str(), Type::TEXT),
                    (&int(visibility), Type::INT4),
                    (&int(limit), Type::INT4),
                ],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(QueueMessage {
                    msg_id: get(row, "msg_id")?,
                    read_count: count(row, "read_ct")?,
                    enqueued_at: get(row, "enqueued_at")?,
                    message: json(row, "message")?
                        .unwrap_or_else(|| serde_json::Value::Null.into()),
                })
            })
            .collect()
    }

    pub(super) async fn settle(
        &self,
        on: On<'_>,
        queue: QueueName,
        settle: Vec<(i64, Settle)>,
    ) -> Result<Vec<bool>> {
        let msgs: Vec<i64> = settle.iter().map(|(msg_id, _)| *msg_id).collect();
        let (actions, seconds): (Vec<i32>, Vec<i32>) = settle
            .iter()
            .map(|(_, settle)| match settle {
                Settle::Delete => (0, 0),
                Settle::Archive => (1, 0),
                Settle::Hide(seconds) => (2, int(*seconds)),
            })
            .unzip();
        let row = self
            .query_one(
                on,
                "select commandbus.cb_settle($1, $2, $3, $4) as settled",
                &[
                    (&queue.as_str(), Type::TEXT),
                    (&msgs, Type::INT8_ARRAY),
                    (&actions, Type::INT4_ARRAY),
                    (&seconds, Type::INT4_ARRAY),
                ],
            )
            .await?;
        get(&row, "settled")
    }
}

fn row(row: &Row) -> Result<ProcessRow> {
    Ok(ProcessRow {
        domain: get(row, "domain")?,
        id: id(row, "process_id")?,
        process_type: get(row, "process_type")?,
        status: ProcessStatus::from_stored(get(row, "status")?)?,
        current_step: get(row, "current_step")?,
        state: json(row, "state")?.unwrap_or_default(),
        error_code: get(row, "error_code")?,
        error_message: get(row, "error_message")?,
        created_at: get(row, "created_at")?,
        updated_at: get(row, "updated_at")?,
        completed_at: get(row, "completed_at")?,
        batch_id: id_opt(row, "batch_id")?,
    })
}
