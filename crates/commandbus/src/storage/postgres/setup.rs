//! Bringing a database to the shape this crate needs.

use postgres_types::Type;

use crate::error::{Error, ErrorKind, Result};
use crate::names::QueueName;
use crate::storage::On;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::conn::Conn;
use crate::storage::postgres::values::get;
use crate::storage::setup::{QueueStats, SetupMode};

/// The number of the shape; what decides whether there is something to do is the text itself.
const VERSION: i32 = 5;
/// The key of the lock that setups take, any number.
const LOCK: &str = "select pg_advisory_xact_lock(4892347823764523)";

const EMBEDDED: &str = include_str!("schema/pgmq.sql");
const TABLES: &str = include_str!("schema/tables.sql");
const FUNCTIONS: [&str; 7] = [
    include_str!("schema/batch.sql"),
    include_str!("schema/peer.sql"),
    include_str!("schema/send.sql"),
    include_str!("schema/lease.sql"),
    include_str!("schema/finish.sql"),
    include_str!("schema/operate.sql"),
    include_str!("schema/process.sql"),
];

/// A fingerprint of the functions that are installed, to see that somebody replaced one.
const INSTALLED: &str = "(select coalesce(md5(string_agg(p.oid::regprocedure::text || p.prosrc, ';' \
     order by p.oid::regprocedure::text)), '') from pg_proc p where p.pronamespace = to_regnamespace('commandbus'))";

/// Returns two texts of SQL that replace the embedded queue by a real PGMQ, for PostgreSQL.
///
/// Stop all workers and senders. In one transaction run the first text, install PGMQ (`create
/// extension pgmq`, or its plain SQL), and run the second text, which brings the queues with all
/// their messages, archives and message ids over.
#[must_use]
pub fn replace_embedded_sql() -> (&'static str, &'static str) {
    (
        include_str!("schema/replace_before.sql"),
        include_str!("schema/replace_after.sql"),
    )
}

/// Returns the schema as text, for people who run their own migrations on PostgreSQL.
///
/// It may be run on an empty database, on one of an older form, and on one of the Python library;
/// PGMQ must be there. Run it in one transaction.
#[must_use]
pub fn schema_sql() -> String {
    let text = statements();
    let digest = digest(&text);
    format!("{text}\n{}", record(&digest))
}

fn statements() -> String {
    let mut text = TABLES.to_owned();
    for functions in FUNCTIONS {
        text.push('\n');
        text.push_str(functions);
    }
    text
}

fn record(digest: &str) -> String {
    format!(
        "insert into commandbus.cb_schema (version, digest, functions)\n\
         values ({VERSION}, '{digest}', {INSTALLED})\n\
         on conflict (version) do update\n\
         set digest = excluded.digest, functions = excluded.functions, installed_at = now();\n"
    )
}

/// FNV-1a over the text: it tells versions apart and protects nothing.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// What a database has of PGMQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pgmq {
    Missing,
    Embedded,
    Real,
}

impl Postgres {
    pub(super) async fn run_setup(&self, mode: SetupMode) -> Result<bool> {
        let mut conn = self.pool.get().await?;
        conn.begin(None).await?;
        match set_up(&mut conn, mode).await {
            Ok(changed) => {
                conn.commit().await?;
                Ok(changed)
            }
            Err(error) => {
                conn.rollback().await?;
                Err(error)
            }
        }
    }

    pub(super) async fn has_schema(&self) -> Result<bool> {
        let mut conn = self.pool.get().await?;
        is_current(&mut conn).await
    }

    pub(super) async fn create_queue_now(&self, queue: QueueName) -> Result<()> {
        self.query(
            On::Own,
            "select from pgmq.create($1)",
            &[(&queue.as_str(), Type::TEXT)],
        )
        .await?;
        Ok(())
    }

    pub(super) async fn has_queue(&self, queue: QueueName) -> Result<bool> {
        let row = self
            .query_one(
                On::Own,
                "select commandbus.cb_queue($1) is not null as found",
                &[(&queue.as_str(), Type::TEXT)],
            )
            .await?;
        get(&row, "found")
    }

    pub(super) async fn count_queue(&self, queue: QueueName) -> Result<Option<QueueStats>> {
        if !self.has_queue(queue.clone()).await? {
            return Ok(None);
        }
        // The name is checked, so it stands in the statement safely.
        let sql = format!(
            "select count(*) filter (where vt <= clock_timestamp()) as visible,
                    count(*) filter (where vt > clock_timestamp()) as leased,
                    extract(epoch from clock_timestamp() - min(enqueued_at))::float8 as oldest,
                    (select case when c.reltuples < 100000
                            then (select count(*) from pgmq.\"a_{queue}\") else c.reltuples::bigint end
                     from pg_class c where c.oid = 'pgmq.\"a_{queue}\"'::regclass) as archived
             from pgmq.\"q_{queue}\""
        );
        let row = self.query_one(On::Own, &sql, &[]).await?;
        let unsigned =
            |column| Ok::<_, Error>(u64::try_from(get::<i64>(&row, column)?).unwrap_or(0));
        let oldest: Option<f64> = get(&row, "oldest")?;
        Ok(Some(QueueStats {
            visible: unsigned("visible")?,
            leased: unsigned("leased")?,
            archived: unsigned("archived")?,
            oldest_age: oldest.and_then(|age| std::time::Duration::try_from_secs_f64(age).ok()),
        }))
    }
}

async fn set_up(conn: &mut Conn, mode: SetupMode) -> Result<bool> {
    conn.batch(LOCK).await?;
    let installed = install_pgmq(conn, mode).await?;
    if is_current(conn).await? {
        return Ok(installed);
    }
    conn.batch(&statements()).await?;
    // The fingerprint is read after the functions are there.
    conn.batch(&record(&digest(&statements()))).await?;
    Ok(true)
}

async fn is_current(conn: &mut Conn) -> Result<bool> {
    let row = first(
        conn,
        "select to_regclass('commandbus.cb_schema') is not null as found",
    )
    .await?;
    if !get::<bool>(&row, "found")? {
        return Ok(false);
    }
    let sql = format!(
        "select exists (select from commandbus.cb_schema s where s.version = {VERSION} \
         and s.digest = '{}' and s.functions = {INSTALLED}) as found",
        digest(&statements())
    );
    get(&first(conn, &sql).await?, "found")
}

/// Sees to it that there is a PGMQ; true if one was installed.
async fn install_pgmq(conn: &mut Conn, mode: SetupMode) -> Result<bool> {
    let present = pgmq(conn).await?;
    match (present, mode) {
        (Pgmq::Real, SetupMode::Embedded) => Err(Error::invalid_operation(
            "pgmq is installed: the embedded queue is not installed beside it",
        )),
        (Pgmq::Embedded, SetupMode::Extension) => Err(Error::invalid_operation(
            "the embedded queue is installed: replace it before the extension is used",
        )),
        (Pgmq::Real | Pgmq::Embedded, _) => Ok(false),
        (Pgmq::Missing, SetupMode::Installed) => Err(pgmq_missing(None)),
        (Pgmq::Missing, SetupMode::Extension) => match install_extension(conn).await {
            Ok(()) => Ok(true),
            Err(error) => Err(pgmq_missing(Some(error))),
        },
        (Pgmq::Missing, SetupMode::Auto) => {
            let sql =
                "select exists (select from pg_available_extensions where name = 'pgmq') as found";
            let available: bool = get(&first(conn, sql).await?, "found")?;
            if !available || install_extension(conn).await.is_err() {
                conn.batch(EMBEDDED).await?;
            }
            Ok(true)
        }
        (Pgmq::Missing, SetupMode::Embedded) => {
            conn.batch(EMBEDDED).await?;
            Ok(true)
        }
    }
}

async fn install_extension(conn: &mut Conn) -> Result<()> {
    conn.batch("savepoint cb_extension").await?;
    match conn.batch("create extension pgmq").await {
        Ok(()) => conn.batch("release savepoint cb_extension").await,
        Err(error) => {
            conn.rollback_to("cb_extension").await?;
            Err(error)
        }
    }
}

async fn pgmq(conn: &mut Conn) -> Result<Pgmq> {
    let row = first(
        conn,
        "select to_regclass('pgmq.cb_embedded') is not null as embedded,
                (select count(distinct p.proname) from pg_proc p
                 where p.pronamespace = to_regnamespace('pgmq')
                   and p.proname in ('create', 'send', 'send_batch', 'read', 'delete', 'archive', 'set_vt')) as functions",
    )
    .await?;
    let functions: i64 = get(&row, "functions")?;
    Ok(match (functions, get(&row, "embedded")?) {
        (7, true) => Pgmq::Embedded,
        (7, false) => Pgmq::Real,
        _ => Pgmq::Missing,
    })
}

fn pgmq_missing(source: Option<Error>) -> Error {
    let error = Error::new(
        ErrorKind::PgmqMissing,
        "the database has no pgmq, and the setup mode does not allow to install another queue",
    );
    match source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

async fn first(conn: &mut Conn, sql: &str) -> Result<tokio_postgres::Row> {
    let rows = conn.query(sql, &[]).await?;
    rows.into_iter()
        .next()
        .ok_or_else(|| super::answer("gave no row"))
}
