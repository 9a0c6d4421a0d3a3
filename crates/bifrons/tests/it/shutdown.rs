//! The end of a runtime, on request.

use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use bifrons::{BlockingError, BlockingRuntime, Mode};

use crate::isolated::isolated;
use crate::support::{Drops, OnDrop, call, runtime, until, watchdog};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(5);

fn threaded() -> BlockingRuntime {
    let mode = Mode::Threaded {
        workers: NonZeroUsize::new(2).unwrap(),
    };
    BlockingRuntime::builder().mode(mode).build().unwrap()
}

#[test]
fn a_call_in_progress_may_end_within_the_grace() {
    let _watchdog = watchdog();
    for rt in [runtime(), threaded()] {
        let (told, begun) = channel();
        let (go, gate) = tokio::sync::oneshot::channel();
        thread::scope(|scope| {
            let call = scope.spawn(|| {
                rt.block_on(async {
                    told.send(()).unwrap();
                    gate.await.unwrap();
                    tokio::time::sleep(SHORT).await;
                    7
                })
            });
            begun.recv().unwrap();
            scope.spawn(|| {
                while !matches!(rt.block_on(async {}), Err(BlockingError::Closed)) {
                    thread::yield_now();
                }
                go.send(()).unwrap();
            });
            let report = rt.shutdown(LONG);
            assert_eq!(report.tasks_aborted, 0);
            assert_eq!(call.join().unwrap().unwrap(), 7);
        });
    }
}

#[test]
fn a_call_in_progress_ends_with_closed_when_the_grace_is_over() {
    let _watchdog = watchdog();
    for rt in [runtime(), threaded()] {
        let drops = Drops::default();
        let (told, begun) = channel();
        thread::scope(|scope| {
            let calls: Vec<_> = (0..4)
                .map(|_| {
                    let (rt, told, held) = (&rt, told.clone(), drops.counted());
                    scope.spawn(move || {
                        rt.block_on(async move {
                            let _held = held;
                            told.send(()).unwrap();
                            pending::<()>().await;
                        })
                    })
                })
                .collect();
            for _ in 0..4 {
                begun.recv().unwrap();
            }
            rt.shutdown(SHORT);
            for call in calls {
                assert!(matches!(call.join().unwrap(), Err(BlockingError::Closed)));
            }
        });
        assert_eq!(drops.count(), 4);
        assert!(call(&rt).unwrap_err().is_closed());
    }
}

#[test]
fn the_report_counts_what_finished_and_what_was_dropped() {
    let _watchdog = watchdog();
    for rt in [runtime(), threaded()] {
        let drops = Drops::default();
        let held = drops.counted();
        let (closed, gate) = tokio::sync::watch::channel(false);
        rt.block_on(async move {
            tokio::spawn(async move {
                let _held = held;
                pending::<()>().await;
            });
            for _ in 0..3 {
                let mut gate = gate.clone();
                tokio::spawn(async move { gate.wait_for(|closed| *closed).await.map(|_| ()) });
            }
        })
        .unwrap();
        let report = thread::scope(|scope| {
            scope.spawn(|| {
                // once the shutdown has begun
                until(|| rt.block_on(async {}).is_err());
                closed.send(true).unwrap();
            });
            rt.shutdown(Duration::from_secs(2))
        });
        // workers may still be at it when the time for waiting is over
        until(|| drops.count() == 1);
        assert_eq!((report.tasks_finished, report.tasks_aborted), (3, 1));
        assert!(report.keeper_joined);
        assert_eq!(rt.shutdown(LONG), report);
        assert_eq!(rt.clone().shutdown(Duration::ZERO), report);
    }
}

#[test]
fn two_shutdowns_at_once_return_one_report() {
    let _watchdog = watchdog();
    let rt = runtime();
    rt.block_on(async {
        tokio::spawn(pending::<()>());
    })
    .unwrap();
    let reports: Vec<_> = thread::scope(|scope| {
        let shutdowns: Vec<_> = (0..4).map(|_| scope.spawn(|| rt.shutdown(SHORT))).collect();
        shutdowns
            .into_iter()
            .map(|shutdown| shutdown.join().unwrap())
            .collect()
    });
    assert_eq!(reports[0].tasks_aborted, 1);
    assert!(reports.iter().all(|report| *report == reports[0]));
}

#[test]
fn a_shutdown_in_a_task_does_not_wait_and_a_later_one_completes_it() {
    let _watchdog = watchdog();
    let drops = Drops::default();
    let rt = runtime();
    let held = drops.counted();
    rt.block_on(async move {
        tokio::spawn(async move {
            let _held = held;
            pending::<()>().await;
        });
    })
    .unwrap();
    let outer = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let report = outer.block_on(async { rt.shutdown(LONG) });
    assert!(!report.keeper_joined);
    assert!(call(&rt).unwrap_err().is_closed());
    let report = rt.shutdown(LONG);
    assert!(report.keeper_joined);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_shutdown_by_its_own_task_ends_the_calls() {
    let _watchdog = watchdog();
    let rt = runtime();
    let own = rt.clone();
    let outcome = rt.block_on(async move {
        tokio::spawn(async move {
            own.shutdown(LONG);
        });
        pending::<()>().await;
    });
    assert!(matches!(outcome, Err(BlockingError::Closed)));
    assert!(rt.shutdown(Duration::ZERO).keeper_joined);
}

#[test]
fn a_call_that_never_returns_from_its_poll_does_not_hold_shutdown_up() {
    let _watchdog = watchdog();
    let rt = runtime();
    let drops = Drops::default();
    let held = drops.counted();
    let (told, begun) = channel();
    let (go, gate) = channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    thread::scope(|scope| {
        let call = scope.spawn(|| {
            rt.block_on(async {
                tokio::spawn(async move {
                    let _held = held;
                    pending::<()>().await;
                });
                told.send(()).unwrap();
                // stuck inside of a poll
                gate.lock().unwrap().recv().unwrap();
                pending::<()>().await;
            })
        });
        begun.recv().unwrap();
        rt.shutdown(SHORT);
        assert_eq!(drops.count(), 0);
        go.send(()).unwrap();
        assert!(matches!(call.join().unwrap(), Err(BlockingError::Closed)));
        // the call released the runtime as the last to leave
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_destructor_may_ask_for_the_shutdown_that_drops_it() {
    let _watchdog = watchdog();
    for rt in [runtime(), threaded()] {
        let (told, asked) = channel();
        let own = rt.clone();
        rt.block_on(async move {
            let asks = OnDrop(move || {
                own.shutdown(LONG);
                told.send(call(&own).is_err()).unwrap();
            });
            tokio::spawn(async move {
                let _asks = asks;
                pending::<()>().await;
            });
        })
        .unwrap();
        assert_eq!(rt.shutdown(SHORT).tasks_aborted, 1);
        assert!(asked.recv().unwrap());
    }
}

#[test]
fn an_external_runtime_outlives_the_shutdown() {
    let _watchdog = watchdog();
    let outer = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mode = Mode::External(outer.handle().clone());
    let rt = BlockingRuntime::builder().mode(mode).build().unwrap();
    let (told, begun) = channel();
    thread::scope(|scope| {
        let call = scope.spawn(|| {
            rt.block_on(async {
                told.send(()).unwrap();
                pending::<()>().await;
            })
        });
        begun.recv().unwrap();
        rt.shutdown(SHORT);
        assert!(matches!(call.join().unwrap(), Err(BlockingError::Closed)));
    });
    assert_eq!(
        outer.block_on(async { tokio::spawn(async { 3 }).await.unwrap() }),
        3
    );
}

#[cfg(target_os = "linux")]
isolated! {
    fn the_threads_are_gone_after_a_shutdown() {
        use crate::support::threads;
        let before = threads();
        for make in [runtime, threaded] {
            let rt = make();
            rt.block_on(async {
                tokio::spawn(pending::<()>());
                tokio::task::spawn_blocking(|| ()).await.unwrap();
            }).unwrap();
            until(|| threads() > before);
            assert!(rt.shutdown(SHORT).keeper_joined);
            until(|| threads() == before);
        }
    }
}
