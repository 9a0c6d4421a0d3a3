//! When a connection is used again, and what happens when it turns out to be closed.

use std::io::{Read, Write};

use testkit::{Gate, Reply, Script, Server};

use super::super::Session;

/// Reads a request with a body of one byte.
fn read_request(socket: &mut std::net::TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\nx") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        request.extend_from_slice(&byte);
    }
}

scenarios! {
    /// P2, P4: an idle connection is used again; closing the idle ones leaves none.
    fn p2_p4_sequential_requests_share_a_connection() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        for _ in 0..20 {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            wait!(response.bytes()).unwrap();
        }
        assert_eq!(server.connections().opened, 1);
        let stats = session.pool_stats();
        assert_eq!((stats.created, stats.reused, stats.open, stats.idle), (1, 19, 1, 1));
        assert_eq!(session.close_idle(), 1);
        assert_eq!(session.pool_stats().open, 0);
        server.wait_until_idle();
        wait!(session.get(server.url("/")).send()).unwrap();
        drop(session);
        server.wait_until_idle();
    }

    /// P6: what is not persistent, or has unread bytes, is not kept; P8: a short Keep-Alive neither.
    fn p6_p8_connections_that_are_not_persistent_are_not_used_again() {
        let server = Server::replies([
            Reply::ok("x").header("Connection", "close"),
            Reply::raw("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxEXTRA"),
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            Reply::ok("x").header("Keep-Alive", "timeout=1"),
            Reply::ok("x"),
            Reply::ok("x"),
        ]);
        let session = Session::new();
        for call in 1..=5 {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            wait!(response.bytes()).unwrap();
            assert_eq!(session.pool_stats().created, call);
            assert_eq!(session.pool_stats().open, 0, "call {call}");
        }
        wait!(session.get(server.url("/")).header("Connection", "close").send()).unwrap();
        assert_eq!(session.pool_stats().open, 0);
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(session.pool_stats().open, 1);
    }

    /// P2: unusable ones are closed when they are met.
    fn p2_an_idle_connection_that_the_server_closed_is_noticed_even_for_a_post() {
        let close = Gate::new();
        let server = Server::builder().connections([
            vec![Script::from(Reply::ok("one")).wait(&close).close()],
            vec![Script::from(Reply::ok("two"))],
        ]);
        let session = Session::new();
        wait!(session.get(server.url("/")).send()).unwrap();
        close.open();
        server.wait_until(|view| view.connections.closed == 1);
        let mut response = wait!(session.post(server.url("/")).body("x").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "two");
        let stats = session.pool_stats();
        assert_eq!((stats.created, stats.closed_dead, stats.reused), (2, 1, 0));
    }

    /// P9: a server that always closes costs no request that must not be repeated.
    fn p9_no_post_fails_when_the_server_closes_every_connection_in_between() {
        let server = Server::start(|_| Script::from(Reply::ok("x")).close());
        let session = Session::new();
        for call in 1..=60 {
            let mut response = wait!(session.post(server.url("/")).body("x").send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "x");
            server.wait_until(|view| view.connections.closed == call);
        }
        assert_eq!(server.requests().len(), 60);
    }

    /// P4: with the session its idle connections go.
    fn p4_sessions_that_come_and_go_leave_no_connection_behind() {
        let server = Server::start(|_| Reply::ok("x"));
        for _ in 0..100 {
            let session = Session::new();
            wait!(session.get(server.url("/")).send()).unwrap();
        }
        server.wait_until_idle();
        assert_eq!(server.connections().opened, 100);
    }

    /// P6, H11: bytes without a request make a connection unusable.
    fn p6_bytes_that_nobody_asked_for_make_an_idle_connection_unusable() {
        let speak = Gate::new();
        let said = Gate::new();
        let (go, done) = (speak.clone(), said.clone());
        let server = Server::builder().connections([
            vec![Script::from(Reply::ok("one")).wait(&go).write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil").wait(&done)],
            vec![Script::from(Reply::ok("two"))],
        ]);
        let session = Session::new();
        wait!(session.get(server.url("/")).send()).unwrap();
        speak.open();
        said.wait_for_arrival(1);
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "two");
        said.open();
    }

    /// P9: a repeat happens once, on a fresh connection, for what is idempotent or was not written.
    fn p9_a_kept_connection_that_breaks_before_an_answer_is_replaced_only_when_that_is_safe() {
        let first = || vec![Script::from(Reply::ok("one")), Script::new().reset()];
        let server = Server::builder().connections([
            first(),
            vec![Script::from(Reply::ok("again"))],
        ]);
        let session = Session::new();
        wait!(session.get(server.url("/")).send()).unwrap();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "again");
        assert_eq!(server.requests().len(), 3);
        drop(session);

        for (declared, attempts) in [(None, 2), (Some(false), 2), (Some(true), 3)] {
            let server = Server::builder().connections([first(), vec![Script::from(Reply::ok("again"))]]);
            let session = Session::new();
            wait!(session.get(server.url("/")).send()).unwrap();
            let mut request = session.post(server.url("/")).body("x");
            if let Some(declared) = declared {
                request = request.idempotent(declared);
            }
            let result = wait!(request.send());
            assert_eq!(server.requests().len(), attempts, "{declared:?}");
            match declared {
                Some(true) => assert_eq!(result.unwrap().status(), 200),
                _ => {
                    let error = result.unwrap_err();
                    assert!(error.may_have_been_processed() && !error.is_safe_to_retry(), "{error}");
                }
            }
            assert_eq!(session.pool_stats().in_use, 0);
        }
    }

    /// P9: the error tells whether the request may have been processed.
    fn p9_when_the_repeat_finds_no_server_the_first_attempt_still_counts_as_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            drop(listener);
            read_request(&mut socket);
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            read_request(&mut socket);
        });
        let session = Session::new();
        wait!(session.put(&url).body("x").send()).unwrap();
        let error = wait!(session.put(&url).body("x").send()).unwrap_err();
        assert!(error.is_connect(), "{error}");
        assert!(error.may_have_been_processed() && error.is_safe_to_retry(), "{error}");
        server.join().unwrap();
    }

    /// P9: only reused connections are repeated on.
    fn p9_a_fresh_connection_that_breaks_is_not_repeated() {
        let server = Server::replies([Script::new().reset()]);
        let error = wait!(Session::new().get(server.url("/")).send()).unwrap_err();
        assert!(error.is_network() && error.is_safe_to_retry(), "{error}");
        assert_eq!(server.requests().len(), 1);
    }

    /// P6: a body that was not read to its end costs the connection, unless its small rest is there.
    fn p6_dropping_a_response_keeps_the_connection_only_when_the_rest_is_small_and_there() {
        let server = Server::start(|request| match request.path() {
            "/small" => Reply::ok(vec![b'x'; 30_000]).chunked(10_000),
            _ => Reply::ok(vec![b'x'; 3_000_000]),
        });
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/small")).send()).unwrap();
        wait!(response.close());
        assert_eq!(session.pool_stats().idle, 1);
        let response = wait!(session.get(server.url("/large")).send()).unwrap();
        drop(response);
        assert_eq!(session.pool_stats().open, 0);
        server.wait_until_idle();
    }
}
