//! The two hooks into the life of the process: fork and exit.
//!
//! The only module of the workspace with `unsafe` code: it registers two C callbacks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts the forks that lie between the start of the program and this process.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Returns a number that differs between a process and the children it forks, once
/// [`watch_forks`] was called. A load from memory: no system call.
#[inline]
pub(crate) fn generation() -> u64 {
    if cfg!(unix) {
        FORKS.load(Ordering::Relaxed)
    } else {
        0
    }
}

/// Has forks counted from here on.
#[cfg(unix)]
pub(crate) fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);

    extern "C" fn in_child() {
        // the child of a fork may do next to nothing here; an atomic addition is allowed
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    if WATCHED.load(Ordering::Acquire) {
        return;
    }
    // Two threads may get here together. The hook then counts twice, which does no harm: only a
    // change matters. Waiting for each other could hang in a child forked in this very moment.
    // SAFETY: the arguments are null or a function that lives as long as the program, and the
    // function does nothing that is forbidden in the child of a multi-threaded process. On failure
    // (no memory) forks go unnoticed, which is what happens without this call.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    WATCHED.store(true, Ordering::Release);
}

#[cfg(not(unix))]
pub(crate) fn watch_forks() {}

#[cfg(not(any(unix, windows)))]
pub(crate) fn at_exit(_hook: fn()) -> bool {
    false
}

/// Has `hook` run when the process ends with `exit` or by returning from `main`. Tells whether
/// that worked. `hook` is run at most once however often this is called.
#[cfg(any(unix, windows))]
pub(crate) fn at_exit(hook: fn()) -> bool {
    static HOOK: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();
    static REGISTERED: AtomicBool = AtomicBool::new(false);

    extern "C" fn on_exit() {
        if let Some(hook) = HOOK.get() {
            // a panic must not leave a C callback
            let _panic = std::panic::catch_unwind(hook);
        }
    }

    let _first = HOOK.set(hook);
    if REGISTERED.swap(true, Ordering::AcqRel) {
        return true;
    }
    // SAFETY: the argument is a function that lives as long as the program, does not unwind, and
    // takes no locks that an exiting thread may hold.
    let result = unsafe { libc::atexit(on_exit) };
    if result != 0 {
        REGISTERED.store(false, Ordering::Release);
    }
    result == 0
}
