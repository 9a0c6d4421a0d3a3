//! Writes that a blocking call's limit interrupted.
//!
//! A blocking call that runs out of time drops its future, on the thread of the caller and before it
//! returns, and the runtime's error knows nothing of requests. So a call that is dropped while an
//! unrepeatable write is under way leaves a note for its thread, which the conversion of the
//! runtime's error picks up.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use bifrons::BlockingError;
use http::Method;

use crate::error::{Error, ErrorKind};

struct Note {
    method: Method,
    url: String,
    operation: Option<String>,
    attempts: u32,
    elapsed: Duration,
    left: Instant,
}

thread_local! {
    static NOTE: RefCell<Option<Note>> = const { RefCell::new(None) };
}

/// A note older than this was left by something else than the call that has just failed.
const FRESH: Duration = Duration::from_secs(1);

/// Leaves a note that a write was dropped while it was under way.
pub(crate) fn leave(
    method: &Method,
    url: &str,
    operation: Option<&str>,
    attempts: u32,
    elapsed: Duration,
) {
    let note = Note {
        method: method.clone(),
        url: url.to_owned(),
        operation: operation.map(str::to_owned),
        attempts,
        elapsed,
        left: Instant::now(),
    };
    // While a thread ends there is nobody left to read a note.
    drop(NOTE.try_with(|place| place.replace(Some(note))));
}

/// Forgets what an earlier call on this thread has left.
pub(crate) fn forget() {
    drop(NOTE.try_with(|place| place.replace(None)));
}

/// Takes the note, if the runtime's error is one that interrupts calls.
pub(crate) fn take(error: &BlockingError) -> Option<Error> {
    if !error.is_timeout() && !error.is_cancelled() {
        return None;
    }
    let note = NOTE
        .try_with(|place| place.replace(None))
        .ok()
        .flatten()
        .filter(|note| note.left.elapsed() < FRESH)?;
    let text = format!("the change may or may not have been applied: {error}");
    Some(
        Error::custom(ErrorKind::UnclearWrite, text)
            .with_request(&note.method, &note.url, note.operation.as_deref())
            .with_effort(note.attempts, note.elapsed),
    )
}
