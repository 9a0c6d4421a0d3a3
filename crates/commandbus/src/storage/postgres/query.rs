//! Looking at commands, audit trails and batches.

use postgres_types::Type;
use uuid::Uuid;

use crate::batch::Batch;
use crate::command::{AuditEvent, CommandFilter, CommandRecord};
use crate::error::Result;
use crate::ids::{BatchId, CommandId};
use crate::names::Domain;
use crate::payload::Payload;
use crate::storage::On;
use crate::storage::batches::{BatchQuery, MemberQuery, NewBatchRow, StoredBatch};
use crate::storage::postgres::Postgres;
use crate::storage::postgres::values::{self, BATCH, COMMAND, JsonText, get, int, long};

impl Postgres {
    pub(super) async fn one_command(
        &self,
        on: On<'_>,
        domain: Domain,
        id: CommandId,
    ) -> Result<Option<CommandRecord>> {
        let sql = format!(
            "select {COMMAND} from commandbus.command c where c.domain = $1 and c.command_id = $2"
        );
        let params = [
            (&domain.as_str() as _, Type::TEXT),
            (&Uuid::from(id) as _, Type::UUID),
        ];
        let rows = self.query(on, &sql, &params).await?;
        rows.first().map(values::command).transpose()
    }

    pub(super) async fn find_commands(&self, filter: CommandFilter) -> Result<Vec<CommandRecord>> {
        let sql = format!(
            "select {COMMAND} from commandbus.command c
             where ($1::text is null or c.status = $1) and ($2::text is null or c.domain = $2)
               and ($3::text is null or c.command_type = $3)
               and ($4::timestamptz is null or c.created_at >= $4)
               and ($5::timestamptz is null or c.created_at <= $5)
             order by c.created_at desc, c.command_id limit $6 offset $7"
        );
        let rows = self
            .query(
                On::Own,
                &sql,
                &[
                    (&filter.status.map(|status| status.as_str()), Type::TEXT),
                    (&filter.domain, Type::TEXT),
                    (&filter.command_type, Type::TEXT),
                    (&filter.created_after, Type::TIMESTAMPTZ),
                    (&filter.created_before, Type::TIMESTAMPTZ),
                    (&i64::from(filter.limit), Type::INT8),
                    (&long(filter.offset), Type::INT8),
                ],
            )
            .await?;
        rows.iter().map(values::command).collect()
    }

    pub(super) async fn events(
        &self,
        id: CommandId,
        domain: Option<Domain>,
    ) -> Result<Vec<AuditEvent>> {
        let sql = "select a.audit_id, a.domain, a.command_id, a.event_type, a.ts, a.details_json
                   from commandbus.audit a
                   where a.command_id = $1 and ($2::text is null or a.domain = $2)
                   order by a.ts, a.audit_id";
        let domain = domain.as_ref().map(Domain::as_str);
        let params = [
            (&Uuid::from(id) as _, Type::UUID),
            (&domain as _, Type::TEXT),
        ];
        let rows = self.query(On::Own, sql, &params).await?;
        rows.iter().map(values::event).collect()
    }

    pub(super) async fn one_batch(
        &self,
        on: On<'_>,
        domain: Domain,
        id: BatchId,
    ) -> Result<Option<StoredBatch>> {
        let sql = format!(
            "select {BATCH} from commandbus.batch b where b.domain = $1 and b.batch_id = $2"
        );
        let params = [
            (&domain.as_str() as _, Type::TEXT),
            (&Uuid::from(id) as _, Type::UUID),
        ];
        let rows = self.query(on, &sql, &params).await?;
        let batch = rows.first().map(values::batch).transpose()?;
        Ok(batch.map(|batch| StoredBatch {
            batch,
            finished_now: false,
        }))
    }

    pub(super) async fn find_batches(&self, query: BatchQuery) -> Result<Vec<Batch>> {
        let sql = format!(
            "select {BATCH} from commandbus.batch b
             where b.domain = $1 and ($2::text is null or b.status = $2)
             order by b.created_at desc, b.batch_id limit $3 offset $4"
        );
        let rows = self
            .query(
                On::Own,
                &sql,
                &[
                    (&query.domain.as_str(), Type::TEXT),
                    (&query.status.map(|status| status.as_str()), Type::TEXT),
                    (&i64::from(query.limit), Type::INT8),
                    (&long(query.offset), Type::INT8),
                ],
            )
            .await?;
        rows.iter().map(values::batch).collect()
    }

    pub(super) async fn members(&self, query: MemberQuery) -> Result<Vec<CommandRecord>> {
        let sql = format!(
            "select {COMMAND} from commandbus.command c
             where c.domain = $1 and c.batch_id = $2 and ($3::text is null or c.status = $3)
             order by c.created_at, c.msg_id, c.command_id limit $4 offset $5"
        );
        let rows = self
            .query(
                On::Own,
                &sql,
                &[
                    (&query.domain.as_str(), Type::TEXT),
                    (&Uuid::from(query.id), Type::UUID),
                    (&query.status.map(|status| status.as_str()), Type::TEXT),
                    (&i64::from(query.limit), Type::INT8),
                    (&long(query.offset), Type::INT8),
                ],
            )
            .await?;
        rows.iter().map(values::command).collect()
    }

    pub(super) async fn refresh(&self, domain: Domain, id: BatchId) -> Result<Option<StoredBatch>> {
        let params = [
            (&domain.as_str() as _, Type::TEXT),
            (&Uuid::from(id) as _, Type::UUID),
        ];
        let sql = "select finished_now from commandbus.cb_refresh_batch($1, $2)";
        let finished_now = get(
            &self.query_one(On::Own, sql, &params).await?,
            "finished_now",
        )?;
        let stored = self.one_batch(On::Own, domain.clone(), id).await?;
        Ok(stored.map(|stored| StoredBatch {
            finished_now,
            ..stored
        }))
    }

    pub(super) async fn insert_batch(&self, on: On<'_>, batch: NewBatchRow) -> Result<bool> {
        let custom = batch
            .custom_data
            .as_ref()
            .map(Payload::as_json)
            .map(JsonText);
        let rows = self
            .query(
                on,
                "insert into commandbus.batch (domain, batch_id, name, custom_data, total_count, batch_type)
                 values ($1, $2, $3, $4, $5, $6) on conflict (domain, batch_id) do nothing returning 1",
                &[
                    (&batch.domain.as_str(), Type::TEXT),
                    (&Uuid::from(batch.id), Type::UUID),
                    (&batch.name, Type::TEXT),
                    (&custom, Type::JSONB),
                    (&int(batch.total), Type::INT4),
                    (&batch.batch_type.as_str(), Type::TEXT),
                ],
            )
            .await?;
        Ok(!rows.is_empty())
    }
}
