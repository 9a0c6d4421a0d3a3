//! Panics reach the caller and leave the runtime usable.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crate::support::{call, mixed, runtime, watchdog};

#[test]
fn a_panic_of_the_future_reaches_the_caller_with_its_payload() {
    let _watchdog = watchdog();
    let rt = runtime();
    for _ in 0..3 {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            rt.block_on(async {
                mixed().await;
                std::panic::panic_any(17_u8);
            })
        }))
        .unwrap_err();
        assert_eq!(*panic.downcast::<u8>().unwrap(), 17);
        assert_eq!(call(&rt).unwrap(), 42);
        assert_eq!(rt.stats().active, 0);
    }
}

#[test]
fn a_panic_of_the_driving_caller_hands_the_driving_over() {
    let _watchdog = watchdog();
    let rt = runtime();
    let barrier = Arc::new(tokio::sync::Barrier::new(3));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..3)
            .map(|caller| {
                let (rt, barrier) = (&rt, Arc::clone(&barrier));
                scope.spawn(move || {
                    rt.block_on(async move {
                        barrier.wait().await;
                        if caller == 0 {
                            std::panic::panic_any(());
                        }
                        mixed().await
                    })
                })
            })
            .collect();
        let outcomes: Vec<_> = callers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        assert!(outcomes[0].is_err());
        assert!(
            outcomes[1..]
                .iter()
                .all(|outcome| matches!(outcome, Ok(Ok(42))))
        );
    });
}

#[test]
fn a_panic_of_a_task_is_reported_where_it_is_awaited() {
    let _watchdog = watchdog();
    let rt = runtime();
    let outcome = rt
        .block_on(async { tokio::spawn(async { std::panic::panic_any("broken") }).await })
        .unwrap();
    let payload = outcome.unwrap_err().into_panic();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "broken");
    assert_eq!(call(&rt).unwrap(), 42);
}

#[test]
fn a_panic_of_a_task_on_the_keeper_leaves_the_keeper_working() {
    let _watchdog = watchdog();
    let rt = runtime();
    let (told, done) = std::sync::mpsc::channel();
    rt.block_on(async move {
        tokio::spawn(async {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            std::panic::panic_any(());
        });
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            told.send(()).unwrap();
        });
    })
    .unwrap();
    done.recv().unwrap();
}
