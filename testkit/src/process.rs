//! Counts of what this process holds, to show that nothing is left behind.
//!
//! The counts read `/proc/self`, so they work on Linux only. A count is worth something only where no other test runs beside: see [`alone`].

use std::{env, fs, process::Command};

/// Returns the number of threads of this process.
///
/// # Panics
///
/// Where there is no `/proc`.
pub fn threads() -> usize {
    thread_names().len()
}

/// Returns the names of the threads of this process (at most 15 bytes each), unordered.
///
/// The threads of this crate's servers are called `testkit-…`.
///
/// # Panics
///
/// Where there is no `/proc`.
pub fn thread_names() -> Vec<String> {
    fs::read_dir("/proc/self/task")
        .expect("/proc/self/task is readable")
        .filter_map(Result::ok)
        // A thread may end between the listing and this read.
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

/// Returns the number of threads that do not belong to this crate.
///
/// A thread that was joined may be counted for an instant longer: wait with [`eventually`](crate::eventually).
///
/// # Panics
///
/// Where there is no `/proc`.
pub fn foreign_threads() -> usize {
    thread_names()
        .iter()
        .filter(|name| !name.starts_with("testkit-"))
        .count()
}

/// Returns the number of open file descriptors.
///
/// # Panics
///
/// Where there is no `/proc`.
pub fn open_files() -> usize {
    // The listing itself holds one descriptor open.
    fs::read_dir("/proc/self/fd")
        .expect("/proc/self/fd is readable")
        .count()
        .saturating_sub(1)
}

/// Returns the number of open descriptors that are sockets.
///
/// # Panics
///
/// Where there is no `/proc`.
pub fn open_sockets() -> usize {
    fs::read_dir("/proc/self/fd")
        .expect("/proc/self/fd is readable")
        .filter_map(Result::ok)
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Runs the body of a test in a process of its own, so that counts of threads and descriptors are about this test and no other.
///
/// `test` is the full name of the calling test as its runner prints it, such as `lifetime::nothing_is_left_behind`. The function starts the test binary again for
/// just this test, and there runs the body on the thread of the test.
///
/// # Panics
///
/// When the body failed, with its output, or when there is no test of that name.
pub fn alone(test: &str, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        body();
        return;
    }
    let output = env::current_exe()
        .and_then(|program| {
            Command::new(program)
                .args([test, "--exact", "--nocapture", "--test-threads=1"])
                .env(ALONE, "1")
                .output()
        })
        .expect("the test binary can be started again");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{test}, alone: {}\n{out}\n{err}",
        output.status
    );
    assert!(out.contains("1 passed"), "no test is called {test}\n{out}");
}

const ALONE: &str = "TESTKIT_ALONE";
