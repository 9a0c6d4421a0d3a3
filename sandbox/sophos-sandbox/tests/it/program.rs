#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use crate::client::send;

struct Program {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sophos-sandbox"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    fn announcement(&mut self) -> Vec<String> {
        let lines: Vec<String> = self
            .lines
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .take(7)
            .collect();
        assert_eq!(lines.len(), 7, "{lines:?}");
        lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_program_says_how_to_reach_it_and_stops_on_a_signal() {
    for signal in ["-INT", "-TERM"] {
        let mut program = Program::start(&["--endpoints", "5", "--fault", "status=418"]);
        let lines = program.announcement();
        let value = |name: &str| {
            let prefix = format!("export {name}=");
            lines
                .iter()
                .find_map(|line| line.strip_prefix(&prefix))
                .map(str::to_owned)
        };
        assert_eq!(value("SOPHOS_CLIENT_ID").as_deref(), Some("tenant"));
        assert_eq!(value("SOPHOS_CLIENT_SECRET").as_deref(), Some("sandbox"));
        let url = value("SOPHOS_GLOBAL_URL").expect("a URL");
        assert_eq!(
            value("SOPHOS_AUTH_URL"),
            Some(format!("{url}/api/v2/oauth2/token"))
        );
        assert_eq!(
            send(&url, "GET", "/whoami/v1", &[], None).unwrap().status,
            418
        );
        assert_eq!(
            send(&url, "GET", "/whoami/v1", &[], None).unwrap().status,
            401
        );

        // The shell's own `kill`: a bare machine has no other.
        let line = format!("kill {signal} {}", program.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &line])
                .status()
                .unwrap()
                .success()
        );
        assert!(
            program.child.wait().unwrap().success(),
            "{signal} ends it with success"
        );
    }
}

#[test]
fn a_bad_fault_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_sophos-sandbox"))
        .args(["--fault", "explode"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("explode"));
}
