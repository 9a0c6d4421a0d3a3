use std::panic::{AssertUnwindSafe, catch_unwind};

use testkit::{Gate, Reply, Script, Server, eventually, process};

use crate::client::{connect, reply, rest, send};

const GET: &str = "GET /surprise HTTP/1.1\r\n\r\n";

/// Drops the server and returns the message it failed with.
fn failure_of(server: Server) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(server))).err()?;
    panic.downcast_ref::<String>().cloned()
}

#[test]
fn an_unexpected_request_fails_the_test() {
    let server = Server::replies::<Reply>([]);
    let mut client = connect(server.addr());
    send(&mut client, GET);
    assert!(reply(&mut client).0.starts_with("HTTP/1.1 500 "));
    let text = failure_of(server).expect("the server fails the test");
    assert!(text.contains("unexpected request: GET /surprise"), "{text}");
}

#[test]
fn a_panic_of_a_handler_fails_the_test() {
    let server = Server::start(|_| -> Reply { panic!("handler is broken") });
    let mut client = connect(server.addr());
    send(&mut client, GET);
    drop(rest(&mut client));
    let text = failure_of(server).expect("the server fails the test");
    assert!(text.contains("handler is broken"), "{text}");
}

#[test]
fn a_malformed_request_fails_the_test_unless_tolerated() {
    let strict = Server::start(|_| Reply::ok(""));
    let mut client = connect(strict.addr());
    send(&mut client, "not http at all\r\n\r\n");
    drop(rest(&mut client));
    let text = failure_of(strict).expect("the server fails the test");
    assert!(text.contains("malformed request"), "{text}");

    let lenient = Server::builder()
        .tolerate_malformed()
        .start(|_| Reply::ok(""));
    let mut client = connect(lenient.addr());
    send(&mut client, "not http at all\r\n\r\n");
    drop(rest(&mut client));
    assert_eq!(failure_of(lenient), None);
}

#[test]
fn a_failure_that_was_wanted_can_be_taken() {
    let server = Server::replies::<Reply>([]);
    let mut client = connect(server.addr());
    send(&mut client, GET);
    reply(&mut client);
    assert_eq!(server.take_failures().len(), 1);
    assert_eq!(failure_of(server), None);
}

#[test]
fn dropping_ends_every_kind_of_wait() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/gate" => Script::new().wait(&held),
        "/stall" => Script::new().stall(),
        "/half" => Script::new().half_close(),
        _ => Reply::ok("idle").into(),
    });
    let mut clients = Vec::new();
    for path in ["/gate", "/stall", "/half", "/idle"] {
        let mut client = connect(server.addr());
        send(&mut client, &format!("GET {path} HTTP/1.1\r\n\r\n"));
        clients.push(client);
    }
    gate.wait_for_arrival(1);
    server.wait_until(|view| view.requests.len() == 4);
    assert_eq!(failure_of(server), None);
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_behind() {
    process::alone("lifetime::nothing_is_left_behind", || {
        let before = (process::threads(), process::open_files());
        let server = Server::start(|_| Script::new().stall());
        let clients: Vec<_> = (0..5).map(|_| connect(server.addr())).collect();
        eventually("there are an acceptor and five connections", || {
            process::threads() == before.0 + 6
        });
        assert_eq!(process::foreign_threads(), before.0);
        assert_eq!(
            process::open_sockets(),
            11,
            "the listener and both ends of five connections"
        );
        drop(server);
        drop(clients);
        eventually("all is as before", || {
            (process::threads(), process::open_files()) == before
        });
    });
}
