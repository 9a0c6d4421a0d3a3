//! Bounds for everything that could hang.

use std::{
    panic::resume_unwind,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

/// How long every wait of this crate lasts before it fails the test: 30 seconds.
///
/// It is a bound for a test that hangs, not a measure: no test passes or fails by how fast it is.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a closure on a thread of its own and returns its result, or fails when it takes longer than `limit`.
///
/// A thread that hangs is left behind; the test fails and the process ends.
///
/// # Panics
///
/// When the time is up, and with the panic of the closure when it panics.
pub fn watchdog<T: Send + 'static>(
    limit: Duration,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, wait) = channel();
    let thread = Builder::new()
        .name("watched".to_owned())
        .spawn(move || {
            let value = body();
            // The receiver is gone only after the limit, when nobody wants the value.
            drop(done.send(value));
        })
        .expect("a thread can be started");
    match wait.recv_timeout(limit) {
        Ok(value) => {
            join(thread);
            value
        }
        Err(RecvTimeoutError::Timeout) => panic!("still running after {limit:?}"),
        Err(RecvTimeoutError::Disconnected) => {
            join(thread);
            unreachable!("the closure returned without a value")
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// Bounds the scope it lives in: aborts the process, with a message, when it is not dropped in time.
///
/// Use it where the code under test must stay on the thread of the test (thread-local state, borrowed values), else [`watchdog`]. Abort is the only safe way to end a thread that
/// hangs; a runner that gives each test a process reports exactly this test as failed.
#[derive(Debug)]
pub struct Watchdog {
    cancel: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts to watch, with [`PATIENCE`] as the limit.
    pub fn start() -> Self {
        Self::with_limit(PATIENCE)
    }

    /// Starts to watch with a limit.
    #[expect(
        clippy::print_stderr,
        reason = "the process is about to abort; nobody else would say why"
    )]
    pub fn with_limit(limit: Duration) -> Self {
        let (cancel, cancelled) = channel();
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let thread = Builder::new()
            .name("testkit-watch".to_owned())
            .spawn(move || {
                if cancelled.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    eprintln!("{name}: still running after {limit:?}, aborting");
                    std::process::abort();
                }
            })
            .expect("a thread can be started");
        Self {
            cancel: Some(cancel),
            thread: Some(thread),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.cancel.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Waits until a condition holds that nothing announces, such as a number of threads or open files.
///
/// Prefer a [`Gate`](crate::Gate) or [`Server::wait_until`](crate::Server::wait_until) where they apply: they do not poll.
///
/// # Panics
///
/// When the condition does not hold within [`PATIENCE`].
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "{what}: not so after {PATIENCE:?}"
        );
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
