//! Durable commands: what is to be done is stored before it is done, tried until it succeeds or a
//! person decides, and reported once.
//!
//! A *command* is a request of a *domain*: a type, an id that the sender chooses, and JSON data. It is
//! written into PostgreSQL, as a row that can be queried and a message in a [PGMQ] queue, in one
//! transaction, which may be one of the sender's own. From then on it survives crashes of senders,
//! workers and the database.
//!
//! ```no_run
//! use commandbus::{Command, CommandId, Database, SetupMode};
//! use serde_json::json;
//!
//! # async fn run() -> commandbus::Result<()> {
//! let database = Database::connect("postgres://app@localhost/shop").await?;
//! database.setup(SetupMode::Auto).await?;
//! database.ensure_domain("orders").await?;
//!
//! let bus = database.bus();
//! let id = CommandId::random();
//! bus.send(Command::new("orders", "Ship", id).data(json!({"order": 17}))).await?;
//! let command = bus.get_command("orders", id).await?;
//! # let _ = command;
//! # Ok(())
//! # }
//! ```
//!
//! Without async, the same:
//!
//! ```no_run
//! use commandbus::{Command, CommandId, blocking::Database};
//!
//! # fn main() -> commandbus::Result<()> {
//! let bus = Database::connect("postgres://app@localhost/shop")?.bus();
//! bus.send(Command::new("orders", "Ship", CommandId::random()))?;
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! * [`Database`]: a pool of connections, the setup, queues, transactions. Everything else is made
//!   from it.
//! * [`CommandBus`]: [sends](CommandBus::send) one command, [many](CommandBus::send_batch), or a
//!   [batch](CommandBus::create_batch) that is counted together; finds commands and what happened to
//!   them.
//! * [`TroubleshootingQueue`]: the commands that failed for good wait here until an operator sends
//!   them again, cancels or completes them.
//! * [`blocking`]: the same types without `await`.
//!
//! # What is promised
//!
//! * A command whose `send` returned is stored. A second one of the same id in the domain is refused
//!   with [`ErrorKind::DuplicateCommand`], also when two are sent at the same moment: sending again
//!   after an error is safe.
//! * Delivery is at least once: a worker that dies leaves its command to the next attempt. Handlers
//!   must be ready to see a command twice.
//! * A command has one outcome and one reply. An attempt that lost its lease changes nothing.
//! * Operations that belong together are one transaction. Cancelled or broken calls leave all of it or
//!   nothing.
//!
//! # Beside the Python library
//!
//! The database is shared with `reliable-cmd` 0.2: its programs and these work on the same tables and
//! queues at the same time. [`Database::setup`] upgrades a database of its in place.
//!
//! # PGMQ
//!
//! The setup uses an installed PGMQ (1.5 to 1.13), as an extension or as plain SQL. Where there is none
//! and none can be installed it makes a minimal schema `pgmq` of its own, with the functions that the
//! bus needs; [`SetupMode`] decides. [`replace_embedded_sql`] replaces that by a real one later.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `postgres` | yes | the driver for PostgreSQL 14 to 18 |
//! | `blocking` | yes | the module [`blocking`] |
//!
//! Connections to PostgreSQL are not encrypted: use a local socket, a private network, or a tunnel.
//!
//! [PGMQ]: https://github.com/pgmq/pgmq

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
pub use crate::storage::postgres::{replace_embedded_sql, schema_sql};
pub use crate::storage::setup::{Capabilities, QueueStats, SetupMode};
pub use crate::transaction::{Transaction, TransactionRef};
pub use crate::troubleshooting::TroubleshootingQueue;
