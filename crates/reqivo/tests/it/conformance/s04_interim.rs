//! Interim replies and replies without a body (RFC 9110 15.2, RFC 9112 6.3).

use std::sync::{Arc, Mutex};

use reqivo::{ErrorKind, Limits, Method};
use testkit::{Gate, Reply, Script, Server};

use super::super::Session;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

scenarios! {
    /// I1: any 1xx but 101 is skipped, for every method.
    fn i1_interim_responses_are_skipped() {
        let interim = [
            CONTINUE,
            "HTTP/1.1 102 Processing\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 199 x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        ].concat();
        let server = Server::start(move |_| Script::new().write(interim.clone()).reply(Reply::ok("final")));
        let session = Session::new();
        for method in [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS] {
            let mut response = wait!(session.request(method.clone(), server.url("/")).send()).unwrap();
            assert_eq!(response.status(), 200);
            let expected = if method == Method::HEAD { "" } else { "final" };
            assert_eq!(wait!(response.text()).unwrap(), expected);
            assert!(!response.headers().contains("link"), "fields of an interim response are not those of the final one");
        }
        assert_eq!(session.pool_stats().created, 1, "they say nothing about the connection");
    }

    /// I1: they are told as they arrive, before the final one.
    fn i1_interim_responses_are_told_as_they_arrive() {
        let gate = Gate::new();
        let server = Server::replies([Script::new()
            .write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            .wait(&gate)
            .write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")]);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let request = Session::new().get(server.url("/")).on_interim(move |head| {
            let link = head.headers().get("link").map(|link| link.into_owned());
            told.lock().unwrap().push((head.status(), link));
            if head.status() == 103 {
                // The final response waits for this.
                gate.open();
            }
        });
        let mut response = wait!(request.send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "hi");
        assert_eq!(*seen.lock().unwrap(), [(100, None), (103, Some("</a.css>".to_owned()))]);
    }

    /// I1, L8: a hundred of them, and not one more.
    fn i1_the_number_of_interim_responses_is_limited() {
        for (count, limits, fine) in [
            (100, Limits::default(), true),
            (101, Limits::default(), false),
            (3, Limits::default().interim_responses(3), true),
            (4, Limits::default().interim_responses(3), false),
        ] {
            let server = Server::replies([Script::new().write(CONTINUE.repeat(count)).reply(Reply::ok("x"))]);
            let session = Session::new();
            let outcome = wait!(session.get(server.url("/")).limits(limits).send());
            if fine {
                assert_eq!(outcome.unwrap().status(), 200);
            } else {
                let error = outcome.unwrap_err();
                assert!(error.is_limit() && error.may_have_been_processed(), "{error:?}");
                assert_eq!(session.pool_stats().open, 0);
            }
        }
    }

    /// I1, L1: all heads of an exchange share one budget.
    fn i1_interim_responses_count_towards_the_size_of_the_head() {
        let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: <{}>\r\n\r\n", "x".repeat(1000));
        let heads = hint.repeat(3);
        let server = Server::start(move |_| Script::new().write(heads.clone()).reply(Reply::ok("x")));
        let session = Session::new();
        let enough = Limits::default().head_bytes(4000);
        assert_eq!(wait!(session.get(server.url("/")).limits(enough).send()).unwrap().status(), 200);
        let error = wait!(session.get(server.url("/")).limits(Limits::default().head_bytes(3000)).send()).unwrap_err();
        assert!(error.is_limit() && error.to_string().contains("size of the head"), "{error}");
        assert_eq!(session.pool_stats().open, 0);
    }

    /// I2: an upgrade that nobody asked for.
    fn i2_switching_protocols_unasked_is_a_protocol_error() {
        for reply in [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ] {
            let server = Server::replies([Reply::raw(reply)]);
            let session = Session::new();
            let error = wait!(session.get(server.url("/")).send()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    /// I3: no body, whatever the fields announce, and the connection goes on when they announce nothing wrong.
    fn i3_some_responses_have_no_body_whatever_they_announce() {
        for (method, head, reused) in [
            (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", true),
            (Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", true),
            (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Encoding: gzip\r\n", true),
            (Method::HEAD, "HTTP/1.1 200 OK\r\n", true),
            (Method::HEAD, "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n", true),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n", true),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", true),
            (Method::GET, "HTTP/1.1 204 No Content\r\n", true),
            (Method::DELETE, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n", true),
            // A server that announces a body here may well send one.
            (Method::GET, "HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n", false),
            (Method::GET, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n", false),
        ] {
            let server = Server::replies([Reply::raw(format!("{head}\r\n"))]);
            let session = Session::new();
            let mut response = wait!(session.request(method.clone(), server.url("/")).send()).unwrap();
            assert_eq!(wait!(response.bytes()).unwrap(), "", "{head}");
            assert!(wait!(response.chunk()).unwrap().is_none());
            assert_eq!(session.pool_stats().idle == 1, reused, "{method} {head}");
        }
    }

    /// I3: the answer to CONNECT begins a tunnel, which is not for anybody else.
    fn i3_a_successful_connect_has_no_body_and_takes_its_connection() {
        let server = Server::replies([
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
            Reply::raw("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
        ]);
        let session = Session::new();
        let mut response = wait!(session.request(Method::CONNECT, server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap(), "");
        assert_eq!(session.pool_stats().open, 0);
        let mut response = wait!(session.request(Method::CONNECT, server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "no");
        assert_eq!(session.pool_stats().idle, 1);
    }

    /// I3, H11: bytes behind such a response are nobody's.
    fn i3_bytes_after_a_response_without_a_body_cost_the_connection() {
        for (method, head) in [
            (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n"),
            (Method::GET, "HTTP/1.1 204 No Content\r\n"),
        ] {
            let server = Server::replies([
                Reply::raw(format!("{head}\r\nstray")),
                Reply::raw(format!("{head}\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")),
                Reply::ok("mine"),
            ]);
            let session = Session::new();
            for _ in 0..2 {
                let mut response = wait!(session.request(method.clone(), server.url("/")).send()).unwrap();
                assert_eq!(wait!(response.bytes()).unwrap(), "");
                assert_eq!(session.pool_stats().open, 0, "{head}");
            }
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "mine");
        }
    }
}
