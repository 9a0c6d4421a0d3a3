//! The exit of a process.

use std::io::Write as _;
use std::time::Duration;

use bifrons::BlockingRuntime;

use crate::isolated::{checked, isolated};
use crate::support::runtime;

/// Leaves a task behind that prints after a while, and waits until a keeper drives.
fn leave_a_printing_task(rt: &BlockingRuntime, after: Duration) {
    rt.block_on(async move {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            std::io::stdout().write_all(b"task finished\n").unwrap();
        });
    })
    .unwrap();
    crate::support::until(|| rt.stats().keeper_takeovers > 0);
}

isolated! {
    fn a_live_keeper_does_not_hold_the_exit_up() {
        let rt = runtime();
        leave_a_printing_task(&rt, Duration::from_secs(3600));
        // still alive when the process exits, as a static would be
        std::mem::forget(rt);
    }

    fn the_shared_runtime_does_not_hold_the_exit_up() {
        leave_a_printing_task(&BlockingRuntime::shared().unwrap(), Duration::from_secs(3600));
    }

    fn the_hook_waits_no_longer_than_its_grace() {
        let rt = runtime();
        leave_a_printing_task(&rt, Duration::from_secs(3600));
        assert!(rt.install_exit_hook(Duration::from_millis(20)));
        std::mem::forget(rt);
    }

    fn the_hook_of_a_runtime_that_is_gone_does_nothing() {
        let rt = runtime();
        assert!(rt.install_exit_hook(Duration::from_secs(3600)));
    }
}

#[test]
fn without_a_hook_background_work_is_cut_off() {
    checked(
        "exit::without_a_hook_background_work_is_cut_off",
        || {
            leave_a_printing_task(
                &BlockingRuntime::shared().unwrap(),
                Duration::from_secs(3600),
            );
        },
        |output| assert!(!String::from_utf8_lossy(&output.stdout).contains("task finished")),
    );
}

#[test]
fn the_hook_lets_background_work_finish() {
    checked(
        "exit::the_hook_lets_background_work_finish",
        || {
            let rt = BlockingRuntime::shared().unwrap();
            assert!(rt.install_exit_hook(Duration::from_secs(20)));
            assert!(rt.install_exit_hook(Duration::from_secs(10)));
            leave_a_printing_task(&rt, Duration::from_millis(100));
        },
        |output| {
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert_eq!(stdout.matches("task finished").count(), 1, "{stdout}");
        },
    );
}
