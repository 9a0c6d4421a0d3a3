//! One connection, driven by whoever waits for it: there is no task behind it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postgres_types::{ToSql, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error as PgError, NoTls, Row};

use crate::error::{Error, Result};
use crate::storage::postgres::failure;

/// A parameter with its type, so that a statement needs no preparation and one round trip.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection.
pub(super) struct Conn {
    client: Client,
    wire: Box<dyn Wire>,
    state: State,
}

/// What is unfinished on a connection.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// A statement was begun, and its end was not seen.
    busy: bool,
    /// A transaction is open.
    open: bool,
    /// A statement failed in the open transaction, which can only be rolled back.
    failed: bool,
    /// The connection is gone.
    broken: bool,
}

/// The half of a connection that reads and writes.
trait Wire: Send {
    fn poll_message(&mut self, cx: &mut Context<'_>)
    -> Poll<Option<Result<AsyncMessage, PgError>>>;
}

impl<S, T> Wire for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<AsyncMessage, PgError>>> {
        Self::poll_message(self, cx)
    }
}

impl Conn {
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let (client, connection) = config.connect(NoTls).await.map_err(failure::connecting)?;
        Ok(Self {
            client,
            wire: Box::new(connection),
            state: State::default(),
        })
    }

    /// Runs one statement in one round trip.
    pub(super) async fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let Self {
            client,
            wire,
            state,
        } = self;
        state
            .watch(drive(&mut **wire, client.query_typed(sql, params)))
            .await
    }

    /// Runs one statement under a limit of time, still in one round trip: what sets the limit, the
    /// statement and the commit are sent together.
    pub(super) async fn query_within(
        &mut self,
        limit: Duration,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>> {
        let Self {
            client,
            wire,
            state,
        } = self;
        let begin = format!("begin isolation level read committed; {}", set_limit(limit));
        let together = async {
            // Polled in this order, so they stand in this order on the wire. After a failure the
            // commit is answered with a rollback.
            let (begun, rows, committed) = futures_util::join!(
                client.batch_execute(&begin),
                client.query_typed(sql, params),
                client.batch_execute("commit")
            );
            begun?;
            let rows = rows?;
            committed?;
            Ok(rows)
        };
        state.watch(drive(&mut **wire, together)).await
    }

    /// Runs one statement in one round trip, for the number of rows it touched.
    pub(super) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64> {
        let Self {
            client,
            wire,
            state,
        } = self;
        state
            .watch(drive(&mut **wire, client.execute_typed(sql, params)))
            .await
    }

    /// Runs statements without parameters.
    pub(super) async fn batch(&mut self, sql: &str) -> Result<()> {
        let Self {
            client,
            wire,
            state,
        } = self;
        state
            .watch(drive(&mut **wire, client.batch_execute(sql)))
            .await
    }

    pub(super) async fn begin(&mut self, limit: Option<Duration>) -> Result<()> {
        let limit = limit.map(set_limit).unwrap_or_default();
        self.batch(&format!("begin isolation level read committed; {limit}"))
            .await?;
        self.state.open = true;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        if self.state.failed {
            // The database would answer the commit with a rollback and no error.
            self.rollback().await?;
            return Err(Error::invalid_operation(
                "a statement of the transaction failed: it was rolled back",
            ));
        }
        self.batch("commit").await?;
        self.state = State::default();
        Ok(())
    }

    pub(super) async fn rollback(&mut self) -> Result<()> {
        self.batch("rollback").await?;
        self.state = State::default();
        Ok(())
    }

    /// Takes back what was done since a savepoint, the failure that made it necessary included.
    pub(super) async fn rollback_to(&mut self, savepoint: &str) -> Result<()> {
        self.batch(&format!(
            "rollback to savepoint {savepoint}; release savepoint {savepoint}"
        ))
        .await?;
        self.state.failed = false;
        Ok(())
    }

    /// Waits for a notification; an error means that the connection is gone. Dropping the future
    /// loses nothing.
    pub(super) async fn notification(&mut self) -> Result<(String, String)> {
        poll_fn(|cx| {
            loop {
                match self.wire.poll_message(cx) {
                    Poll::Ready(Some(Ok(AsyncMessage::Notification(note)))) => {
                        let told = (note.channel().to_owned(), note.payload().to_owned());
                        return Poll::Ready(Ok(told));
                    }
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Err(failure::statement(error)));
                    }
                    Poll::Ready(None) => return Poll::Ready(Err(failure::closed())),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// True if nothing is left unfinished on the connection.
    pub(super) fn is_clean(&self) -> bool {
        !self.state.busy && !self.state.open
    }

    /// True if the connection was seen to be gone.
    pub(super) fn is_broken(&self) -> bool {
        self.state.broken
    }

    /// True if the connection is still open, as far as can be told without asking the database.
    pub(super) fn is_open(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.wire.poll_message(&mut cx) {
                Poll::Pending => return !self.client.is_closed(),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return false,
            }
        }
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Awaits a statement and notes how it ended. Dropped in between, the connection stays busy.
    async fn watch<T>(&mut self, statement: impl Future<Output = Result<T, PgError>>) -> Result<T> {
        self.busy = true;
        let done = statement.await;
        match &done {
            Ok(_) => self.busy = false,
            Err(error) => match error.as_db_error().map(DbError::parsed_severity) {
                // A statement that the database refused has ended as well.
                Some(Some(Severity::Error)) => {
                    self.busy = false;
                    self.failed = self.open;
                }
                // A fatal error, such as the news that the server stops, ends the connection.
                _ => self.broken = true,
            },
        }
        done.map_err(failure::statement)
    }
}

/// The statement that limits the statements of a transaction.
fn set_limit(limit: Duration) -> String {
    format!(
        "set local statement_timeout = {}",
        limit.as_millis().clamp(1, 2_147_483_647)
    )
}

/// Polls a request together with the connection that carries it.
async fn drive<T>(
    wire: &mut dyn Wire,
    request: impl Future<Output = Result<T, PgError>>,
) -> Result<T, PgError> {
    let mut request = pin!(request);
    poll_fn(|cx| {
        loop {
            // The first poll puts the request into the queue of the connection.
            if let Poll::Ready(done) = request.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            match wire.poll_message(cx) {
                // The connection moved as far as it can; the answer may have come with it.
                Poll::Pending => return request.as_mut().poll(cx),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => {
                    // The answer may stand before the end of the connection.
                    return match request.as_mut().poll(cx) {
                        Poll::Ready(done) => Poll::Ready(done),
                        Poll::Pending => Poll::Ready(Err(error)),
                    };
                }
                Poll::Ready(None) => return request.as_mut().poll(cx),
            }
        }
    })
    .await
}

/// The error when the pool gives up waiting.
pub(super) fn pool_exhausted(limit: Duration) -> Error {
    Error::database(format!(
        "no connection of the pool became free in {} ms",
        limit.as_millis()
    ))
    .pool_timed_out()
}
