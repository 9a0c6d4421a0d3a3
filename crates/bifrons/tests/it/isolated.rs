//! Tests that need a process for themselves: they run this program again, for one test only.

use std::process::{Command, Output};

use crate::support::watchdog;

const CHILD: &str = "BIFRONS_TEST_CHILD";

/// Runs `body` in a child process that is `test` alone, and passes its output on to `check`.
///
/// `test` is the path of the calling test. In the child this function runs the body and does
/// not return.
pub(crate) fn checked(test: &str, body: impl FnOnce(), check: impl FnOnce(&Output)) {
    let _watchdog = watchdog();
    if std::env::var_os(CHILD).is_some_and(|child| child == test) {
        body();
        std::process::exit(0);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "child ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    check(&output);
}

/// Declares tests that each run in a process of their own.
macro_rules! isolated {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)*) => {$(
        #[test]
        $(#[$meta])*
        fn $name() {
            let path = concat!(module_path!(), "::", stringify!($name));
            let (_crate, test) = path.split_once("::").unwrap();
            $crate::isolated::checked(test, || $body, |_| ());
        }
    )*};
}
pub(crate) use isolated;
