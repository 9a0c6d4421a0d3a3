//! A database, and what can be done with it as a whole.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ids::BatchId;
use crate::names::{Domain, QueueName};
use crate::storage::setup::{Capabilities, QueueStats, SetupMode};
use crate::storage::{Driver, On};
use crate::transaction::Transaction;
use crate::watch::{BatchWatch, Callback};

/// A database that holds commands: PostgreSQL, or SQLite.
///
/// Everything else is made from it: a [`CommandBus`](crate::CommandBus), workers, the
/// troubleshooting queue. It is cheap to clone, and the clones share one pool of connections.
///
/// | address | database |
/// |---|---|
/// | `postgres://user@host/name`, `postgresql://..`, `host=.. dbname=..` | PostgreSQL, for any number of machines |
#[derive(Clone, Debug)]
pub struct Database {
    driver: Arc<dyn Driver>,
    batches: Arc<BatchWatch>,
}

/// Settings of a [`Database`].
#[derive(Clone)]
#[must_use = "the settings do nothing until the database is connected"]
pub struct DatabaseBuilder {
    url: String,
    min: usize,
    max: Option<usize>,
    timeout: Duration,
    idle: Duration,
    statement_timeout: Option<Duration>,
    listen_url: Option<String>,
}

#[bifrons::dual(blocking = crate::blocking::DatabaseBuilder)]
impl DatabaseBuilder {
    /// Sets how many connections are kept while nothing happens; 4 by default. SQLite ignores it.
    pub fn pool_min(mut self, connections: usize) -> Self {
        self.min = connections;
        self
    }

    /// Sets how many connections there are at most; twice the minimum by default. Subscriptions of
    /// workers have one more each. SQLite ignores it.
    pub fn pool_max(mut self, connections: usize) -> Self {
        self.max = Some(connections);
        self
    }

    /// Sets how long a call waits for a connection, and how long connecting may take; 30 seconds by
    /// default. With SQLite it limits the wait for the lock of the file.
    pub fn pool_timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Limits how long the database works on one statement of the bus, and in a
    /// [`Transaction`] on each of its statements; no limit by default.
    ///
    /// It is set for the transaction and never for the connection, so nothing of it stays behind.
    /// SQLite ignores it.
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = Some(limit);
        self
    }

    /// Sets another address for subscriptions; that of the database by default.
    ///
    /// A pooler in transaction mode carries everything but subscriptions: this is the address of the
    /// database behind it. SQLite ignores it.
    pub fn listen_url(mut self, url: impl Into<String>) -> Self {
        self.listen_url = Some(url.into());
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an address or a limit
    /// that cannot work, [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the driver is
    /// not compiled in, [`ErrorKind::Database`](crate::ErrorKind::Database) if the database cannot
    /// be reached.
    #[blocking(wrap = crate::blocking::Database)]
    pub async fn connect(self) -> Result<Database> {
        let max = self
            .max
            .unwrap_or_else(|| self.min.saturating_mul(2))
            .max(1);
        if self.min > max {
            return Err(Error::invalid("pool_min", "must not be more than pool_max"));
        }
        if self.timeout.is_zero() {
            return Err(Error::invalid("pool_timeout", "must be more than zero"));
        }
        if self
            .statement_timeout
            .is_some_and(|limit| limit < Duration::from_millis(1))
        {
            return Err(Error::invalid(
                "statement_timeout",
                "must be at least a millisecond",
            ));
        }
        let driver: Arc<dyn Driver> = if self.url.starts_with("sqlite:") {
            Self::sqlite()?
        } else {
            self.postgres(max).await?
        };
        Ok(Database {
            driver,
            batches: Arc::default(),
        })
    }
}

impl DatabaseBuilder {
    #[cfg(feature = "postgres")]
    async fn postgres(&self, max: usize) -> Result<Arc<dyn Driver>> {
        use crate::storage::postgres::{PoolConfig, Postgres};
        let limits = PoolConfig {
            min: self.min,
            max,
            timeout: self.timeout,
            idle: self.idle,
            statement_timeout: self.statement_timeout,
        };
        let driver = Postgres::new(&self.url, self.listen_url.as_deref(), limits)?;
        driver.check().await?;
        Ok(Arc::new(driver))
    }

    #[cfg(not(feature = "postgres"))]
    #[expect(clippy::unused_async, reason = "the other form of this function waits")]
    async fn postgres(&self, _max: usize) -> Result<Arc<dyn Driver>> {
        Err(Error::new(
            crate::ErrorKind::Unsupported,
            "the driver for PostgreSQL is not compiled in: turn on the feature postgres",
        ))
    }

    fn sqlite() -> Result<Arc<dyn Driver>> {
        Err(Error::new(
            crate::ErrorKind::Unsupported,
            "this version has no driver for SQLite",
        ))
    }
}

#[bifrons::dual(blocking = crate::blocking::Database)]
impl Database {
    /// Connects with the default settings.
    ///
    /// # Errors
    ///
    /// As [`DatabaseBuilder::connect`].
    pub async fn connect(url: impl Into<String> + Send) -> Result<Self> {
        Self::builder(url).connect().await
    }

    /// Starts with the default settings.
    #[blocking(wrap = crate::blocking::DatabaseBuilder)]
    pub fn builder(url: impl Into<String>) -> DatabaseBuilder {
        DatabaseBuilder {
            url: url.into(),
            min: 4,
            max: None,
            timeout: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            statement_timeout: None,
            listen_url: None,
        }
    }

    /// Returns what this database offers beyond the common semantics.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    /// Brings the schema to the shape this version needs; true if that changed anything.
    ///
    /// It may be called by many processes at once, and each time a program starts. A database that
    /// the Python library `reliable-cmd` made is brought to the same shape, and keeps its rows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PgmqMissing`](crate::ErrorKind::PgmqMissing) if there is no PGMQ and the mode
    /// does not allow to install it,
    /// [`ErrorKind::InvalidOperation`](crate::ErrorKind::InvalidOperation) if the mode asks for
    /// another queue than the one that is installed.
    pub async fn setup(&self, mode: SetupMode) -> Result<bool> {
        self.driver.setup(mode).await
    }

    /// Returns true if the schema is there, in the shape this version needs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`](crate::ErrorKind::Database).
    pub async fn schema_exists(&self) -> Result<bool> {
        self.driver.schema_exists().await
    }

    /// Creates a queue, unless it is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that no queue
    /// can have, [`ErrorKind::PgmqMissing`](crate::ErrorKind::PgmqMissing).
    pub async fn create_queue(&self, name: impl AsRef<str> + Send) -> Result<()> {
        let queue = QueueName::new(name)?;
        self.driver.create_queue(queue).await
    }

    /// Creates the queues of a domain, `<domain>__commands` and `<domain>__replies`, unless they
    /// are there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that no domain
    /// can have, [`ErrorKind::PgmqMissing`](crate::ErrorKind::PgmqMissing).
    pub async fn ensure_domain(&self, domain: impl AsRef<str> + Send) -> Result<()> {
        let domain = Domain::new(domain)?;
        self.driver.create_queue(domain.command_queue()).await?;
        self.driver.create_queue(domain.reply_queue()).await
    }

    /// Counts the messages in the command queue of a domain; none if there is no such queue.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that no domain
    /// can have, [`ErrorKind::SchemaMissing`](crate::ErrorKind::SchemaMissing).
    pub async fn queue_stats(&self, domain: impl AsRef<str> + Send) -> Result<Option<QueueStats>> {
        let domain = Domain::new(domain)?;
        self.driver.queue_stats(domain.command_queue()).await
    }

    /// Begins a transaction, for several operations that take effect together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`](crate::ErrorKind::Database).
    #[blocking(wrap = crate::blocking::Transaction)]
    pub async fn begin(&self) -> Result<Transaction> {
        Ok(Transaction::new(self.driver.begin().await?))
    }

    /// Returns a bus with the default settings.
    #[must_use]
    #[blocking(wrap = crate::blocking::CommandBus)]
    pub fn bus(&self) -> crate::CommandBus {
        crate::CommandBus::new(self)
    }

    /// Returns the troubleshooting queue.
    #[must_use]
    #[blocking(wrap = crate::blocking::TroubleshootingQueue)]
    pub fn troubleshooting(&self) -> crate::TroubleshootingQueue {
        crate::TroubleshootingQueue::new(self)
    }
}

impl fmt::Debug for DatabaseBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The addresses may hold passwords.
        f.debug_struct("DatabaseBuilder")
            .field("min", &self.min)
            .field("max", &self.max)
            .field("timeout", &self.timeout)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}

impl Database {
    pub(crate) fn driver(&self) -> &Arc<dyn Driver> {
        &self.driver
    }

    /// Runs the callbacks of batches that a transaction of this process finished. Call it after the
    /// commit with what the report of the driver says.
    pub(crate) async fn batches_finished(&self, domain: &Domain, ids: &[BatchId]) {
        if ids.is_empty() || self.batches.is_empty() {
            return;
        }
        for &id in ids {
            match self.driver.batch(On::Own, domain.clone(), id).await {
                Ok(Some(stored)) => self.batches.finished(domain, stored.batch),
                Ok(None) => {}
                // The callback learns of it by looking.
                Err(error) => tracing::debug!(%error, "a finished batch cannot be read"),
            }
        }
    }

    pub(crate) fn watch_batch(&self, domain: Domain, id: BatchId, callback: Callback) {
        self.batches.add(&self.driver, domain, id, callback);
    }
}
