//! Who polls.

use std::num::NonZeroUsize;
use std::thread;

use bifrons::{BlockingError, BlockingRuntime, Mode};
use tokio::runtime::Builder;

use crate::support::{call, runtime, watchdog};

#[test]
fn callers_poll_on_their_own_thread_in_every_mode() {
    let _watchdog = watchdog();
    let outer = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    for mode in [
        Mode::CallerDriven,
        Mode::Threaded {
            workers: NonZeroUsize::MIN,
        },
        Mode::External(outer.handle().clone()),
    ] {
        let rt = BlockingRuntime::builder().mode(mode).build().unwrap();
        let caller = thread::current().id();
        let polled = rt.block_on(async {
            tokio::task::yield_now().await;
            thread::current().id()
        });
        assert_eq!(polled.unwrap(), caller);
        assert_eq!(call(&rt).unwrap(), 42);
    }
}

#[test]
fn tasks_of_a_threaded_runtime_run_on_its_named_threads() {
    let _watchdog = watchdog();
    let rt = BlockingRuntime::builder()
        .mode(Mode::Threaded {
            workers: NonZeroUsize::MIN,
        })
        .thread_name("station")
        .build()
        .unwrap();
    let (told, name) = std::sync::mpsc::channel();
    rt.enter(|| {
        tokio::spawn(async move {
            told.send(thread::current().name().map(str::to_owned))
                .unwrap();
        })
    });
    assert_eq!(name.recv().unwrap().as_deref(), Some("station"));
}

#[test]
fn a_current_thread_handle_is_refused_unless_somebody_drives_it() {
    let _watchdog = watchdog();
    let outer = Builder::new_current_thread().enable_all().build().unwrap();
    let external = || BlockingRuntime::builder().mode(Mode::External(outer.handle().clone()));
    let error = external().build().unwrap_err();
    assert!(matches!(error, BlockingError::UndrivenHandle));
    assert!(error.to_string().contains("driven_elsewhere"), "{error}");

    let rt = external().driven_elsewhere().build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| outer.block_on(async { stopped.await.unwrap() }));
        assert_eq!(call(&rt).unwrap(), 42);
        stop.send(()).unwrap();
    });
}

#[test]
fn one_thread_may_use_two_runtimes_in_turn() {
    let _watchdog = watchdog();
    let (one, two) = (runtime(), runtime());
    for _ in 0..10 {
        assert_eq!(call(&one).unwrap(), 42);
        assert_eq!(call(&two).unwrap(), 42);
    }
}

#[test]
fn a_runtime_can_be_shared_and_sent() {
    fn shared<T: Clone + Send + Sync + std::panic::UnwindSafe + 'static>() {}
    shared::<BlockingRuntime>();
}
