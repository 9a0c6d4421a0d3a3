//! Setup and what drivers differ in.

use std::time::Duration;

/// How the setup comes to PGMQ. SQLite needs none and ignores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupMode {
    /// Uses what is installed, or installs the extension.
    Extension,
    /// Uses the minimal schema `pgmq` of this crate. It is refused beside a real PGMQ.
    Embedded,
    /// Uses what is installed, else the extension, else the minimal schema.
    #[default]
    Auto,
    /// Uses what is installed, and installs nothing.
    Installed,
}

/// What a database offers beyond the common semantics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The name of the driver, `postgres` or `sqlite`.
    pub driver: &'static str,
    /// Workers on several hosts may share the database.
    pub several_hosts: bool,
    /// The Python library `reliable-cmd` may share the database.
    pub shared_with_peer: bool,
    /// Other programs are told of new messages at once by the database itself.
    pub listen: bool,
}

/// The messages of a queue, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Messages that may be leased now.
    pub visible: u64,
    /// Messages that are leased, or hidden by a delay or backoff.
    pub leased: u64,
    /// Messages in the archive. PostgreSQL estimates it when there are many.
    pub archived: u64,
    /// How long the oldest message has been in the queue.
    pub oldest_age: Option<Duration>,
}
