//! The keeper: what lives between two calls goes on.

use std::sync::mpsc::channel;
use std::time::Duration;

use bifrons::BlockingRuntime;

use crate::isolated::isolated;
use crate::support::{call, runtime, until, watchdog};

/// Leaves a task behind that ticks, and tells each tick.
fn heartbeat(rt: &BlockingRuntime) -> std::sync::mpsc::Receiver<()> {
    let (told, ticks) = channel();
    rt.block_on(async move {
        tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(2));
            loop {
                clock.tick().await;
                if told.send(()).is_err() {
                    return;
                }
            }
        });
    })
    .unwrap();
    ticks
}

#[test]
fn a_heartbeat_goes_on_without_callers() {
    let _watchdog = watchdog();
    let rt = runtime();
    let ticks = heartbeat(&rt);
    for _ in 0..50 {
        ticks.recv().unwrap();
    }
    assert_eq!(rt.stats().calls, 1);
    assert!(rt.stats().keeper_takeovers >= 1);
}

#[test]
fn calls_take_the_driver_back_from_the_keeper() {
    let _watchdog = watchdog();
    let rt = runtime();
    let ticks = heartbeat(&rt);
    for _ in 0..50 {
        ticks.recv().unwrap();
        assert_eq!(call(&rt).unwrap(), 42);
    }
}

#[test]
fn tasks_get_their_turn_beside_calls_that_find_their_answer_in_memory() {
    let _watchdog = watchdog();
    let rt = runtime();
    let ticks = heartbeat(&rt);
    let mut seen = 0;
    while seen < 20 {
        rt.block_on(async {}).unwrap();
        seen += ticks.try_iter().count();
    }
}

#[test]
fn tasks_spawned_outside_of_calls_are_driven() {
    let _watchdog = watchdog();
    let rt = runtime();
    let (told, done) = channel();
    rt.enter(|| {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            told.send(()).unwrap();
        })
    });
    done.recv().unwrap();
    assert_eq!(rt.stats().calls, 0);
}

#[test]
fn a_task_spawned_by_a_destructor_is_driven() {
    let _watchdog = watchdog();
    struct SpawnsOnDrop(std::sync::mpsc::Sender<()>);
    impl Drop for SpawnsOnDrop {
        fn drop(&mut self) {
            let told = self.0.clone();
            tokio::spawn(async move { told.send(()).unwrap() });
        }
    }
    let rt = runtime();
    let (told, done) = channel();
    rt.release(SpawnsOnDrop(told));
    done.recv().unwrap();
}

#[cfg(target_os = "linux")]
isolated! {
    fn no_thread_before_a_task_survives_a_call() {
        use crate::support::{threads, threads_named};
        let before = threads();
        let rt = runtime();
        for _ in 0..20 {
            // spawns, and waits for it
            assert_eq!(call(&rt).unwrap(), 42);
        }
        assert_eq!(threads(), before);
        let ticks = heartbeat(&rt);
        ticks.recv().unwrap();
        until(|| threads_named("bifrons-keeper") == 1);
    }

    fn the_keeper_sleeps_when_no_task_is_alive() {
        let rt = runtime();
        drop(heartbeat(&rt));
        until(|| rt.stats().alive_tasks == 0);
        // takes the driver back, so that the keeper looks and finds nothing
        assert_eq!(call(&rt).unwrap(), 42);
        let switches = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            tasks
                .map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap())
                .find(|status| status.starts_with("Name:\tbifrons-keeper"))
                .unwrap()
                .lines()
                .filter_map(|line| line.split_once("ctxt_switches:"))
                .map(|(_, count)| count.trim().parse::<u64>().unwrap())
                .sum::<u64>()
        };
        let takeovers = rt.stats().keeper_takeovers;
        let rests = || {
            let before = switches();
            let (_never, nothing) = channel::<()>();
            let _timeout = nothing.recv_timeout(Duration::from_millis(100));
            switches() == before
        };
        // it may still be on its way to sleep the first time
        until(rests);
        for _ in 0..100 {
            rt.block_on(async {}).unwrap();
        }
        assert!(rests());
        assert_eq!(rt.stats().keeper_takeovers, takeovers);
    }

    fn a_long_call_keeps_the_keeper_asleep() {
        let rt = runtime();
        let ticks = heartbeat(&rt);
        ticks.recv().unwrap();
        rt.block_on(async {
            // a keeper that was about to drive has noticed the call by now
            tokio::time::sleep(Duration::from_millis(20)).await;
            let takeovers = rt.stats().keeper_takeovers;
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(rt.stats().keeper_takeovers, takeovers);
        }).unwrap();
        until(|| ticks.try_iter().count() == 0);
        ticks.recv().unwrap();
    }
}
