//! Many callers on one runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{mixed, runtime, until, watchdog};

const THREADS: u64 = 16;

/// A small generator of choices, different for each seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn sixteen_threads_with_mixed_calls_never_hang_and_lose_no_task() {
    let _watchdog = watchdog();
    let rt = runtime();
    let end = Instant::now() + Duration::from_secs(4);
    let (spawned, finished) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for seed in 1..=THREADS {
            let (rt, spawned, finished) = (&rt, &spawned, &finished);
            scope.spawn(move || {
                let mut choices = Choices(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                while Instant::now() < end {
                    let wait = Duration::from_micros(choices.below(3000));
                    match choices.below(6) {
                        0 => rt
                            .block_on(async { tokio::time::sleep(wait).await })
                            .unwrap(),
                        1 => rt.block_on(tokio::task::yield_now()).unwrap(),
                        2 => assert_eq!(rt.block_on(mixed()).unwrap(), 42),
                        3 => {
                            spawned.fetch_add(1, Ordering::SeqCst);
                            let finished = Arc::clone(finished);
                            rt.block_on(async move {
                                tokio::spawn(async move {
                                    tokio::time::sleep(wait).await;
                                    finished.fetch_add(1, Ordering::SeqCst);
                                });
                            })
                            .unwrap();
                        }
                        4 => {
                            let (told, answer) = tokio::sync::oneshot::channel();
                            rt.block_on(async move {
                                tokio::spawn(async move { told.send(wait) });
                                assert_eq!(answer.await.unwrap(), wait);
                            })
                            .unwrap();
                        }
                        _ => thread::park_timeout(wait),
                    }
                }
            });
        }
    });
    until(|| finished.load(Ordering::SeqCst) == spawned.load(Ordering::SeqCst));
    until(|| rt.stats().alive_tasks == 0);
    assert_eq!(rt.stats().active, 0);
}

#[test]
fn a_caller_that_leaves_hands_the_driving_over() {
    let _watchdog = watchdog();
    let rt = runtime();
    for _ in 0..200 {
        let (go, gate) = tokio::sync::oneshot::channel();
        thread::scope(|scope| {
            // whoever drives first, the other's timer must still fire
            scope.spawn(|| {
                rt.block_on(async {
                    gate.await.unwrap();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                })
                .unwrap();
            });
            rt.block_on(async {
                tokio::time::sleep(Duration::from_micros(200)).await;
                go.send(()).unwrap();
            })
            .unwrap();
        });
    }
}
