//! Operator actions and the troubleshooting queue.

use postgres_types::Type;
use uuid::Uuid;

use crate::command::CommandStatus;
use crate::error::Result;
use crate::ids::{BatchId, CommandId};
use crate::names::Domain;
use crate::payload::Payload;
use crate::storage::On;
use crate::storage::operate::{Action, OperateReport, Operated, Operation, Selection, TsqQuery};
use crate::storage::postgres::conn::Param;
use crate::storage::postgres::values::{JsonText, count, get, id, id_opt, int, json, long};
use crate::storage::postgres::{Postgres, answer};
use crate::troubleshooting::TroubleshootingItem;

const OPERATE: &str = "select results, statuses, msg_ids, finished from commandbus.cb_operate($1, $2, $3, $4, $5, $6)";

/// What every query of the troubleshooting queue has in common; five parameters.
const SELECTED: &str = "c.cb_troubleshooting and ($1::text is null or c.domain = $1) \
     and ($2::text is null or c.command_type = $2) and ($3::text is null or c.last_error_code = $3) \
     and ($4::timestamptz is null or c.updated_at <= $4) and ($5::uuid is null or c.command_id = $5)";

impl Postgres {
    pub(super) async fn operate_now(
        &self,
        on: On<'_>,
        domain: Domain,
        ids: Vec<CommandId>,
        operation: Operation,
    ) -> Result<OperateReport> {
        let Operation { action, operator } = operation;
        let (name, reason, result) = match &action {
            Action::Retry => ("retry", None, None),
            Action::Cancel { reason } => ("cancel", Some(reason.as_str()), None),
            Action::Complete { result } => ("complete", None, result.as_ref()),
        };
        self.act(on, &domain, &ids, name, operator, reason, result)
            .await
    }

    pub(super) async fn withdraw(
        &self,
        on: On<'_>,
        domain: Domain,
        ids: Vec<CommandId>,
        reason: String,
        operator: Option<String>,
    ) -> Result<OperateReport> {
        self.act(on, &domain, &ids, "withdraw", operator, Some(&reason), None)
            .await
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of one function of the schema"
    )]
    async fn act(
        &self,
        on: On<'_>,
        domain: &Domain,
        ids: &[CommandId],
        action: &str,
        operator: Option<String>,
        reason: Option<&str>,
        result: Option<&Payload>,
    ) -> Result<OperateReport> {
        let ids: Vec<Uuid> = ids.iter().map(|&id| id.into()).collect();
        let result = result.map(Payload::as_json).map(JsonText);
        let row = self
            .query_one(
                on,
                OPERATE,
                &[
                    (&domain.as_str(), Type::TEXT),
                    (&ids, Type::UUID_ARRAY),
                    (&action, Type::TEXT),
                    (&operator, Type::TEXT),
                    (&reason, Type::TEXT),
                    (&result, Type::JSONB),
                ],
            )
            .await?;
        let results: Vec<i32> = get(&row, "results")?;
        let statuses: Vec<Option<&str>> = get(&row, "statuses")?;
        let msg_ids: Vec<Option<i64>> = get(&row, "msg_ids")?;
        let finished: Vec<Uuid> = get(&row, "finished")?;
        let results = results
            .into_iter()
            .zip(statuses)
            .zip(msg_ids)
            .map(|((result, status), msg_id)| match (result, status) {
                (0, _) => Ok(Operated::Done(msg_id)),
                (1, _) => Ok(Operated::NotFound),
                (2, _) => Ok(Operated::NoPayload),
                (3, Some(status)) => CommandStatus::from_stored(status).map(Operated::WrongStatus),
                (other, _) => Err(answer(format_args!("gave the unknown result {other}"))),
            })
            .collect::<Result<Vec<_>>>()?;
        let finished_batches = finished.into_iter().map(BatchId::from).collect();
        Ok(OperateReport {
            results,
            finished_batches,
        })
    }

    pub(super) async fn list_items(&self, query: TsqQuery) -> Result<Vec<TroubleshootingItem>> {
        // The archive is asked for the rows of the page only.
        let sql = format!(
            "select p.*, commandbus.cb_archived(p.queue_name, p.msg_id) as payload from (
                 select c.* from commandbus.command c where {SELECTED}
                 order by c.updated_at desc, c.command_id limit $6 offset $7) p
             order by p.updated_at desc, p.command_id"
        );
        let selection = Selected::of(&query.selection);
        let (limit, offset) = (i64::from(query.limit), long(query.offset));
        let params = [
            &selection.params()[..],
            &[(&limit, Type::INT8), (&offset, Type::INT8)],
        ]
        .concat();
        let rows = self.query(On::Own, &sql, &params).await?;
        rows.iter()
            .map(|row| {
                let reply: String = get(row, "reply_queue")?;
                Ok(TroubleshootingItem {
                    domain: get(row, "domain")?,
                    command_id: id(row, "command_id")?,
                    command_type: get(row, "command_type")?,
                    attempts: count(row, "attempts")?,
                    max_attempts: count(row, "max_attempts")?,
                    last_error_type: get(row, "last_error_type")?,
                    last_error_code: get(row, "last_error_code")?,
                    last_error_msg: get(row, "last_error_msg")?,
                    correlation_id: id_opt(row, "correlation_id")?,
                    reply_to: (!reply.is_empty()).then_some(reply),
                    payload: json(row, "payload")?,
                    created_at: get(row, "created_at")?,
                    updated_at: get(row, "updated_at")?,
                })
            })
            .collect()
    }

    pub(super) async fn count_items(&self, selection: Selection) -> Result<u64> {
        let sql = format!("select count(*) as n from commandbus.command c where {SELECTED}");
        let row = self
            .query_one(On::Own, &sql, &Selected::of(&selection).params())
            .await?;
        Ok(u64::try_from(get::<i64>(&row, "n")?).unwrap_or(0))
    }

    pub(super) async fn item_ids(
        &self,
        selection: Selection,
        limit: Option<u32>,
    ) -> Result<Vec<(String, CommandId)>> {
        let sql = format!(
            "select c.domain, c.command_id from commandbus.command c where {SELECTED} \
             order by c.created_at desc, c.command_id limit $6"
        );
        let limit = limit.map(int);
        let limit = limit.map(i64::from);
        let selected = Selected::of(&selection);
        let params = [&selected.params()[..], &[(&limit, Type::INT8)]].concat();
        let rows = self.query(On::Own, &sql, &params).await?;
        rows.iter()
            .map(|row| Ok((get(row, "domain")?, id(row, "command_id")?)))
            .collect()
    }

    pub(super) async fn item_domains(&self) -> Result<Vec<String>> {
        let sql = "select distinct c.domain from commandbus.command c \
                   where c.cb_troubleshooting order by c.domain";
        let rows = self.query(On::Own, sql, &[]).await?;
        rows.iter().map(|row| get(row, "domain")).collect()
    }

    pub(super) async fn domains_of(&self, command: CommandId) -> Result<Vec<String>> {
        // The key begins with the domain, so each domain is looked up by itself.
        let sql = "with recursive d(domain) as (
                       (select c.domain from commandbus.command c order by c.domain limit 1)
                       union all
                       select (select c.domain from commandbus.command c where c.domain > d.domain
                               order by c.domain limit 1)
                       from d where d.domain is not null
                   )
                   select d.domain from d
                   where exists (select from commandbus.command c where c.domain = d.domain and c.command_id = $1)
                   order by d.domain";
        let rows = self
            .query(On::Own, sql, &[(&Uuid::from(command), Type::UUID)])
            .await?;
        rows.iter().map(|row| get(row, "domain")).collect()
    }
}

/// A selection as parameters.
struct Selected<'a> {
    domain: Option<&'a str>,
    command_type: &'a Option<String>,
    error_code: &'a Option<String>,
    updated_before: &'a Option<jiff::Timestamp>,
    id: Option<Uuid>,
}

impl<'a> Selected<'a> {
    fn of(selection: &'a Selection) -> Self {
        Self {
            domain: selection.domain.as_ref().map(Domain::as_str),
            command_type: &selection.command_type,
            error_code: &selection.error_code,
            updated_before: &selection.updated_before,
            id: selection.id.map(Uuid::from),
        }
    }

    fn params(&self) -> [Param<'_>; 5] {
        [
            (&self.domain, Type::TEXT),
            (self.command_type, Type::TEXT),
            (self.error_code, Type::TEXT),
            (self.updated_before, Type::TIMESTAMPTZ),
            (&self.id, Type::UUID),
        ]
    }
}
