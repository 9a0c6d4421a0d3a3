//! Transactions that span several operations.

use std::fmt;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::storage::{On, OpenTransaction};

/// A transaction of the bus. Dropped without [`commit`](Self::commit) it is rolled back.
///
/// With SQLite it holds the one write lock of the file: keep it short.
#[derive(Debug)]
pub struct Transaction {
    open: Option<Box<dyn OpenTransaction>>,
}

impl Transaction {
    pub(crate) fn new(open: Box<dyn OpenTransaction>) -> Self {
        Self { open: Some(open) }
    }

    fn open(&mut self) -> Result<&mut Box<dyn OpenTransaction>> {
        self.open
            .as_mut()
            .ok_or_else(|| Error::invalid_operation("the transaction has ended"))
    }
}

#[bifrons::dual(blocking = crate::blocking::Transaction)]
impl Transaction {
    /// Runs a statement of the caller inside the transaction, and returns how many rows it touched.
    ///
    /// Parameters are `$1`, `$2` with PostgreSQL and `?1`, `?2` with SQLite. Text is read as
    /// whatever the statement needs at its place, as in a quoted literal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`](crate::ErrorKind::Database) if the database refuses the statement.
    /// The transaction can then only be rolled back.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.open()?.execute(sql.to_owned(), params.to_vec()).await
    }

    /// Makes all that was done in it permanent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`](crate::ErrorKind::Database). If the connection broke in this very
    /// call it is not known whether the transaction took effect; look for one of its commands.
    pub async fn commit(mut self) -> Result<()> {
        match self.open.take() {
            Some(open) => open.commit().await,
            None => Err(Error::invalid_operation("the transaction has ended")),
        }
    }

    /// Takes back all that was done in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`](crate::ErrorKind::Database); the transaction has no effect then
    /// either.
    pub async fn rollback(mut self) -> Result<()> {
        match self.open.take() {
            Some(open) => open.rollback().await,
            None => Err(Error::invalid_operation("the transaction has ended")),
        }
    }
}

/// A transaction that an operation takes part in: one of the bus, or one of the caller's own
/// connection.
///
/// It is made from `&mut Transaction`, and from a `&tokio_postgres::Transaction` on the same
/// database.
pub struct TransactionRef<'a>(Place<'a>);

enum Place<'a> {
    Own(&'a mut Transaction),
    #[cfg(feature = "postgres")]
    Postgres(&'a tokio_postgres::Transaction<'a>),
}

impl<'a> TransactionRef<'a> {
    pub(crate) fn on(self) -> Result<On<'a>> {
        match self.0 {
            Place::Own(transaction) => Ok(On::Tx(&mut **transaction.open()?)),
            #[cfg(feature = "postgres")]
            Place::Postgres(transaction) => Ok(On::Joined(transaction)),
        }
    }
}

impl fmt::Debug for TransactionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionRef").finish_non_exhaustive()
    }
}

impl<'a> From<&'a mut Transaction> for TransactionRef<'a> {
    fn from(transaction: &'a mut Transaction) -> Self {
        Self(Place::Own(transaction))
    }
}

#[cfg(feature = "postgres")]
impl<'a> From<&'a tokio_postgres::Transaction<'_>> for TransactionRef<'a> {
    fn from(transaction: &'a tokio_postgres::Transaction<'_>) -> Self {
        Self(Place::Postgres(transaction))
    }
}

#[cfg(feature = "blocking")]
impl<'a> From<&'a mut crate::blocking::Transaction> for TransactionRef<'a> {
    fn from(transaction: &'a mut crate::blocking::Transaction) -> Self {
        Self(Place::Own(
            bifrons::Twin::held_mut(transaction).parts_mut().0,
        ))
    }
}
