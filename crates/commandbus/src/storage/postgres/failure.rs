//! What the errors of PostgreSQL mean.

use tokio_postgres::Error as PgError;
use tokio_postgres::error::SqlState;

use crate::error::{Error, ErrorKind};

/// The connection could not be made.
pub(super) fn connecting(error: PgError) -> Error {
    match error.as_db_error() {
        // A server that starts, stops or is full comes back.
        Some(refused) => {
            let later = is_transient(refused.code());
            Error::database(format!(
                "the database refused the connection: {}",
                refused.message()
            ))
            .retryable(later)
            .with_source(error)
        }
        None => Error::database("the database cannot be reached")
            .retryable(true)
            .with_source(error),
    }
}

/// A statement failed, or its connection.
pub(super) fn statement(error: PgError) -> Error {
    let Some(refused) = error.as_db_error() else {
        if error.is_closed()
            || std::error::Error::source(&error).is_some_and(|s| s.is::<std::io::Error>())
        {
            return Error::database("the connection to the database broke")
                .retryable(true)
                .with_source(error);
        }
        return Error::database("the database gave an answer that cannot be read")
            .with_source(error);
    };
    let code = refused.code();
    let missing = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::UNDEFINED_OBJECT,
    ];
    if missing.contains(code) && refused.message().contains("commandbus") {
        return Error::new(
            ErrorKind::SchemaMissing,
            "the schema of the bus is not there: run the setup",
        )
        .with_source(error);
    }
    if missing.contains(code) && refused.message().contains("pgmq") {
        return Error::new(
            ErrorKind::PgmqMissing,
            "the database has no pgmq: run the setup",
        )
        .with_source(error);
    }
    if *code == SqlState::UNTRANSLATABLE_CHARACTER {
        return Error::encoding("the database stores no NUL character in text or json")
            .with_source(error);
    }
    let timeout = *code == SqlState::QUERY_CANCELED || *code == SqlState::LOCK_NOT_AVAILABLE;
    let retryable = timeout || is_transient(code);
    Error::database(format!(
        "the database refused a statement: {}",
        refused.message()
    ))
    .timed_out(timeout)
    .retryable(retryable)
    .with_source(error)
}

/// The connection ended in silence.
pub(super) fn closed() -> Error {
    Error::database("the database closed the connection").retryable(true)
}

/// True for what a transaction that is run again as a whole may not meet again.
pub(super) fn is_conflict(error: &Error) -> bool {
    sql_state(error).is_some_and(|code| {
        *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE
    })
}

fn sql_state(error: &Error) -> Option<&SqlState> {
    std::error::Error::source(error)?
        .downcast_ref::<PgError>()?
        .code()
}

fn is_transient(code: &SqlState) -> bool {
    // Connection exceptions, transaction rollback, insufficient resources, operator intervention.
    ["08", "40", "53", "57"]
        .iter()
        .any(|class| code.code().starts_with(class))
}
