//! What several topics need.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use bifrons::{BlockingError, BlockingRuntime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than any test, on any machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Ends the process when the test hangs, until it is dropped.
pub(crate) struct Watchdog(#[expect(dead_code, reason = "its end is what counts")] Sender<()>);

pub(crate) fn watchdog() -> Watchdog {
    let (alive, test) = channel::<()>();
    thread::spawn(move || {
        if test.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("the test hangs");
            std::process::abort();
        }
    });
    Watchdog(alive)
}

/// A runtime of its own, so that tests in one process do not meet.
pub(crate) fn runtime() -> BlockingRuntime {
    BlockingRuntime::builder().build().unwrap()
}

/// A timer, a task and a socket: everything that can hang.
pub(crate) async fn mixed() -> u32 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let task = tokio::spawn(async {
        tokio::task::yield_now().await;
        40
    });
    let part = task.await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (mut client, mut server) = (client.unwrap(), server.unwrap().0);
    client.write_all(&[2]).await.unwrap();
    part + u32::from(server.read_u8().await.unwrap())
}

/// Makes a blocking call of everything.
pub(crate) fn call(rt: &BlockingRuntime) -> Result<u32, BlockingError> {
    rt.block_on(mixed())
}

/// Waits until `done`, giving the processor away; the watchdog bounds it.
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

/// Counts how often its clones' originals were dropped.
#[derive(Clone, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted(self.clone())
    }
}

/// Counts its drop.
pub(crate) struct Counted(Drops);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Calls its function when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Counts the threads of this process whose name begins with `name`.
#[cfg(target_os = "linux")]
pub(crate) fn threads_named(name: &str) -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|comm| comm.starts_with(name))
        .count()
}

/// Counts the threads of this process.
#[cfg(target_os = "linux")]
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Counts the open files of this process.
#[cfg(target_os = "linux")]
pub(crate) fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
