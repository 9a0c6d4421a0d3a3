//! Making and dropping runtimes.

use std::time::Duration;

use bifrons::{AlreadySet, BlockingRuntime};
use tokio::runtime::Builder;

use crate::isolated::isolated;
use crate::support::{Drops, call, runtime, until, watchdog};

/// Leaves a task behind, so that a keeper runs.
fn leave_a_task(rt: &BlockingRuntime, drops: &Drops) {
    let held = drops.counted();
    rt.block_on(async move {
        tokio::spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
    })
    .unwrap();
}

#[test]
fn dropping_the_last_clone_drops_the_tasks() {
    let _watchdog = watchdog();
    let drops = Drops::default();
    let rt = runtime();
    let other = rt.clone();
    leave_a_task(&rt, &drops);
    drop(rt);
    assert_eq!(call(&other).unwrap(), 42);
    assert_eq!(drops.count(), 0);
    drop(other);
    until(|| drops.count() == 1);
}

#[test]
fn a_runtime_may_be_made_and_dropped_in_an_async_task() {
    let _watchdog = watchdog();
    let outer = Builder::new_current_thread().build().unwrap();
    let rt = outer.block_on(async { tokio::spawn(async { runtime() }).await.unwrap() });
    assert_eq!(call(&rt).unwrap(), 42);
    outer.block_on(async { drop((rt, runtime())) });
}

#[test]
fn the_last_clone_may_be_dropped_in_an_async_task() {
    let _watchdog = watchdog();
    for outer in [
        Builder::new_current_thread().build().unwrap(),
        Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap(),
    ] {
        let drops = Drops::default();
        let (used, unused) = (runtime(), runtime());
        leave_a_task(&used, &drops);
        outer.block_on(async move {
            tokio::spawn(async move { drop((used, unused)) })
                .await
                .unwrap();
        });
        until(|| drops.count() == 1);
    }
}

#[test]
fn the_last_clone_may_be_dropped_by_its_own_task() {
    let _watchdog = watchdog();
    let rt = runtime();
    let drops = Drops::default();
    leave_a_task(&rt, &drops);
    let own = rt.clone();
    rt.block_on(async move {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(own);
        });
    })
    .unwrap();
    drop(rt);
    until(|| drops.count() == 1);
}

#[test]
fn the_last_clone_may_be_dropped_while_unwinding() {
    let _watchdog = watchdog();
    let drops = Drops::default();
    let rt = runtime();
    leave_a_task(&rt, &drops);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _rt = rt;
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert_eq!(
        *outcome.unwrap_err().downcast::<&str>().unwrap(),
        "on purpose"
    );
    until(|| drops.count() == 1);
}

#[test]
fn a_future_is_dropped_inside_the_runtime_whatever_ends_it() {
    let _watchdog = watchdog();
    struct NeedsRuntime(Drops);
    impl Drop for NeedsRuntime {
        fn drop(&mut self) {
            // panics outside of a runtime
            tokio::spawn(async {});
            drop(self.0.counted());
        }
    }
    struct Stuck(#[expect(dead_code, reason = "only dropped")] NeedsRuntime);
    impl Future for Stuck {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<()> {
            std::task::Poll::Pending
        }
    }
    struct Panics(#[expect(dead_code, reason = "only dropped")] NeedsRuntime);
    impl Future for Panics {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<()> {
            std::panic::resume_unwind(Box::new("on purpose"))
        }
    }
    let drops = Drops::default();
    let rt = runtime();
    let limit = bifrons::CallOptions::default().with_timeout(Duration::from_millis(1));
    rt.block_on_with(&limit, Stuck(NeedsRuntime(drops.clone())))
        .unwrap_err();
    assert_eq!(drops.count(), 1);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        rt.block_on(Panics(NeedsRuntime(drops.clone())))
    }));
    assert!(outcome.is_err());
    assert_eq!(drops.count(), 2);
    rt.shutdown(Duration::ZERO);
    rt.block_on(Stuck(NeedsRuntime(drops.clone()))).unwrap_err();
    assert_eq!(drops.count(), 3);
}

isolated! {
    fn the_shared_runtime_is_one_and_can_be_chosen_before_its_first_use() {
        let chosen = runtime();
        BlockingRuntime::set_shared(chosen.clone()).unwrap();
        assert_eq!(call(&BlockingRuntime::shared().unwrap()).unwrap(), 42);
        assert_eq!(chosen.stats().calls, 1);
        let AlreadySet { .. } = BlockingRuntime::set_shared(runtime()).unwrap_err();
    }
}

#[cfg(target_os = "linux")]
isolated! {
    fn three_hundred_runtimes_leave_no_thread_and_no_file_behind() {
        use crate::support::{files, threads};
        // what tokio and the test keep for good
        call(&runtime()).unwrap();
        let outer = Builder::new_current_thread().build().unwrap();
        outer.block_on(async { tokio::task::spawn_blocking(|| ()).await.unwrap() });
        let (threads_before, files_before) = (threads(), files());
        let drops = Drops::default();
        for round in 0..300 {
            let rt = runtime();
            call(&rt).unwrap();
            if round % 2 == 0 {
                leave_a_task(&rt, &drops);
            }
            match round % 4 {
                0 => drop(rt),
                1 => outer.block_on(async { drop(rt) }),
                2 => outer.block_on(async {
                    tokio::task::spawn_blocking(|| drop(rt)).await.unwrap();
                }),
                _ => {
                    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        let _rt = rt;
                        std::panic::resume_unwind(Box::new(()));
                    }));
                    assert!(unwound.is_err());
                }
            }
        }
        until(|| drops.count() == 150);
        until(|| threads() <= threads_before && files() <= files_before);
    }
}
