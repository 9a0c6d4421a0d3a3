//! Forked children.
#![cfg(target_os = "linux")]

use std::time::Duration;

use bifrons::{BlockingError, BlockingRuntime};
use futures_util::stream;

use crate::isolated::isolated;
use crate::support::{Drops, call, runtime, until};

/// Runs `child` in a forked process and waits for it; a child that hangs is ended by an alarm.
#[expect(unsafe_code, reason = "there is no safe way to fork")]
fn in_child(child: impl FnOnce()) {
    // SAFETY: the child runs test code that may need locks of other threads, which at worst makes
    // it hang, and then the alarm ends it; it leaves with `_exit`, so that nothing of the parent
    // is run or dropped twice.
    let status = unsafe {
        match libc::fork() {
            -1 => panic!("cannot fork"),
            0 => {
                libc::alarm(20);
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
                libc::_exit(i32::from(outcome.is_err()));
            }
            pid => {
                let mut status = 0;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                status
            }
        }
    };
    assert_eq!(status, 0, "the child failed or hung");
}

isolated! {
    fn an_inherited_runtime_answers_forked_and_a_fresh_one_works() {
        let rt = runtime();
        assert_eq!(call(&rt).unwrap(), 42);
        in_child(|| {
            for _ in 0..3 {
                let error = call(&rt).unwrap_err();
                assert!(matches!(error, BlockingError::Forked));
                assert!(error.is_misuse());
            }
            assert_eq!(call(&runtime()).unwrap(), 42);
        });
        assert_eq!(call(&rt).unwrap(), 42);
    }

    fn the_shared_runtime_is_a_fresh_one_in_the_child_and_in_its_child() {
        let before = BlockingRuntime::shared().unwrap();
        assert_eq!(call(&before).unwrap(), 42);
        in_child(|| {
            let fresh = BlockingRuntime::shared().unwrap();
            assert_eq!(call(&fresh).unwrap(), 42);
            assert_eq!(fresh.stats().calls, 1);
            assert!(call(&before).is_err());
            in_child(|| {
                assert!(call(&fresh).is_err());
                assert_eq!(call(&BlockingRuntime::shared().unwrap()).unwrap(), 42);
            });
            assert_eq!(call(&fresh).unwrap(), 42);
        });
    }

    fn what_is_inherited_can_be_dropped_and_is_leaked() {
        let drops = Drops::default();
        let rt = runtime();
        let held = drops.counted();
        rt.block_on(async move {
            tokio::spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
        }).unwrap();
        // with a keeper that drives at the fork
        until(|| rt.stats().keeper_takeovers > 0);
        let pulled = drops.counted();
        let mut items = Some(rt.iter(stream::repeat(1).filter_map_held(pulled)));
        let mut rt = Some(rt);
        in_child(|| {
            drop(items.take());
            let rt = rt.take().unwrap();
            rt.release(drops.counted());
            assert!(rt.shutdown(Duration::from_secs(3600)).keeper_joined);
            drop(rt);
            assert_eq!(drops.count(), 0);
        });
    }

    fn a_fork_inside_of_a_call_is_seen() {
        let rt = runtime();
        rt.block_on(async {
            in_child(|| assert!(matches!(call(&rt), Err(BlockingError::Forked))));
        }).unwrap();
        assert_eq!(call(&rt).unwrap(), 42);
    }

    fn an_exit_hook_does_nothing_in_the_child() {
        let rt = runtime();
        assert!(rt.install_exit_hook(Duration::from_millis(50)));
        let other = std::process::Command::new("true").status();
        assert!(other.is_ok());
        in_child(|| assert!(call(&rt).is_err()));
        assert_eq!(call(&rt).unwrap(), 42);
    }
}

/// A stream that owns something.
trait Holding: futures_util::Stream + Sized {
    fn filter_map_held<T: Send>(
        self,
        held: T,
    ) -> impl futures_util::Stream<Item = Self::Item> + Send
    where
        Self: Send,
    {
        futures_util::StreamExt::map(self, move |item| {
            let _held = &held;
            item
        })
    }
}

impl<S: futures_util::Stream> Holding for S {}
