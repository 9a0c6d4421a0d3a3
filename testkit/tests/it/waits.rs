use std::{panic::catch_unwind, sync::mpsc::channel, time::Duration};

use testkit::{Gate, Watchdog, watchdog};

#[test]
fn a_watched_closure_returns_its_value() {
    assert_eq!(watchdog(Duration::from_secs(30), || 7), 7);
}

#[test]
fn a_watched_panic_is_the_panic_of_the_test() {
    let panic = catch_unwind(|| watchdog(Duration::from_secs(30), || panic!("inner"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"inner"));
}

#[test]
fn a_hanging_closure_fails_at_the_limit() {
    let (keep, forever) = channel::<()>();
    let panic = catch_unwind(move || {
        watchdog(Duration::from_millis(20), move || forever.recv().ok());
    })
    .unwrap_err();
    assert!(
        panic
            .downcast_ref::<String>()
            .unwrap()
            .contains("still running")
    );
    drop(keep);
}

#[test]
fn a_guard_that_is_dropped_in_time_does_nothing() {
    let guard = Watchdog::start();
    drop(guard);
}

#[test]
fn one_permit_lets_one_thread_pass() {
    let gate = Gate::new();
    let (passed, wait) = channel();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (gate, passed) = (gate.clone(), passed.clone());
            std::thread::spawn(move || {
                gate.wait();
                passed.send(()).unwrap();
            })
        })
        .collect();
    gate.wait_for_arrival(2);
    assert!(wait.try_recv().is_err(), "nobody passes a closed gate");
    gate.pass_one();
    wait.recv_timeout(testkit::PATIENCE).unwrap();
    assert!(wait.try_recv().is_err(), "one permit is for one");
    gate.open();
    wait.recv_timeout(testkit::PATIENCE).unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
}
