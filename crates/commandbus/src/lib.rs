//! Durable commands.

#![allow(
    dead_code,
    reason = "the seam of storage stands before all of its callers"
)]

pub mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
mod bus;
mod command;
mod database;
mod envelope;
mod error;
pub mod handler;
mod ids;
mod names;
mod payload;
pub mod process;
mod retry;
mod storage;
mod transaction;
pub mod troubleshooting;
mod watch;

pub use crate::bus::CommandBus;
pub use crate::command::{
    AuditEvent, Command, CommandFilter, CommandRecord, CommandStatus, Sent, SentBatch,
};
pub use crate::database::{Database, DatabaseBuilder};
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::ids::{BatchId, CommandId, CorrelationId, ProcessId};
pub use crate::names::{Domain, QueueName};
pub use crate::payload::Payload;
pub use crate::retry::RetryPolicy;
#[cfg(feature = "postgres")]
pub use crate::storage::postgres::schema_sql;
pub use crate::storage::setup::{Capabilities, QueueStats, SetupMode};
pub use crate::transaction::{Transaction, TransactionRef};
pub use crate::troubleshooting::TroubleshootingQueue;
