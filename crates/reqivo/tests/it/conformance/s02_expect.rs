//! Leave to send a body (RFC 9110 10.1.1), and bodies that are sent again.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqivo::{Body, ErrorKind, TimeLimit, Timeouts};
use testkit::{Gate, Reply, Script, Server};

use super::super::Session;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

/// Bytes, and a source that can be asked once.
fn bodies() -> [Body; 3] {
    [
        Body::from("text"),
        Body::iter(["te", "xt"]),
        Body::reader(&b"text"[..]).with_length(4),
    ]
}

scenarios! {
    /// D12: the body follows the interim response, not the head.
    fn d12_the_body_waits_for_the_interim_response() {
        for body in bodies() {
            let server = Server::raw(|wire| {
                let head = String::from_utf8(wire.read_head()?).unwrap();
                assert!(head.contains("\r\nExpect: 100-continue\r\n"), "{head}");
                // An interim response of another kind gives no leave.
                wire.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")?;
                wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                let mut body = Vec::new();
                while !body.ends_with(b"xt") && !body.ends_with(b"0\r\n\r\n") {
                    let mut byte = [0];
                    wire.read_exact(&mut byte)?;
                    body.push(byte[0]);
                }
                write!(wire, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
                wire.write_all(&body)
            });
            let request = Session::new().post(server.url("/")).body(body).expect_continue_within(LONG);
            let mut response = wait!(request.timeout(LONG).send()).unwrap();
            let text = wait!(response.text()).unwrap();
            assert!(text == "text" || text == "2\r\nte\r\n2\r\nxt", "{text:?}");
        }
    }

    /// D12: on a server that follows the rules, connections are kept.
    fn d12_a_connection_is_kept_after_leave_was_given() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        for body in bodies() {
            wait!(session.put(server.url("/")).body(body).expect_continue_within(LONG).send()).unwrap();
            assert_eq!(server.requests().pop().unwrap().text(), "text");
        }
        // By hand.
        let by_hand = session.put(server.url("/")).header("expect", "100-Continue").body("text");
        wait!(by_hand.send()).unwrap();
        let seen = server.requests().pop().unwrap();
        assert_eq!((seen.header_all("expect").count(), seen.text().as_str()), (1, "text"));
        assert_eq!(session.pool_stats().created, 1);
    }

    /// D12: a server that says nothing gets the body after the wait.
    fn d12_a_silent_server_gets_the_body_after_the_wait() {
        let server = Server::builder().without_continue().start(|_| Reply::ok("x"));
        let session = Session::new();
        for body in bodies() {
            wait!(session.put(server.url("/")).body(body).expect_continue_within(SHORT).send()).unwrap();
            assert_eq!(server.requests().pop().unwrap().text(), "text");
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    /// D12: the default wait is finite too.
    fn d12_the_default_wait_ends() {
        let server = Server::builder().without_continue().start(|_| Reply::ok("x"));
        wait!(Session::new().put(server.url("/")).body("text").expect_continue().send()).unwrap();
        assert_eq!(server.only_request().text(), "text");
    }

    /// D12: a final response instead of leave.
    fn d12_a_final_response_cancels_the_body() {
        for status in [401, 413, 417, 500, 200] {
            for body in bodies() {
                let server = Server::builder()
                    .on_head(move |_| Some(Script::from(Reply::ok("no").status(status)).stall()))
                    .start(|_| Reply::ok("x"));
                let session = Session::new();
                let request = session.put(server.url("/")).body(body).expect_continue_within(LONG);
                let mut response = wait!(request.send()).unwrap();
                assert_eq!(response.status(), status);
                assert_eq!(wait!(response.text()).unwrap(), "no");
                assert_eq!(session.pool_stats().open, 0, "the server may still expect the body");
                server.wait_until_idle();
                let seen = server.only_request();
                assert!(!seen.complete && seen.body.is_empty());
            }
        }
    }

    /// D12: nothing to wait for.
    fn d12_a_request_without_a_body_does_not_ask() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        wait!(session.get(server.url("/")).expect_continue().send()).unwrap();
        wait!(session.post(server.url("/")).body("").expect_continue().send()).unwrap();
        wait!(session.post(server.url("/")).body(Body::iter([""]).with_length(0)).expect_continue().send()).unwrap();
        assert!(server.requests().iter().all(|request| request.header("expect").is_none()));
    }

    /// D12: the total limit covers the wait, and the other limits do not.
    fn d12_time_limits_while_waiting_for_leave() {
        let server = Server::raw(|wire| {
            wire.read_head()?;
            wire.wait(&Gate::new())
        });
        let limits = Timeouts::none().write(SHORT).read(SHORT).first_byte(SHORT).total(SHORT * 5);
        let request = Session::new().put(server.url("/")).body("text").expect_continue_within(LONG);
        let error = wait!(request.timeout(limits).send()).unwrap_err();
        assert_eq!(error.time_limit(), Some(TimeLimit::Total), "{error}");
    }

    /// F5: 307 and 308 send the body again.
    fn f5_bodies_that_can_be_replayed_are_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "text").unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        for status in [307, 308] {
            for body in [
                Body::from("text"),
                Body::file(&path),
                Body::from(std::fs::File::open(&path).unwrap()),
                Body::from("text").with_trailer("X-A", || "b"),
                Body::replayable({
                    let count = Arc::clone(&count);
                    move || {
                        count.fetch_add(1, Ordering::Relaxed);
                        Body::iter(["te", "xt"])
                    }
                }),
            ] {
                assert!(body.is_replayable() && body.try_clone().is_some());
                let server = Server::start(move |request| match request.path() {
                    "/end" => Reply::ok("x"),
                    _ => Reply::empty(status).header("Location", "/end"),
                });
                let response = wait!(Session::new().post(server.url("/")).body(body).send()).unwrap();
                assert_eq!((response.status().as_u16(), response.history().len()), (200, 1));
                let seen = server.requests();
                assert_eq!((seen[0].text(), seen[1].text()), ("text".into(), "text".into()));
                assert_eq!(seen[0].header("content-length"), seen[1].header("content-length"));
                assert_eq!(seen[1].method, "POST");
            }
        }
        assert_eq!(made.load(Ordering::Relaxed), 4);
    }

    /// F5: what was sent and is gone is never replaced by an empty body.
    fn f5_a_body_that_cannot_be_replayed_makes_the_redirect_an_error() {
        for (status, followed) in [(307, false), (308, false), (303, true), (302, true)] {
            for body in [
                Body::iter(["text"]),
                Body::reader(&b"text"[..]).with_length(4),
                Body::stream(futures_util::stream::iter(["text"])),
            ] {
                assert!(!body.is_replayable() && body.try_clone().is_none());
                let server = Server::start(move |request| match request.path() {
                    "/end" => Reply::ok("x"),
                    _ => Reply::empty(status).header("Location", "/end"),
                });
                let session = Session::new();
                let outcome = wait!(session.post(server.url("/")).body(body).send());
                if followed {
                    assert_eq!(outcome.unwrap().status(), 200);
                    assert_eq!(server.requests()[1].method, "GET");
                    continue;
                }
                let error = outcome.unwrap_err();
                assert!(error.is_redirect() && error.may_have_been_processed(), "{error:?}");
                assert!(error.to_string().ends_with("the body cannot be replayed"), "{error}");
                assert_eq!(error.status().map(|it| it.as_u16()), Some(status));
                assert_eq!(server.requests().len(), 1);
                assert_eq!(session.pool_stats().in_use, 0);
            }
        }
    }

    /// F5, D12: a redirect instead of leave finds the body untouched.
    fn f5_a_body_that_was_not_begun_follows_the_redirect() {
        let server = Server::builder()
            .on_head(|request| {
                let reply = Reply::empty(307).header("Location", "/end");
                (request.path() != "/end").then(|| Script::from(reply).stall())
            })
            .start(|_| Reply::ok("x"));
        let session = Session::new();
        for body in bodies() {
            let request = session.post(server.url("/")).body(body).expect_continue_within(LONG);
            assert_eq!(wait!(request.send()).unwrap().status(), 200);
            let seen = server.requests().pop().unwrap();
            assert_eq!((seen.path(), seen.text().as_str()), ("/end", "text"));
        }
    }

    /// P9: a kept connection that turns out to be closed.
    fn p9_a_repeat_needs_a_body_that_can_be_replayed() {
        for (body, repeated) in [
            (Body::from("text"), true),
            (Body::replayable(|| Body::iter(["text"])), true),
            (Body::iter(["text"]), false),
        ] {
            // The first connection answers once and then closes as soon as it hears more.
            let first = Script::from(Reply::ok("one")).run(|wire| {
                wire.read_exact(&mut [0])?;
                wire.reset_on_close()
            }).close();
            let server = Server::builder().connections([vec![first], vec![Script::from(Reply::ok("two"))]]);
            let session = Session::new();
            wait!(session.get(server.url("/")).send()).unwrap();
            let outcome = wait!(session.put(server.url("/")).body(body).send());
            match repeated {
                true => {
                    assert_eq!(wait!(outcome.unwrap().text()).unwrap(), "two");
                    assert_eq!(server.requests().pop().unwrap().text(), "text");
                }
                false => {
                    let error = outcome.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Network, "{error:?}");
                    assert!(error.may_have_been_processed());
                    assert_eq!(server.connections().opened, 1);
                }
            }
        }
    }
}
