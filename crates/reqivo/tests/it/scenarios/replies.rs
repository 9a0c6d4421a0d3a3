//! What replies come to: bodies, limits, malformed and hostile ones.

use std::io::Write;

use reqivo::{ErrorKind, Limits, Phase};
use serde_json::Value;
use testkit::{Gate, Reply, Script, Server};

use super::{Response, Session};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

scenarios! {
    fn a_response_shows_what_came() {
        let reply = Reply::ok("body").header("X-A", "1").header("x-a", "2").header("Set-Cookie", "c=1");
        let server = Server::replies([reply]);
        let mut response: Response = wait!(Session::new().get(server.url("/p#f")).send()).unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.status_line(), "HTTP/1.1 200 OK");
        assert_eq!(response.version(), reqivo::Version::HTTP_11);
        assert_eq!(response.headers().get("X-a").as_deref(), Some("1, 2"));
        assert_eq!(response.url().as_str(), server.url("/p#f"));
        assert_eq!(response.remote_addr(), Some(server.addr()));
        assert_eq!(response.content_length(), Some(4));
        assert!(response.history().is_empty() && response.elapsed().as_secs() < 30);
        for _ in 0..2 {
            assert_eq!(wait!(response.text()).unwrap(), "body");
            assert_eq!(wait!(response.bytes()).unwrap(), "body");
        }
        assert!(format!("{response:?}").contains("200") && !format!("{response:?}").contains("c=1"));
    }

    fn every_framing_gives_the_body() {
        let body: Vec<u8> = (0..500_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let server = Server::replies([
            Reply::ok(body.clone()),
            Reply::ok(body.clone()).chunked(10_000).trailer("X-Sum", "7"),
            Reply::ok(body.clone()).pieces(1000),
            Reply::ok(body.clone()).until_close(),
        ]);
        let session = Session::new();
        for framing in 0..4 {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert!(wait!(response.bytes()).unwrap() == body, "framing {framing}");
            let trailer = response.trailers().and_then(|it| Some(it.get("x-sum")?.into_owned()));
            assert_eq!(trailer.as_deref(), (framing == 1).then_some("7"));
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    fn pieces_arrive_before_the_end_of_the_body() {
        let gate = Gate::new();
        let server = Server::replies([Reply::ok("0123456789").hold_body(4, &gate)]);
        let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        let mut first = Vec::new();
        while first.len() < 4 {
            first.extend_from_slice(&wait!(response.chunk()).unwrap().unwrap());
        }
        assert_eq!(first, b"0123");
        gate.open();
        let mut rest = Vec::new();
        while let Some(piece) = wait!(response.chunk()).unwrap() {
            rest.extend_from_slice(&piece);
        }
        assert_eq!(rest, b"456789");
        assert!(wait!(response.chunk()).unwrap().is_none());
        assert_eq!(wait!(response.bytes()).unwrap_err().kind(), ErrorKind::Body);
    }

    fn content_comes_in_pieces_of_the_asked_size_and_again_when_it_was_collected() {
        let server = Server::start(|_| Reply::ok(vec![7; 100_000]));
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        wait!(response.bytes()).unwrap();
        for _ in 0..2 {
            let mut pieces = response.iter_content(4096);
            let mut total = 0;
            while let Some(piece) = next!(pieces) {
                let piece = piece.unwrap();
                assert!(!piece.is_empty() && piece.len() <= 4096);
                total += piece.len();
            }
            assert_eq!(total, 100_000);
        }
        let response = wait!(session.get(server.url("/")).send()).unwrap();
        let mut stream = response.into_stream();
        let mut total = 0;
        while let Some(piece) = next!(stream) {
            total += piece.unwrap().len();
        }
        assert_eq!(total, 100_000);
    }

    fn replies_to_head_and_bodiless_statuses_have_no_body_and_keep_the_connection() {
        let raw = |text: &str| Reply::raw(text.to_owned());
        let server = Server::replies([
            raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
            raw("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nContent-Encoding: gzip\r\n\r\n"),
            raw("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
            raw("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        ]);
        let session = Session::new();
        let mut head = wait!(session.head(server.url("/")).send()).unwrap();
        assert_eq!(wait!(head.bytes()).unwrap(), "");
        for (status, body) in [(204, ""), (304, ""), (200, "hi")] {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(wait!(response.text()).unwrap(), body);
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    fn a_204_that_announces_a_body_has_none_and_costs_its_connection() {
        for announced in ["Content-Length: 4", "Transfer-Encoding: chunked"] {
            let gate = Gate::new();
            let late = Script::new()
                .write(format!("HTTP/1.1 204 No Content\r\n{announced}\r\n\r\n"))
                .wait(&gate)
                .write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
            let server = Server::replies([late, Script::new().reply(Reply::ok("mine"))]);
            let session = Session::new();
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(response.status(), 204);
            assert_eq!(wait!(response.bytes()).unwrap(), "");
            assert_eq!(session.pool_stats().open, 0, "{announced}");
            gate.open();
            let mut next = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(wait!(next.text()).unwrap(), "mine");
        }
    }

    fn malformed_replies_are_protocol_errors_and_close_the_connection() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let replies = [
            "HTTP/2.0 200 OK\r\n\r\n".to_owned(),
            "SSH-2.0-OpenSSH\r\n".to_owned(),
            "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi".to_owned(),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!".to_owned(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n".to_owned(),
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(),
            format!("{chunked}0x2\r\nhi\r\n0\r\n\r\n"),
            format!("{chunked}2\r\nhi0\r\n\r\n"),
            format!("{chunked}2\nhi\r\n0\r\n\r\n"),
        ];
        let server = Server::replies(replies.clone().map(Reply::raw));
        let session = Session::new();
        for reply in replies {
            let response = wait!(session.get(server.url("/")).send());
            let error = match response {
                Ok(mut response) => wait!(response.bytes()).unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Protocol, "{reply:?}: {error}");
            assert!(error.violation().is_some() && error.may_have_been_processed());
            assert_eq!(session.pool_stats().open, 0, "{reply:?}");
        }
    }

    fn a_body_that_ends_early_is_an_error_for_every_framing() {
        let coded = gzip(&vec![b'x'; 10_000]);
        let server = Server::replies([
            Reply::ok(vec![b'x'; 10_000]).truncated(9_999),
            Reply::ok(vec![b'x'; 10_000]).chunked(1000).truncated(5_000),
            Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n").close(),
            Reply::ok(coded[..coded.len() - 3].to_vec()).header("Content-Encoding", "gzip"),
            Reply::ok(coded[..coded.len() - 3].to_vec()).header("Content-Encoding", "gzip").until_close(),
        ]);
        let session = Session::new();
        for case in 0..5 {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let error = wait!(response.bytes()).unwrap_err();
            let expected = if case < 3 { ErrorKind::IncompleteBody } else { ErrorKind::Decode };
            assert_eq!((error.kind(), error.phase()), (expected, Phase::Body), "case {case}: {error}");
            // The loss is told again, not papered over.
            assert!(wait!(response.bytes()).is_err() && wait!(response.chunk()).is_err());
        }
        assert_eq!(session.pool_stats().in_use, 0);
    }

    fn a_closed_or_reset_connection_is_a_network_error() {
        let server = Server::replies([
            Script::new().close(),
            Script::new().reset(),
            Script::new().write("HTTP/1.1 200 OK\r\nA: ").close(),
        ]);
        let session = Session::new();
        for case in 0..3 {
            let error = wait!(session.post(server.url("/")).body("x").send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (ErrorKind::Network, Phase::Head), "case {case}: {error}");
            assert!(error.may_have_been_processed() && !error.is_safe_to_retry());
        }
        assert_eq!(server.requests().len(), 3);
    }

    fn gzip_is_undone_and_its_fields_are_taken_away() {
        let text = "some text ".repeat(1000);
        let coded = gzip(text.as_bytes());
        let two = [gzip(b"one "), gzip(b"two")].concat();
        let server = Server::replies([
            Reply::ok(coded.clone()).header("Content-Encoding", "gzip"),
            Reply::ok(coded.clone()).header("content-encoding", "X-GZIP").chunked(7),
            Reply::ok(two).header("Content-Encoding", "gzip"),
            Reply::ok("").header("Content-Encoding", "gzip"),
            Reply::ok("as it is").header("Content-Encoding", "compress"),
            Reply::ok(coded.clone()).header("Content-Encoding", "gzip"),
        ]);
        let session = Session::new();
        for (expected, decoded) in [
            (text.as_str(), true),
            (&text, true),
            ("one two", true),
            ("", false),
            ("as it is", false),
        ] {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(response.is_decoded(), decoded);
            assert_eq!(response.headers().contains("content-encoding"), !decoded);
            assert_eq!(wait!(response.text()).unwrap(), expected);
        }
        let mut raw = wait!(session.get(server.url("/")).raw_body().send()).unwrap();
        assert_eq!(wait!(raw.bytes()).unwrap(), coded);
        assert_eq!(session.pool_stats().created, 1);
    }

    fn bombs_are_stopped_by_the_ratio_and_by_the_size() {
        let bomb = gzip(&vec![0; 40_000_000]);
        let server = Server::start(move |_| Reply::ok(bomb.clone()).header("Content-Encoding", "gzip"));
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        let error = wait!(response.bytes()).unwrap_err();
        assert!(error.is_limit() && error.to_string().contains("compression ratio"), "{error}");
        let capped = session.get(server.url("/")).limits(Limits::default().buffered_bytes(1_000_000));
        let mut response = wait!(capped.send()).unwrap();
        let error = wait!(response.bytes()).unwrap_err();
        assert!(error.is_limit() && error.to_string().contains("1000000"), "{error}");
        let large = session.get(server.url("/")).limits(Limits::default().buffered_bytes(40_000_000));
        let mut response = wait!(large.send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap().len(), 40_000_000);
    }

    fn limits_of_session_and_call_bound_bodies_and_heads() {
        let server = Server::start(|_| Reply::ok(vec![b'x'; 5000]).header("A", "x".repeat(2000)));
        let session = Session::builder().limits(Limits::default().body_bytes(4999)).build().unwrap();
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert!(error.is_limit() && error.is_protocol(), "{error}");
        let own = session.get(server.url("/")).limits(Limits::default().head_bytes(1000));
        let error = wait!(own.send()).unwrap_err();
        assert!(error.is_limit() && error.to_string().contains("size of the head"), "{error}");
        let own = session.get(server.url("/")).limits(Limits::default().buffered_bytes(4999));
        let mut response = wait!(own.send()).unwrap();
        assert!(wait!(response.bytes()).unwrap_err().is_limit());
        let own = session.get(server.url("/")).limits(Limits::default());
        let mut response = wait!(own.send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap().len(), 5000);
    }

    fn json_errors_name_the_path() {
        let server = Server::start(|_| Reply::json(r#"{"items":[{"id":1},{"id":"two"}]}"#));
        let session = Session::new();
        type Wanted = std::collections::BTreeMap<String, Vec<std::collections::BTreeMap<String, u32>>>;
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        let error = wait!(response.json::<Wanted>()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Json);
        assert!(error.to_string().contains("`items[1].id`"), "{error}");
        assert!(!error.to_string().contains('\n'));
        let value: Value = wait!(response.json()).unwrap();
        assert_eq!(value["items"][1]["id"], "two");
    }

    fn error_for_status_keeps_status_headers_and_body() {
        let server = Server::start(|request| match request.path() {
            "/ok" => Reply::ok("fine"),
            _ => Reply::ok("the reason").status(422).header("X-Request-Id", "r1"),
        });
        let session = Session::new();
        let response = wait!(session.get(server.url("/ok")).send()).unwrap();
        let mut response = wait!(response.error_for_status()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "fine");
        let response = wait!(session.get(server.url("/bad")).send()).unwrap();
        let error = wait!(response.error_for_status()).unwrap_err();
        assert!(error.is_status() && error.status().is_some_and(|status| status == 422));
        assert_eq!(error.headers().unwrap().get("x-request-id").as_deref(), Some("r1"));
        assert_eq!(error.body().unwrap(), "the reason");
        assert!(error.to_string().ends_with("/bad: server answered 422 (unprocessable entity)"), "{error}");
    }

    fn text_follows_the_charset() {
        let server = Server::replies([
            Reply::ok(b"\xe4".as_slice()).header("Content-Type", "text/plain; Charset=\"ISO-8859-1\""),
            Reply::ok(b"\xc3\xa4\xff".as_slice()).header("Content-Type", "text/plain; charset=no-such"),
        ]);
        let session = Session::new();
        for expected in ["\u{e4}", "\u{e4}\u{fffd}"] {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), expected);
        }
    }

    fn an_answer_before_the_whole_body_was_sent_is_heard() {
        let server = Server::builder()
            .on_head(|_| Some(Script::from(Reply::ok("too large").status(413).close())))
            .start(|_| Reply::ok("never"));
        let session = Session::new();
        let request = session.post(server.url("/")).body(vec![b'x'; 20_000_000]);
        let mut response = wait!(request.send()).unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(wait!(response.text()).unwrap(), "too large");
        assert_eq!(session.pool_stats().open, 0);
    }
}
