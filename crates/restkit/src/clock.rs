//! Time as a dependency: what the client reads and waits by.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use crate::BoxFuture;

/// Tells the time and waits. The default is [`TokioClock`].
///
/// A clock of your own makes retries, rate limits and token expiry testable without real waiting;
/// with the default one, tokio's paused time does the same.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present moment of a clock that never goes back.
    fn now(&self) -> Instant;

    /// Returns a future that ends after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Returns the calendar time, used to read `Retry-After` dates.
    fn calendar(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The clock and timers of the tokio runtime in whose context a call runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { tokio::time::sleep(duration).await })
    }
}

impl fmt::Debug for dyn Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Waits for `future`, but no longer than `limit`; `None` means it took longer.
pub(crate) async fn within<F: Future + Send>(
    clock: &dyn Clock,
    limit: Option<Duration>,
    future: F,
) -> Option<F::Output> {
    let Some(limit) = limit else {
        return Some(future.await);
    };
    let future = std::pin::pin!(future);
    // The future is polled first, so a result that is there in time wins over the limit.
    match futures_util::future::select(future, clock.sleep(limit)).await {
        futures_util::future::Either::Left((output, _)) => Some(output),
        futures_util::future::Either::Right(((), _)) => None,
    }
}
