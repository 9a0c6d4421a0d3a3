//! Ctrl-C: reads end, a change under way may finish, what was done is printed, status 130.
#![cfg(unix)]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use testkit::{Gate, Reply, Request, Server};

use crate::{
    program::{introduction, with_server},
    streaming::gated_pages,
};

/// Sends SIGINT to a process that the test started.
fn interrupt(child: &Child) {
    let line = format!("kill -INT {}", child.id());
    assert!(
        Command::new("/bin/sh")
            .args(["-c", &line])
            .status()
            .unwrap()
            .success()
    );
}

/// Waits for the end and returns status, output and messages.
fn end(child: Child) -> (Option<i32>, String, String) {
    testkit::watchdog(Duration::from_secs(30), move || {
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    })
}

#[test]
fn a_list_ends_with_what_was_fetched() {
    for sync in [&[][..], &["--sync"][..]] {
        let (second, third) = (Gate::new(), Gate::new());
        let server = gated_pages(&second, &third);
        let program = with_server(&server);
        let mut words = vec!["endpoint", "list", "--all", "-o", "csv", "--fields", "id"];
        words.extend(sync);
        let child = program
            .std_command(&words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        second.wait_for_arrival(1);
        interrupt(&child);
        let (status, stdout, stderr) = end(child);
        assert_eq!(stdout, "id\na\nb\n");
        assert_eq!(
            stderr,
            "error: interrupted; the list is incomplete: 2 printed\n"
        );
        assert_eq!(status, Some(130));
        second.open();
        third.open();
    }
}

fn isolation_server(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::start(move |request: &Request| {
        introduction(request)
            .unwrap_or_else(|| Reply::json(r#"{"enabled":true,"comment":"x"}"#).hold(&gate))
    })
}

const ISOLATE: [&str; 7] = [
    "endpoint",
    "isolate",
    "5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f",
    "--comment",
    "x",
    "-o",
    "ndjson",
];

#[test]
fn a_change_under_way_may_finish_after_the_first_press() {
    for sync in [&[][..], &["--sync"][..]] {
        let gate = Gate::new();
        let server = isolation_server(&gate);
        let program = with_server(&server);
        let mut child = program
            .std_command(&[&ISOLATE[..], sync].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        gate.wait_for_arrival(1);
        interrupt(&child);
        // It says that it waits, and only then does the answer come.
        let stderr = child.stderr.take().unwrap();
        let (mut stderr, said) = testkit::watchdog(Duration::from_secs(30), move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            (stderr, line)
        });
        assert!(said.contains("press Ctrl-C again"), "{said}");
        gate.open();
        let (status, stdout, _) = end(child);
        assert_eq!(stdout, "{\"enabled\":true,\"comment\":\"x\"}\n");
        assert_eq!(status, Some(130));
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("interrupted"), "{rest}");
    }
}

#[test]
fn the_second_press_ends_a_change_and_says_that_it_is_unclear() {
    for sync in [&[][..], &["--sync"][..]] {
        let gate = Gate::new();
        let server = isolation_server(&gate);
        let program = with_server(&server);
        let mut child = program
            .std_command(&[&ISOLATE[..], sync].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        gate.wait_for_arrival(1);
        interrupt(&child);
        let stderr = child.stderr.take().unwrap();
        let mut stderr = testkit::watchdog(Duration::from_secs(30), move || {
            let mut stderr = BufReader::new(stderr);
            stderr.read_line(&mut String::new()).unwrap();
            stderr
        });
        interrupt(&child);
        let (status, stdout, _) = end(child);
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!((status, stdout.as_str()), (Some(130), ""), "{rest}");
        assert!(rest.contains("may or may not have been applied"), "{rest}");
        gate.open();
    }
}

#[test]
fn the_devices_of_the_tenants_that_answered_are_printed() {
    for sync in [&[][..], &["--sync"][..]] {
        let gate = Gate::new();
        let slow = gate.clone();
        let server = Server::start(move |request: &Request| {
            let host = format!("http://{}", request.header("host").unwrap_or_default());
            match (request.path(), request.header("x-tenant-id")) {
                ("/token", _) => introduction(request).unwrap(),
                ("/whoami/v1", _) => Reply::json(format!(
                    r#"{{"id":"p","idType":"partner","apiHosts":{{"global":"{host}"}}}}"#
                )),
                ("/partner/v1/tenants", _) => Reply::json(format!(
                    r#"{{"items":[{{"id":"t1","name":"One","apiHost":"{host}"}},{{"id":"t2","name":"Two","apiHost":"{host}"}}]}}"#
                )),
                (_, Some("t1")) => Reply::json(r#"{"items":[{"id":"a"}]}"#),
                _ => Reply::json(r#"{"items":[{"id":"b"}]}"#).hold(&slow),
            }
        });
        let program = with_server(&server);
        let words = [
            "endpoint",
            "list",
            "--all-tenants",
            "--all",
            "-o",
            "csv",
            "--fields",
            "id",
        ];
        let mut child = program
            .std_command(&[&words[..], sync].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The header and the first tenant's row are out; the other tenant keeps us waiting.
        let out = child.stdout.take().unwrap();
        let first = testkit::watchdog(Duration::from_secs(30), move || {
            let mut lines = BufReader::new(out).lines().map(Result::unwrap);
            [lines.next(), lines.next()]
        });
        assert_eq!(
            first,
            [Some("tenant,id".to_owned()), Some("One,a".to_owned())]
        );
        gate.wait_for_arrival(1);
        interrupt(&child);
        let (status, _, stderr) = end(child);
        assert_eq!(
            stderr,
            "error: interrupted; the list is incomplete: 1 printed\n"
        );
        assert_eq!(status, Some(130));
        gate.open();
    }
}
