use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::error::BlockingError;

/// A deadline and a cancel token for blocking calls.
///
/// The default has neither, and costs nothing: what limits the call then is what the async client
/// itself is set to. A limit covers the whole operation, including its retries, waiting times and
/// every page that one call fetches, and does not depend on the limits of single attempts.
///
/// For an iterator the timeout covers each `next()` that has to fetch, counted from that `next()`,
/// because the time between two items belongs to the caller. A deadline is a moment and stays the
/// same one for all items. Items that are in memory are not held back by either, but a cancelled
/// token ends the iterator at once.
///
/// ```
/// use std::time::Duration;
/// use bifrons::{BlockingRuntime, CallOptions};
///
/// let rt = BlockingRuntime::shared()?;
/// let options = CallOptions::default().with_timeout(Duration::from_millis(20));
/// let error = rt.block_on_with(&options, std::future::pending::<()>()).unwrap_err();
/// assert!(error.is_timeout());
/// # Ok::<(), bifrons::BlockingError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CallOptions {
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    cancel: Option<CancelToken>,
}

impl CallOptions {
    /// Ends each call after `timeout`, counted from its start. Zero ends it before it starts.
    /// Default: no limit.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Ends calls at a moment in time, so that several calls share one limit. With a timeout too,
    /// whichever comes first counts. Default: no limit.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Ends calls when `token` is cancelled. Default: no token.
    #[must_use]
    pub fn with_cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Returns the limit of each call.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the moment at which calls end.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the token that cancels the calls.
    #[must_use]
    pub fn cancel(&self) -> Option<&CancelToken> {
        self.cancel.as_ref()
    }

    /// Tells whether nothing is set.
    #[inline]
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.timeout.is_none() && self.deadline.is_none() && self.cancel.is_none()
    }

    /// Fixes the limits of a call that starts now, or ends it before it starts.
    #[inline]
    pub(crate) fn start(&self) -> Result<Limits<'_>, BlockingError> {
        if self.is_default() {
            Ok(Limits {
                end: None,
                cancel: None,
            })
        } else {
            self.start_limited()
        }
    }

    fn start_limited(&self) -> Result<Limits<'_>, BlockingError> {
        let cancel = self.cancel.as_ref();
        if cancel.is_some_and(CancelToken::is_cancelled) {
            return Err(BlockingError::Cancelled);
        }
        if self.timeout.is_none() && self.deadline.is_none() {
            return Ok(Limits { end: None, cancel });
        }
        let now = Instant::now();
        let until_deadline = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(now));
        let limit = match (self.timeout, until_deadline) {
            (Some(one), Some(other)) => one.min(other),
            (one, other) => one.or(other).unwrap_or(Duration::MAX),
        };
        if limit.is_zero() {
            return Err(BlockingError::TimedOut { limit });
        }
        // a limit beyond the range of the clock is no limit
        Ok(Limits {
            end: now.checked_add(limit).map(|end| (end, limit)),
            cancel,
        })
    }
}

/// The limits of one call that has started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits<'a> {
    pub(crate) end: Option<(Instant, Duration)>,
    pub(crate) cancel: Option<&'a CancelToken>,
}

impl Limits<'_> {
    pub(crate) fn are_none(&self) -> bool {
        self.end.is_none() && self.cancel.is_none()
    }
}

/// Cancels blocking calls from another thread.
///
/// Clones are the same token. Cancelling is final; a token may be cancelled before, during and
/// after the calls that carry it. It may be used from a thread that watches for signals, not from
/// a signal handler itself.
///
/// ```
/// use bifrons::{BlockingRuntime, CallOptions, CancelToken};
///
/// let rt = BlockingRuntime::shared()?;
/// let token = CancelToken::default();
/// let options = CallOptions::default().with_cancel(token.clone());
/// let other = std::thread::spawn(move || token.cancel());
/// let error = rt.block_on_with(&options, std::future::pending::<()>()).unwrap_err();
/// assert!(error.is_cancelled());
/// # other.join().unwrap();
/// # Ok::<(), bifrons::BlockingError>(())
/// ```
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Cancel>);

#[derive(Default)]
struct Cancel {
    cancelled: AtomicBool,
    waiting: Notify,
}

impl CancelToken {
    /// Makes a token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the calls that carry this token with
    /// [`BlockingError::Cancelled`], and refuses later ones. Does not wait for them.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        self.0.waiting.notify_waiters();
    }

    /// Tells whether the token was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// What to wait on; look at [`is_cancelled`](Self::is_cancelled) after registering.
    pub(crate) fn waiting(&self) -> &Notify {
        &self.0.waiting
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
