//! Values on the wire and rows as records.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::batch::{Batch, BatchStatus, BatchType};
use crate::command::{AuditEvent, CommandRecord, CommandStatus};
use crate::error::{Error, Result};
use crate::payload::Payload;

/// JSON text as a parameter of type `jsonb`.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonText<'a>(pub(super) &'a str);

impl ToSql for JsonText<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        // The binary form of jsonb is a version and the text.
        out.put_u8(1);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

/// A column of type `jsonb` as its text.
#[derive(Debug)]
pub(super) struct JsonColumn(pub(super) Payload);

impl<'a> FromSql<'a> for JsonColumn {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        match raw.split_first() {
            Some((1, text)) => Ok(Self(
                Payload::from_json(std::str::from_utf8(text)?).map_err(Box::new)?,
            )),
            _ => Err("jsonb of an unknown version".into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }
}

/// A value of the caller, sent as text and read as whatever the statement needs.
#[derive(Debug)]
pub(super) struct AnyText<'a>(pub(super) &'a serde_json::Value);

impl ToSql for AnyText<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            serde_json::Value::Null => return Ok(IsNull::Yes),
            serde_json::Value::String(text) => out.put_slice(text.as_bytes()),
            other => out.put_slice(other.to_string().as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> postgres_types::Format {
        postgres_types::Format::Text
    }

    to_sql_checked!();
}

/// Reads a column.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T> {
    row.try_get(column).map_err(|error| {
        Error::encoding(format!("the column {column} cannot be read")).with_source(error)
    })
}

pub(super) fn json(row: &Row, column: &str) -> Result<Option<Payload>> {
    Ok(get::<Option<JsonColumn>>(row, column)?.map(|json| json.0))
}

pub(super) fn id<T: From<Uuid>>(row: &Row, column: &str) -> Result<T> {
    get::<Uuid>(row, column).map(T::from)
}

pub(super) fn id_opt<T: From<Uuid>>(row: &Row, column: &str) -> Result<Option<T>> {
    Ok(get::<Option<Uuid>>(row, column)?.map(T::from))
}

/// Counts are never negative in this schema; a peer that makes one so shows as 0.
pub(super) fn count(row: &Row, column: &str) -> Result<u32> {
    Ok(u32::try_from(get::<i32>(row, column)?).unwrap_or(0))
}

/// The columns that [`command`] reads.
pub(super) const COMMAND: &str = "c.domain, c.queue_name, c.msg_id, c.command_id, c.command_type, c.status, \
     c.attempts, c.max_attempts, c.last_error_type, c.last_error_code, c.last_error_msg, c.created_at, \
     c.updated_at, c.reply_queue, c.correlation_id, c.batch_id";

pub(super) fn command(row: &Row) -> Result<CommandRecord> {
    let reply: String = get(row, "reply_queue")?;
    Ok(CommandRecord {
        domain: get(row, "domain")?,
        queue_name: get(row, "queue_name")?,
        msg_id: get(row, "msg_id")?,
        command_id: id(row, "command_id")?,
        command_type: get(row, "command_type")?,
        status: CommandStatus::from_stored(get(row, "status")?)?,
        attempts: count(row, "attempts")?,
        max_attempts: count(row, "max_attempts")?,
        last_error_type: get(row, "last_error_type")?,
        last_error_code: get(row, "last_error_code")?,
        last_error_msg: get(row, "last_error_msg")?,
        created_at: get(row, "created_at")?,
        updated_at: get(row, "updated_at")?,
        reply_to: (!reply.is_empty()).then_some(reply),
        correlation_id: id_opt(row, "correlation_id")?,
        batch_id: id_opt(row, "batch_id")?,
    })
}

/// The columns that [`batch`] reads.
pub(super) const BATCH: &str = "b.domain, b.batch_id, b.name, b.custom_data, b.status, b.batch_type, b.total_count, \
     b.completed_count, b.failed_count, b.canceled_count, b.in_troubleshooting_count, b.created_at, b.started_at, \
     b.completed_at";

pub(super) fn batch(row: &Row) -> Result<Batch> {
    Ok(Batch {
        domain: get(row, "domain")?,
        batch_id: id(row, "batch_id")?,
        name: get(row, "name")?,
        custom_data: json(row, "custom_data")?,
        status: BatchStatus::from_stored(get(row, "status")?)?,
        batch_type: BatchType::from_stored(get(row, "batch_type")?)?,
        total_count: count(row, "total_count")?,
        completed_count: count(row, "completed_count")?,
        failed_count: count(row, "failed_count")?,
        canceled_count: count(row, "canceled_count")?,
        in_troubleshooting_count: count(row, "in_troubleshooting_count")?,
        created_at: get(row, "created_at")?,
        started_at: get(row, "started_at")?,
        completed_at: get(row, "completed_at")?,
    })
}

pub(super) fn event(row: &Row) -> Result<AuditEvent> {
    Ok(AuditEvent {
        audit_id: get(row, "audit_id")?,
        domain: get(row, "domain")?,
        command_id: id(row, "command_id")?,
        event_type: get(row, "event_type")?,
        ts: get(row, "ts")?,
        details: json(row, "details_json")?,
    })
}

/// A number that the wire holds as `int4`; larger ones are as good as the largest.
pub(super) fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A number that the wire holds as `int8`; larger ones are as good as the largest.
pub(super) fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
