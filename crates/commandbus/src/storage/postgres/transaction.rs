//! Where statements run: on a connection of the pool, in an open transaction, or in one of the caller.

use std::time::Duration;

use postgres_types::Type;
use tokio_postgres::Row;

use crate::error::{Error, Result};
use crate::storage::postgres::conn::{Conn, Param};
use crate::storage::postgres::failure;
use crate::storage::postgres::pool::Pooled;
use crate::storage::postgres::values::AnyText;
use crate::storage::{Fut, On, OpenTransaction};

/// A transaction that the bus began.
#[derive(Debug)]
pub(super) struct PgTransaction {
    conn: Pooled,
}

impl PgTransaction {
    pub(super) async fn begin(mut conn: Pooled, limit: Option<Duration>) -> Result<Self> {
        conn.begin(limit).await?;
        Ok(Self { conn })
    }
}

impl OpenTransaction for PgTransaction {
    fn commit(mut self: Box<Self>) -> Fut<'static, ()> {
        Box::pin(async move { self.conn.commit().await })
    }

    fn rollback(mut self: Box<Self>) -> Fut<'static, ()> {
        Box::pin(async move { self.conn.rollback().await })
    }

    fn execute(&mut self, sql: String, params: Vec<serde_json::Value>) -> Fut<'_, u64> {
        Box::pin(async move {
            let texts: Vec<AnyText<'_>> = params.iter().map(AnyText).collect();
            // An unknown type lets the database infer it from the statement.
            let params: Vec<Param<'_>> = texts
                .iter()
                .map(|text| (text as _, Type::UNKNOWN))
                .collect();
            self.conn.execute(&sql, &params).await
        })
    }

    fn as_any(&mut self) -> &mut (dyn std::any::Any + Send) {
        self
    }
}

/// Something that runs statements inside a transaction, or alone.
pub(super) enum Runner<'a> {
    Conn(&'a mut Conn),
    Joined(&'a tokio_postgres::Transaction<'a>),
}

impl<'a> Runner<'a> {
    /// The transaction that `on` means; none if the verb is to have its own.
    pub(super) fn of(on: On<'a>) -> Result<Option<Self>> {
        match on {
            On::Own => Ok(None),
            On::Joined(transaction) => Ok(Some(Self::Joined(transaction))),
            On::Tx(transaction) => match transaction.as_any().downcast_mut::<PgTransaction>() {
                Some(transaction) => Ok(Some(Self::Conn(&mut transaction.conn))),
                None => Err(Error::invalid("transaction", "belongs to another database")),
            },
        }
    }

    pub(super) async fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        match self {
            Self::Conn(conn) => conn.query(sql, params).await,
            Self::Joined(transaction) => transaction
                .query_typed(sql, params)
                .await
                .map_err(failure::statement),
        }
    }

    pub(super) async fn batch(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Conn(conn) => conn.batch(sql).await,
            Self::Joined(transaction) => transaction
                .batch_execute(sql)
                .await
                .map_err(failure::statement),
        }
    }
}
