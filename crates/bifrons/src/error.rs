use std::fmt;
use std::io;
use std::time::Duration;

/// Why a blocking call could not be made or did not end.
///
/// The text of each error is one line that says what to do instead. The error type of a client
/// crate has one variant for it and `From<BlockingError>`, so that generated blocking methods can
/// return it in the type of the async method.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockingError {
    /// The call was made inside an async task, or at the root of a `block_on`, and would have
    /// stopped that executor thread.
    #[error(
        "blocking call inside an async task of a {flavor} tokio runtime: use the async client \
         there, or make the call in `tokio::task::spawn_blocking`"
    )]
    InAsyncContext {
        /// The kind of runtime the task belongs to.
        flavor: Flavor,
    },
    /// The call was made by a task, stream or destructor that the same runtime is polling, and
    /// would have waited for itself.
    #[error(
        "blocking call from inside its own blocking runtime: use the async client there, or make \
         the call in `tokio::task::spawn_blocking`"
    )]
    Reentrant,
    /// The process was forked after the runtime was made, and this is the child.
    #[error(
        "the blocking runtime was made before this process was forked: make a new client in the \
         child process"
    )]
    Forked,
    /// The runtime was shut down before the call, or while it ran and its grace was over.
    #[error("the blocking runtime is shut down: make a new runtime and a new client")]
    Closed,
    /// The limit set with [`CallOptions`](crate::CallOptions) was reached. The operation was
    /// dropped; whether a request that was on its way had an effect is not known.
    #[error("the blocking call did not end within its limit of {limit:?}")]
    TimedOut {
        /// The time the call had.
        limit: Duration,
    },
    /// The [`CancelToken`](crate::CancelToken) of the call was cancelled. The operation was
    /// dropped; whether a request that was on its way had an effect is not known.
    #[error("the blocking call was cancelled")]
    Cancelled,
    /// The operating system gave the runtime no event queue or thread, or the thread is ending.
    #[error("the blocking runtime cannot run")]
    Runtime(#[source] io::Error),
    /// The runtime was to be built on the handle of a current-thread runtime, which makes progress
    /// only while its owner drives it.
    #[error(
        "a current-thread runtime makes progress only while its owner drives it: pass the handle \
         of a multi-thread runtime, or state `driven_elsewhere()` on the builder"
    )]
    UndrivenHandle,
}

impl BlockingError {
    /// Tells whether the program made the call where it must not: in an async task, inside the
    /// same runtime, or in a forked child. The same call from a plain thread would have worked.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::InAsyncContext { .. } | Self::Reentrant | Self::Forked
        )
    }

    /// Tells whether the limit of the call was reached.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Tells whether the call was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// Tells whether the runtime was shut down.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// The kind of tokio runtime that a misplaced blocking call was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavor {
    /// All tasks run on one thread; a blocking call stops every one of them.
    CurrentThread,
    /// Tasks run on worker threads; a blocking call takes one of them away.
    MultiThread,
    /// A kind this crate does not know.
    Other,
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread => "multi-thread",
            Self::Other => "foreign",
        })
    }
}

/// The shared runtime was in use before
/// [`set_shared`](crate::BlockingRuntime::set_shared) could replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shared blocking runtime is already in use: set it before the first blocking client")]
#[non_exhaustive]
pub struct AlreadySet;
