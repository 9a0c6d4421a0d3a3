//! Turns errors of the client library into errors of the program: a class, a next step, details.

use clikit::{Class, Error};
use sophos_central::ErrorKind;

/// Wraps an error of the library. Its text and its causes stay as they are.
pub(crate) fn failure(error: sophos_central::Error) -> Error {
    let class = class(&error);
    let hint = error.hint();
    let mut details: Vec<(&str, serde_json::Value)> = Vec::new();
    if let Some(status) = error.status() {
        details.push(("status", status.as_u16().into()));
    }
    for (name, value) in [
        ("code", error.code()),
        ("message", error.message()),
        ("correlationId", error.correlation_id()),
        ("requestId", error.request_id()),
        ("method", error.method()),
        ("url", error.url()),
        ("path", error.decode_path()),
    ] {
        if let Some(value) = value {
            details.push((name, value.into()));
        }
    }
    if error.attempts() > 0 {
        details.push(("attempts", error.attempts().into()));
    }
    if let Some(tenant) = error.tenant() {
        details.push(("tenant", serde_json::json!({"id": tenant.as_str()})));
    }
    let mut wrapped = Error::wrap(class, error);
    for (name, value) in details {
        wrapped = wrapped.with_detail(name, value);
    }
    match hint {
        Some(hint) => wrapped.with_hint(hint),
        None => wrapped,
    }
}

fn class(error: &sophos_central::Error) -> Class {
    match error.kind() {
        ErrorKind::Configuration => Class::Config,
        ErrorKind::InvalidArgument => Class::User,
        ErrorKind::InvalidCredentials
        | ErrorKind::TokenExpired
        | ErrorKind::TokenRequest
        | ErrorKind::Permission => Class::Auth,
        ErrorKind::Blocking => Class::Internal,
        _ => Class::Api,
    }
}

/// Ctrl-C ended a change that was under way.
pub(crate) fn interrupted_write() -> Error {
    Error::new(
        Class::Interrupted,
        "interrupted while a change was under way; it may or may not have been applied",
    )
    .with_hint("read the present state before you repeat the change")
}
