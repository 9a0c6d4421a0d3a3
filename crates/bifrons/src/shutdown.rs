//! The end of a runtime: on request, and at the exit of the process.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use crate::engine::{Core, Drive};
use crate::process;
use crate::runtime::ShutdownReport;

/// What a shutdown may take beyond its grace, for threads to end and calls to notice.
const MARGIN: Duration = Duration::from_millis(50);

/// How often the tasks are counted while they get their grace.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) fn shutdown(core: &Arc<Core>, grace: Duration) -> ShutdownReport {
    if core.is_forked() {
        return ShutdownReport {
            tasks_finished: 0,
            tasks_aborted: 0,
            keeper_joined: true,
        };
    }
    if !core.may_wait_here() {
        return shutdown_without_waiting(core);
    }
    // Whoever comes second waits for the report of the first, which takes its grace at most.
    let mut report = core.report.lock().unwrap_or_else(PoisonError::into_inner);
    *report.get_or_insert_with(|| shutdown_first(core, grace))
}

fn shutdown_first(core: &Core, grace: Duration) -> ShutdownReport {
    // a destructor below that asks for a shutdown too must not wait for this one
    let _mark = core.mark();
    let begin = Instant::now();
    // far enough away for everything, and within the range of the clock
    let end = begin + grace.min(Duration::from_secs(3600 * 24 * 365));
    let ours = core.drive_mode() != Drive::Others;
    let alive = if ours { core.alive_tasks() } else { 0 };
    core.close();

    // These waits have clocks of their own: a call or the keeper may be stuck inside of a poll,
    // and then nobody drives the timers of the runtime.
    let mut drained = core.handover.drain(end);
    let mut keeper_joined = core.handover.outlive_keeper(end);
    if drained && keeper_joined {
        let_tasks_finish(core, end);
    }
    let left = if ours { core.alive_tasks() } else { 0 };
    if !drained {
        core.stop_calls();
        drained = core.handover.drain(Instant::now() + MARGIN);
    }
    keeper_joined = core.handover.outlive_keeper(Instant::now() + MARGIN);
    if keeper_joined {
        core.join_keeper();
    }
    if let Some(runtime) = core.take_runtime() {
        let rest = end.saturating_duration_since(Instant::now()).max(MARGIN);
        runtime.shutdown_timeout(if drained { rest } else { Duration::ZERO });
    }
    ShutdownReport {
        tasks_finished: alive.saturating_sub(left),
        tasks_aborted: left,
        keeper_joined,
    }
}

/// Waits until no task is alive, at most until `end`. There are no calls and there is no keeper.
fn let_tasks_finish(core: &Core, end: Instant) {
    match core.drive_mode() {
        Drive::Callers => core.drive_inside(pin!(async {
            while core.alive_tasks() != 0 && Instant::now() < end {
                tokio::time::sleep_until((Instant::now() + LOOK).min(end).into()).await;
            }
        })),
        Drive::Workers => {
            while core.alive_tasks() != 0 && Instant::now() < end {
                std::thread::park_timeout(LOOK);
            }
        }
        Drive::Others => {}
    }
}

/// In a task nothing can be waited for: the thread that would have to do the work is this one.
fn shutdown_without_waiting(core: &Core) -> ShutdownReport {
    match core.report.try_lock() {
        Ok(report) => {
            if let Some(report) = *report {
                return report;
            }
        }
        Err(TryLockError::Poisoned(report)) => {
            if let Some(report) = *report.into_inner() {
                return report;
            }
        }
        // under way on another thread
        Err(TryLockError::WouldBlock) => {}
    }
    core.close();
    core.stop_calls();
    let tasks_aborted = if core.drive_mode() == Drive::Others {
        0
    } else {
        core.alive_tasks()
    };
    if let Some(runtime) = core.take_runtime() {
        runtime.shutdown_background();
    }
    ShutdownReport {
        tasks_finished: 0,
        tasks_aborted,
        keeper_joined: false,
    }
}

/// The runtimes to shut down at exit, each with its grace.
static AT_EXIT: Mutex<Vec<(Weak<Core>, Duration)>> = Mutex::new(Vec::new());

pub(crate) fn install_exit_hook(core: &Arc<Core>, grace: Duration) -> bool {
    {
        let mut list = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|(other, _)| {
            other
                .upgrade()
                .is_some_and(|other| !Arc::ptr_eq(&other, core))
        });
        list.push((Arc::downgrade(core), grace));
    }
    process::at_exit(shutdown_all)
}

/// Shuts the runtimes down on a thread of their own: the exiting thread has no thread-local
/// storage any more, and must not wait longer than it said.
fn shutdown_all() {
    let list = match AT_EXIT.try_lock() {
        Ok(mut list) => std::mem::take(&mut *list),
        Err(TryLockError::Poisoned(list)) => std::mem::take(&mut *list.into_inner()),
        // held by a thread that is installing a hook, or was when this process was forked
        Err(TryLockError::WouldBlock) => return,
    };
    let cores: Vec<Arc<Core>> = list
        .iter()
        .filter_map(|(core, _)| core.upgrade())
        .filter(|core| !core.is_forked())
        .collect();
    let grace = list
        .iter()
        .map(|(_, grace)| *grace)
        .max()
        .unwrap_or_default();
    if cores.is_empty() {
        return;
    }
    let done = Arc::new((Mutex::new(false), Condvar::new()));
    let tell = Arc::clone(&done);
    let started = std::thread::Builder::new()
        .name("bifrons-exit".to_owned())
        .spawn(move || {
            let end = Instant::now() + grace;
            for core in cores {
                shutdown(&core, end.saturating_duration_since(Instant::now()));
            }
            *tell.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            tell.1.notify_all();
        });
    if started.is_ok() {
        let finished = done.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = done
            .1
            .wait_timeout_while(finished, grace + 2 * MARGIN, |done| !*done);
        drop(waited);
    }
}
