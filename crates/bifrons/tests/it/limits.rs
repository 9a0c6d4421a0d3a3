//! Deadlines and cancel tokens.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use bifrons::{BlockingError, CallOptions, CancelToken};
use tokio::sync::Semaphore;

use crate::support::{Drops, mixed, runtime, watchdog};

const SHORT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(20);

/// Takes a permit and a place to be dropped from, and never ends.
fn stuck(permits: &Arc<Semaphore>, drops: &Drops) -> impl Future<Output = ()> + Send + use<> {
    let (permits, held) = (Arc::clone(permits), drops.counted());
    async move {
        let _held = held;
        let _permit = permits.acquire().await.unwrap();
        pending::<()>().await;
    }
}

#[test]
fn a_timeout_drops_the_call_and_frees_what_it_held() {
    let _watchdog = watchdog();
    let (rt, drops, permits) = (runtime(), Drops::default(), Arc::new(Semaphore::new(1)));
    let options = CallOptions::default().with_timeout(SHORT);
    let begin = Instant::now();
    let error = rt
        .block_on_with(&options, stuck(&permits, &drops))
        .unwrap_err();
    assert!(
        matches!(error, BlockingError::TimedOut { limit: SHORT }),
        "{error:?}"
    );
    assert!(begin.elapsed() >= SHORT);
    assert_eq!(drops.count(), 1);
    assert_eq!(permits.available_permits(), 1);
    assert_eq!(rt.block_on(mixed()).unwrap(), 42);
}

#[test]
fn a_deadline_ends_the_call_and_the_earlier_limit_counts() {
    let _watchdog = watchdog();
    let rt = runtime();
    let early = Instant::now() + SHORT;
    for options in [
        CallOptions::default().with_deadline(early),
        CallOptions::default()
            .with_deadline(early)
            .with_timeout(LONG),
        CallOptions::default()
            .with_deadline(Instant::now() + LONG)
            .with_timeout(SHORT),
    ] {
        let error = rt.block_on_with(&options, pending::<()>()).unwrap_err();
        assert!(
            matches!(error, BlockingError::TimedOut { limit } if limit <= SHORT),
            "{error:?}"
        );
    }
}

#[test]
fn limits_are_checked_before_the_work_starts() {
    let _watchdog = watchdog();
    let rt = runtime();
    let token = CancelToken::new();
    token.cancel();
    for options in [
        CallOptions::default().with_timeout(Duration::ZERO),
        CallOptions::default().with_deadline(Instant::now()),
        CallOptions::default().with_cancel(token),
    ] {
        let outcome = rt.block_on_with(&options, async { panic!("started") });
        let error = outcome.unwrap_err();
        assert!(error.is_timeout() || error.is_cancelled(), "{error:?}");
    }
    assert_eq!(rt.stats().calls, 0);
}

#[test]
fn a_call_within_its_limit_is_not_touched() {
    let _watchdog = watchdog();
    let options = CallOptions::default()
        .with_timeout(LONG)
        .with_cancel(CancelToken::new());
    assert_eq!(runtime().block_on_with(&options, mixed()).unwrap(), 42);
    let endless = CallOptions::default().with_timeout(Duration::MAX);
    assert_eq!(runtime().block_on_with(&endless, mixed()).unwrap(), 42);
}

#[test]
fn a_call_that_never_waits_is_ended_too() {
    let _watchdog = watchdog();
    let options = CallOptions::default().with_timeout(SHORT);
    let busy = async {
        loop {
            tokio::task::consume_budget().await;
            tokio::task::yield_now().await;
        }
    };
    let error = runtime().block_on_with(&options, busy).unwrap_err();
    assert!(error.is_timeout());
}

#[test]
fn cancel_from_another_thread_ends_every_call_that_carries_the_token() {
    let _watchdog = watchdog();
    let (rt, drops, permits) = (runtime(), Drops::default(), Arc::new(Semaphore::new(8)));
    let token = CancelToken::new();
    let options = CallOptions::default().with_cancel(token.clone());
    let (told, begun) = channel();
    thread::scope(|scope| {
        for _ in 0..8 {
            let (rt, options, drops, permits, told) =
                (&rt, &options, &drops, &permits, told.clone());
            scope.spawn(move || {
                let error = rt
                    .block_on_with(options, async {
                        told.send(()).unwrap();
                        stuck(permits, drops).await;
                    })
                    .unwrap_err();
                assert!(error.is_cancelled(), "{error:?}");
            });
        }
        for _ in 0..8 {
            begun.recv().unwrap();
        }
        token.cancel();
    });
    assert_eq!(drops.count(), 8);
    assert_eq!(permits.available_permits(), 8);
}

#[test]
fn cancel_before_during_and_after_a_call_is_safe() {
    let _watchdog = watchdog();
    let rt = runtime();
    for _ in 0..500 {
        let token = CancelToken::new();
        let options = CallOptions::default().with_cancel(token.clone());
        let other = thread::spawn(move || token.cancel());
        let outcome = rt.block_on_with(&options, async {
            tokio::task::yield_now().await;
        });
        assert!(outcome.is_ok_and(|()| true) || options.cancel().unwrap().is_cancelled());
        other.join().unwrap();
        options.cancel().unwrap().cancel();
    }
}

#[test]
fn an_output_that_is_ready_wins_over_a_cancel() {
    let _watchdog = watchdog();
    let token = CancelToken::new();
    let options = CallOptions::default().with_cancel(token.clone());
    let outcome = runtime().block_on_with(&options, async move {
        token.cancel();
        7
    });
    assert_eq!(outcome.unwrap(), 7);
}

#[test]
fn many_futures_run_at_once_and_answer_in_order() {
    let _watchdog = watchdog();
    let barrier = Arc::new(tokio::sync::Barrier::new(50));
    let futures = (0..50).map(|n| {
        let barrier = Arc::clone(&barrier);
        async move {
            // ends only when all fifty are in it
            barrier.wait().await;
            if n % 7 == 0 { Err(n) } else { Ok(n) }
        }
    });
    let outcomes = runtime().run_many(futures).unwrap();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome, if n % 7 == 0 { Err(n) } else { Ok(n) });
    }
}

#[test]
fn functions_that_make_the_futures_may_need_the_runtime() {
    let _watchdog = watchdog();
    let sleeps = (0..3).map(|_| tokio::time::sleep(SHORT));
    assert_eq!(runtime().run_many(sleeps).unwrap().len(), 3);
}
