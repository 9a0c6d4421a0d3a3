//! Where blocking calls work, and what they answer where they do not.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use bifrons::{BlockingError, BlockingRuntime, Flavor, Mode};
use futures_util::stream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_blocking};

use crate::isolated::isolated;
use crate::support::{OnDrop, call, mixed, runtime};

fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn threaded() -> BlockingRuntime {
    let mode = Mode::Threaded {
        workers: NonZeroUsize::new(1).unwrap(),
    };
    BlockingRuntime::builder().mode(mode).build().unwrap()
}

/// A call works, and works again.
fn works(rt: &BlockingRuntime) {
    assert_eq!(call(rt).unwrap(), 42);
    assert_eq!(call(rt).unwrap(), 42);
}

/// A call is refused because of the async context, and again.
fn refused(rt: &BlockingRuntime, expected: Flavor) {
    for _ in 0..2 {
        match call(rt) {
            Err(error @ BlockingError::InAsyncContext { flavor }) if flavor == expected => {
                assert!(error.is_misuse());
                let text = error.to_string();
                assert!(
                    text.contains("async client") && text.contains("spawn_blocking"),
                    "{text}"
                );
            }
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// A call is refused because it would wait for itself.
fn reentrant(rt: &BlockingRuntime) {
    for _ in 0..2 {
        match call(rt) {
            Err(error @ BlockingError::Reentrant) => assert!(error.is_misuse()),
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// An executor that has nothing to do with tokio.
fn foreign<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

isolated! {
    fn works_on_a_plain_thread() {
        works(&runtime());
    }

    fn works_inside_a_foreign_executor() {
        foreign(async { works(&runtime()) });
    }

    fn works_in_spawn_blocking_of_a_current_thread_runtime() {
        let rt = runtime();
        current().block_on(async { spawn_blocking(move || works(&rt)).await.unwrap() });
    }

    fn works_in_spawn_blocking_of_a_multi_thread_runtime() {
        let rt = runtime();
        multi().block_on(async { spawn_blocking(move || works(&rt)).await.unwrap() });
    }

    fn works_in_spawn_blocking_of_its_own_runtime() {
        let rt = runtime();
        let inner = rt.clone();
        rt.block_on(async move { spawn_blocking(move || works(&inner)).await.unwrap() }).unwrap();
    }

    fn works_under_the_guard_of_a_current_thread_runtime() {
        let outer = current();
        let _entered = outer.enter();
        works(&runtime());
    }

    fn works_under_the_guard_of_a_multi_thread_runtime() {
        let outer = multi();
        let _entered = outer.enter();
        works(&runtime());
    }

    fn works_when_its_own_runtime_is_entered() {
        let rt = runtime();
        rt.enter(|| works(&rt));
    }

    fn works_in_block_in_place_of_a_task() {
        let rt = runtime();
        multi().block_on(async move {
            tokio::spawn(async move { tokio::task::block_in_place(|| works(&rt)) }).await.unwrap();
        });
    }

    fn works_in_block_in_place_at_the_root() {
        let rt = runtime();
        multi().block_on(async move { tokio::task::block_in_place(|| works(&rt)) });
    }

    fn refused_in_a_task_of_a_current_thread_runtime() {
        let rt = runtime();
        current().block_on(async move {
            tokio::spawn(async move {
                refused(&rt, Flavor::CurrentThread);
                // and the task goes on
                tokio::time::sleep(Duration::from_millis(1)).await;
            }).await.unwrap();
        });
    }

    fn refused_in_a_task_of_a_multi_thread_runtime() {
        let rt = runtime();
        multi().block_on(async move {
            tokio::spawn(async move {
                refused(&rt, Flavor::MultiThread);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }).await.unwrap();
        });
    }

    fn refused_at_the_root_of_a_current_thread_runtime() {
        let rt = runtime();
        current().block_on(async move { refused(&rt, Flavor::CurrentThread) });
    }

    fn refused_at_the_root_of_a_multi_thread_runtime() {
        let rt = runtime();
        multi().block_on(async move { refused(&rt, Flavor::MultiThread) });
    }

    fn refused_in_a_local_set() {
        let rt = runtime();
        let set = LocalSet::new();
        set.block_on(&current(), async move {
            refused(&rt, Flavor::CurrentThread);
            tokio::time::sleep(Duration::from_millis(1)).await;
            refused(&rt, Flavor::CurrentThread);
        });
    }

    fn refused_when_a_foreign_executor_runs_inside_a_task() {
        let rt = runtime();
        current().block_on(async move { foreign(async { refused(&rt, Flavor::CurrentThread) }) });
    }

    fn refused_when_the_budget_of_the_task_is_spent() {
        let rt = runtime();
        current().block_on(poll_fn(|cx| {
            while let Poll::Ready(unit) = tokio::task::coop::poll_proceed(cx) {
                unit.made_progress();
            }
            refused(&rt, Flavor::CurrentThread);
            Poll::Ready(())
        }));
    }

    fn refused_inside_another_blocking_runtime() {
        let rt = runtime();
        runtime().block_on(async move { refused(&rt, Flavor::CurrentThread) }).unwrap();
    }

    fn the_check_gives_the_budget_of_the_task_back() {
        let rt = runtime();
        current().block_on(poll_fn(|cx| {
            for _ in 0..20 {
                refused(&rt, Flavor::CurrentThread);
            }
            let mut units = 0;
            while let Poll::Ready(unit) = tokio::task::coop::poll_proceed(cx) {
                unit.made_progress();
                units += 1;
            }
            assert!(units >= 100, "only {units} left");
            Poll::Ready(())
        }));
    }

    fn reentrant_at_its_own_root() {
        let rt = runtime();
        rt.block_on(async { reentrant(&rt) }).unwrap();
        works(&rt);
    }

    fn reentrant_in_a_task_that_a_caller_drives() {
        let rt = runtime();
        let inner = rt.clone();
        rt.block_on(async move { tokio::spawn(async move { reentrant(&inner) }).await.unwrap() })
            .unwrap();
        works(&rt);
    }

    fn reentrant_in_a_task_that_the_keeper_drives() {
        let rt = runtime();
        let inner = rt.clone();
        let (told, outcome) = std::sync::mpsc::channel();
        rt.block_on(async move {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert_eq!(thread::current().name(), Some("bifrons-keeper"));
                reentrant(&inner);
                told.send(()).unwrap();
            });
        }).unwrap();
        outcome.recv().unwrap();
        works(&rt);
    }

    fn reentrant_in_a_stream() {
        let rt = runtime();
        let pulled = stream::poll_fn(|_| {
            reentrant(&rt);
            Poll::Ready(Some(()))
        });
        assert_eq!(rt.iter(pulled).next(), Some(()));
        works(&rt);
    }

    fn reentrant_in_a_stream_that_has_its_items_in_memory() {
        let rt = runtime();
        let items = stream::iter([1, 2]);
        let pulled = futures_util::StreamExt::map(items, |item| {
            reentrant(&rt);
            item
        });
        assert_eq!(rt.iter(pulled).collect::<Vec<_>>(), [1, 2]);
        works(&rt);
    }

    fn reentrant_in_a_callback() {
        let rt = runtime();
        let callback = || reentrant(&rt);
        rt.block_on(async {
            mixed().await;
            callback();
        }).unwrap();
        works(&rt);
    }

    fn reentrant_in_a_destructor() {
        let rt = runtime();
        let (task, root) = (rt.clone(), rt.clone());
        rt.block_on(async move {
            let _root = OnDrop(move || reentrant(&root));
            let held = OnDrop(move || reentrant(&task));
            tokio::spawn(async move {
                let _held = held;
                mixed().await;
            }).await.unwrap();
        }).unwrap();
        works(&rt);
    }

    fn reentrant_in_an_unconstrained_task_of_its_own() {
        let rt = runtime();
        let inner = rt.clone();
        rt.block_on(tokio::task::unconstrained(async move { reentrant(&inner) })).unwrap();
        works(&rt);
    }

    fn reentrant_in_a_task_of_its_own_threads() {
        let rt = threaded();
        let inner = rt.clone();
        rt.block_on(async move { tokio::spawn(async move { reentrant(&inner) }).await.unwrap() })
            .unwrap();
        works(&rt);
    }

    fn works_in_block_in_place_of_its_own_threads() {
        let rt = threaded();
        let inner = rt.clone();
        rt.block_on(async move {
            tokio::spawn(async move { tokio::task::block_in_place(|| works(&inner)) })
                .await.unwrap();
        }).unwrap();
    }

    fn reentrant_in_a_task_of_the_external_runtime() {
        let outer = multi();
        let mode = Mode::External(outer.handle().clone());
        let rt = BlockingRuntime::builder().mode(mode).build().unwrap();
        let inner = rt.clone();
        outer.block_on(async move { tokio::spawn(async move { reentrant(&inner) }).await.unwrap() });
        works(&rt);
    }

    fn tokio_panics_in_an_unconstrained_task_of_a_foreign_current_thread_runtime() {
        let rt = runtime();
        let outcome = current().block_on(async move {
            tokio::spawn(tokio::task::unconstrained(async move { call(&rt) })).await
        });
        assert!(outcome.unwrap_err().is_panic());
    }

    fn closed_after_a_shutdown() {
        let rt = runtime();
        works(&rt);
        rt.shutdown(Duration::ZERO);
        assert!(matches!(call(&rt), Err(BlockingError::Closed)));
        assert!(call(&rt).unwrap_err().is_closed());
    }

    fn an_error_and_not_a_hang_in_thread_local_destructors() {
        use std::cell::RefCell;
        type Late = OnDrop<Box<dyn FnMut()>>;
        thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
        let rt = runtime();
        let (told, outcome) = std::sync::mpsc::channel();
        thread::spawn(move || {
            // initialised before the storage of tokio, so it goes after it
            LATE.with_borrow_mut(|late| {
                let rt = rt.clone();
                *late = Some(OnDrop(Box::new(move || {
                    told.send(call(&rt).is_ok_and(|answer| answer == 42)).unwrap();
                    rt.enter(|| ());
                })));
            });
            works(&rt);
        }).join().unwrap();
        // where tokio's storage still stands the call works, else it is an error: never a panic
        let _worked = outcome.recv().unwrap();
    }

    fn three_hundred_calls_through_spawn_blocking() {
        let rt = runtime();
        current().block_on(async move {
            for _ in 0..300 {
                let rt = rt.clone();
                assert_eq!(spawn_blocking(move || call(&rt).unwrap()).await.unwrap(), 42);
            }
        });
    }

    fn three_hundred_refusals_in_one_poll() {
        let rt = runtime();
        for outer in [current(), multi()] {
            let rt = rt.clone();
            outer.block_on(async move {
                for _ in 0..300 {
                    assert!(call(&rt).unwrap_err().is_misuse());
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            });
        }
        works(&rt);
    }
}
