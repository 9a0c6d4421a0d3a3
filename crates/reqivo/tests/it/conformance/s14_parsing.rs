//! Parsing replies (RFC 9112), over real sockets. The protocol core has more of these, at every split.

use reqivo::proto::Violation;
use reqivo::{Error, ErrorKind, Limits, Tolerance};
use testkit::{Gate, Reply, Script, Server};

use super::super::Session;

type Outcome = Result<(u16, String, Vec<u8>, bool), Error>;

/// What a reply comes to with these settings, delivered whole and byte by byte: status, fields, body, and whether the
/// connection is kept.
macro_rules! outcome {
    ($reply:expr, $tolerance:expr) => {{
        let reply: Vec<u8> = $reply.to_vec();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for piece in [usize::MAX, 1, 3] {
            let raw = Reply::raw(reply.clone()).pieces(piece);
            // What has no end of its own ends with its connection.
            let server = Server::replies([Script::from(raw).close()]);
            let session = Session::builder()
                .tolerance($tolerance.clone())
                .build()
                .unwrap();
            let result = match wait!(session.get(server.url("/")).send()) {
                Ok(mut response) => wait!(response.bytes()).map(|body| {
                    let kept = session.pool_stats().idle == 1;
                    let mut headers = response.headers().clone();
                    for name in ["content-length", "transfer-encoding"] {
                        headers.remove(name);
                    }
                    (
                        response.status_code(),
                        format!("{headers:?}"),
                        body.to_vec(),
                        kept,
                    )
                }),
                Err(error) => Err(error),
            };
            if result.is_err() {
                assert_eq!(
                    session.pool_stats().open,
                    0,
                    "{:?}",
                    String::from_utf8_lossy(&reply)
                );
            }
            outcomes.push(result);
        }
        let last = outcomes.pop().unwrap();
        for other in outcomes {
            let shown = |outcome: &Outcome| match outcome {
                Ok((status, headers, body, _)) => format!("{status} {headers} {body:?}"),
                Err(error) => format!("{:?} {:?}", error.kind(), error.violation()),
            };
            assert_eq!(
                shown(&other),
                shown(&last),
                "{:?}",
                String::from_utf8_lossy(&reply)
            );
        }
        last
    }};
    ($reply:expr) => {
        outcome!($reply, Tolerance::default())
    };
}

/// Asserts that replies are refused for this reason.
macro_rules! refused {
    ($violation:pat => $($reply:expr),+ $(,)?) => {
        for reply in [$($reply.to_vec()),+] {
            let error = outcome!(reply).unwrap_err();
            assert!(error.is_protocol() || error.is_incomplete_body() || error.is_network(), "{error}");
            assert!(
                matches!(error.violation(), Some($violation)),
                "{:?}: {error}",
                String::from_utf8_lossy(&reply)
            );
        }
    };
}

/// Asserts that a reply is accepted with this status and body.
macro_rules! accepted {
    ($status:expr, $body:expr; $($reply:expr),+ $(,)?) => {
        for reply in [$($reply.to_vec()),+] {
            let (status, _, body, _) = outcome!(reply).unwrap();
            assert_eq!((status, &body[..]), ($status, &$body[..]), "{:?}", String::from_utf8_lossy(&reply));
        }
    };
}

scenarios! {
    /// H1: the result is the same however the reply is split, also when each read gives one byte.
    fn h1_splits_make_no_difference() {
        let reply = b"\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n\
            4;x=y\r\nbody\r\n0\r\nT: u\r\n\r\n";
        let (status, headers, body, _) = outcome!(reply).unwrap();
        assert_eq!((status, headers.as_str(), &body[..]), (200, r#"{"A": "b"}"#, &b"body"[..]));
    }

    /// H2: the status line.
    fn h2_status_lines() {
        for (status, line) in [
            (200, "HTTP/1.1 200 OK"),
            (200, "HTTP/1.1 200 "),
            (200, "HTTP/1.1 200"),
            (200, "HTTP/1.9 200 \t a\u{e4}"),
            (599, "HTTP/1.0 599 x"),
            (600, "HTTP/1.1 600 x"),
            (999, "HTTP/1.1 999"),
        ] {
            accepted!(status, b"x"; format!("{line}\r\nContent-Length: 1\r\n\r\nx").into_bytes());
        }
        refused!(Violation::StatusLine =>
            b"ICY 200 OK\r\n\r\n", b"HTTPS/1.1 200 OK\r\n\r\n", b"http/1.1 200 OK\r\n\r\n", b"HTTP/1 200 OK\r\n\r\n",
            b"HTTP/1.10 200 OK\r\n\r\n", b"HTTP/1.1 200 O\0K\r\n\r\n", b"HTTP/x.1 200 OK\r\n\r\n");
        refused!(Violation::Version => b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n");
        refused!(Violation::Status =>
            b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 099 OK\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n",
            b"HTTP/1.1 \r\n\r\n", b"HTTP/1.1  200 OK\r\n\r\n", b"HTTP/1.1 200OK\r\n\r\n");
    }

    /// H3: up to two empty lines before the status line; no HTTP/0.9.
    fn h3_what_may_precede_the_status_line() {
        accepted!(200, b""; b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        refused!(Violation::StatusLine =>
            b"\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", b" HTTP/1.1 200 OK\r\n\r\n", b"<html>hello</html>", b"\0");
    }

    /// H4: CRLF; a bare line feed in the head only; a bare carriage return nowhere.
    fn h4_line_ends() {
        accepted!(200, b"x"; b"HTTP/1.1 200 OK\nContent-Length: 1\nA: b\n\nx");
        refused!(Violation::LineEnd =>
            b"HTTP/1.1 200 OK\rContent-Length: 1\r\n\r\nx", b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: u\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n");
    }

    /// H5: field lines. Folded ones are refused, or joined with a space when that is asked for.
    fn h5_field_lines() {
        let head = |line: &[u8]| [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", line, b"\r\n\r\n"].concat();
        for (line, shown) in [
            (&b"A:b"[..], r#"{"A": "b"}"#),
            (b"A: \t b \t", r#"{"A": "b"}"#),
            (b"A:", r#"{"A": ""}"#),
            (b"A: b\tc d\xe4", "{\"A\": \"b\\tc d\u{e4}\"}"),
            (b"!#$%&'*+-.^_`|~1: b", r#"{"!#$%&'*+-.^_`|~1": "b"}"#),
        ] {
            let (_, headers, ..) = outcome!(head(line)).unwrap();
            assert_eq!(headers, shown);
        }
        refused!(Violation::FieldName =>
            head(b": b"), head(b"A : b"), head(b"A\t: b"), head(b"A b: c"), head(b"A"), head(b"A\0: b"),
            head(b"\xe4: b"), head(b"A/: b"));
        refused!(Violation::FieldValue => head(b"A: b\0"), head(b"A: b\x01"), head(b"A: b\x7f"), head(b"A: b\x0bc"));
        let folded = head(b"A: one \r\n \t two\r\n\tthree");
        let joining = Tolerance::default().join_folded_lines();
        let first = b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n";
        refused!(Violation::FoldedLine => folded, first);
        assert_eq!(outcome!(folded, joining.clone()).unwrap().1, r#"{"A": "one two three"}"#);
        assert!(matches!(outcome!(first, joining).unwrap_err().violation(), Some(Violation::FoldedLine)));
    }

    /// H6: Content-Length.
    fn h6_content_length() {
        let with = |value: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\nhello").into_bytes();
        accepted!(200, b"hello"; with("5"), with("005"), with("5,5 , 5"), with("5\r\ncontent-length: 5"));
        refused!(Violation::ContentLength =>
            with(""), with("+5"), with("-5"), with("0x5"), with("5_0"), with("5 5"), with("5,"), with("5.0"),
            with("9223372036854775808"), with("99999999999999999999999"));
        refused!(Violation::ConflictingLengths => with("5, 4"), with("5\r\nContent-Length: 6"));
        refused!(Violation::IncompleteBody => with("6"));
        // Fits, and is refused for its size only.
        assert!(outcome!(with("9223372036854775807")).unwrap_err().is_limit());
    }

    /// H7: Transfer-Encoding, alone, together with Content-Length, and in HTTP/1.0.
    fn h7_transfer_encoding() {
        let with = |value: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {value}\r\n\r\n2\r\nhi\r\n0\r\n\r\n").into_bytes();
        accepted!(200, b"hi"; with("chunked"), with("CHUNKED"), with("chunked\r\nContent-Length: 3"));
        refused!(Violation::TransferEncoding =>
            with("chunked, chunked"), with("chunked\r\nTransfer-Encoding: chunked"), with("chunked, gzip"),
            with("gzip, chunked"), with("identity"), with("custom"), with(""), with("chunked;q=1"), with("xchunked"));
        refused!(Violation::TransferEncoding => b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        let strict = Tolerance::default().refuse_length_with_chunked();
        let error = outcome!(with("chunked\r\nContent-Length: 3"), strict).unwrap_err();
        assert!(matches!(error.violation(), Some(Violation::LengthWithTransferEncoding)));
        let to_close = Tolerance::default().read_unknown_coding_to_close();
        assert_eq!(outcome!(with("custom"), to_close).unwrap().2, b"2\r\nhi\r\n0\r\n\r\n");
    }

    /// H7: a reply with both framings is read by its chunks, loses its Content-Length, and costs its connection.
    fn h7_both_framings_cost_the_connection() {
        let gate = Gate::new();
        let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        let server = Server::replies([Script::new().write(both).wait(&gate)]);
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "hi");
        assert!(!response.headers().contains("content-length"));
        assert_eq!(session.pool_stats().open, 0);
        gate.open();
    }

    /// H8: chunks.
    fn h8_chunks() {
        let chunked = |body: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes();
        accepted!(200, b"hi";
            chunked("2\r\nhi\r\n0\r\n\r\n"), chunked("0000000000000002\r\nhi\r\n000\r\n\r\n"),
            chunked("1;a\r\nh\r\n1;b=\"c d\";e\r\ni\r\n0;f\r\n\r\n"), chunked("2 ; a\r\nhi\r\n0\r\n\r\n"));
        accepted!(200, b"0123456789"; chunked("a\r\n0123456789\r\n0\r\n\r\n"), chunked("A\r\n0123456789\r\n0\r\n\r\n"));
        refused!(Violation::ChunkSize =>
            chunked("00000000000000002\r\nhi\r\n0\r\n\r\n"), chunked("+2\r\nhi\r\n"), chunked("-2\r\nhi\r\n"),
            chunked("0x2\r\nhi\r\n"), chunked("2_\r\nhi\r\n"), chunked(" 2\r\nhi\r\n"), chunked("\r\nhi\r\n"),
            chunked("2 \r\nhi\r\n"), chunked("g\r\n"), chunked("2\nhi\r\n"));
        refused!(Violation::LineEnd => chunked("2\rhi\r\n"), chunked("2;a\nhi\r\n"));
        refused!(Violation::ChunkEnd => chunked("2\r\nhi0\r\n\r\n"), chunked("2\r\nhi\n0\r\n\r\n"), chunked("2\r\nhii\r\n0\r\n\r\n"));
        refused!(Violation::ChunkExtension => chunked("2;a\0\r\nhi\r\n"));
        refused!(Violation::IncompleteBody => chunked("ffffffffffffffff\r\nhi\r\n"), chunked("2\r\nhi\r\n"), chunked("2\r\nhi\r\n0\r\n"));
        let long = |bytes: usize| chunked(&format!("2;{}\r\nhi\r\n0;{}\r\n\r\n", "x".repeat(8000), "x".repeat(bytes)));
        assert_eq!(outcome!(long(16 * 1024 - 8002)).unwrap().2, b"hi");
        assert!(outcome!(long(16 * 1024 - 8001)).unwrap_err().is_limit());
    }

    /// H9: trailers are fields, held to the same rules; those about framing and routing are ignored.
    fn h9_trailers() {
        let chunked = |trailers: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{trailers}\r\n").into_bytes();
        accepted!(200, b"hi"; chunked("T: u\r\nt: v\r\n"), chunked("Content-Length: 99\r\nHost: evil\r\n"));
        refused!(Violation::FieldName => chunked("T\r\n"), chunked("T : u\r\n"));
        refused!(Violation::FieldValue => chunked("T: \0\r\n"));
        refused!(Violation::FoldedLine => chunked("T: u\r\n v\r\n"));
        let server = Server::replies([Reply::raw(chunked("T: u\r\nTransfer-Encoding: x\r\nConnection: close\r\nt: v\r\n"))]);
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        wait!(response.bytes()).unwrap();
        let trailers = response.trailers().unwrap();
        assert_eq!((trailers.names(), trailers.get("t").as_deref()), (vec!["t".to_owned()], Some("u, v")));
        assert_eq!(session.pool_stats().idle, 1);
    }

    /// H10: without a length the body runs to the end of the connection, which is not reused.
    fn h10_bodies_up_to_the_end_of_the_connection() {
        let (status, _, body, kept) = outcome!(b"HTTP/1.1 200 OK\r\n\r\nuntil the end").unwrap();
        assert_eq!((status, &body[..], kept), (200, &b"until the end"[..], false));
        let old = outcome!(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nall").unwrap();
        assert_eq!((&old.2[..], old.3), (&b"all"[..], false));
    }

    /// H10: over TLS the end must be a clean one, unless that is not asked for.
    fn h10_over_tls_the_end_must_be_clean() {
        let authority = testkit::Authority::new();
        let tls = reqivo::TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        for (clean, lenient, ok) in [(true, false, true), (false, false, false), (false, true, true)] {
            let server = Server::builder().tls(authority.good()).start(move |_| {
                let script = Script::new().write("HTTP/1.1 200 OK\r\n\r\nuntil the end");
                if clean { script.close() } else { script.cut() }
            });
            let tolerance = match lenient {
                true => Tolerance::default().accept_unclean_tls_close(),
                false => Tolerance::default(),
            };
            let session = Session::builder().tls(tls.clone()).tolerance(tolerance).build().unwrap();
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            match wait!(response.bytes()) {
                Ok(body) => assert!(ok && body == "until the end"),
                Err(error) => assert!(!ok && error.kind() == ErrorKind::IncompleteBody, "{error}"),
            }
        }
    }

    /// H11: bytes after a complete body are dropped with their connection and never given to a later request.
    fn h11_bytes_after_the_body_reach_nobody() {
        let smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";
        for first in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ] {
            // In the same segment as the reply, and when the connection was put back already.
            let (late, written) = (Gate::new(), Gate::new());
            let gates = (late.clone(), written.clone());
            let server = Server::start(move |request| match request.path() {
                "/at-once" => Script::new().write(format!("{first}{smuggled}")),
                "/late" => Script::new().write(first).wait(&gates.0).write(smuggled).wait(&gates.1),
                _ => Script::from(Reply::ok("mine")),
            });
            let session = Session::new();
            for path in ["/at-once", "/late"] {
                let mut response = wait!(session.get(server.url(path)).send()).unwrap();
                wait!(response.bytes()).unwrap();
                if path == "/late" {
                    assert_eq!(session.pool_stats().idle, 1);
                    late.open();
                    written.wait_for_arrival(1);
                }
                let mut next = wait!(session.get(server.url("/")).send()).unwrap();
                assert_eq!(wait!(next.text()).unwrap(), "mine", "{path}");
            }
            written.open();
        }
    }

    /// H12: the bytes, order and repetitions of fields are preserved.
    fn h12_fields_are_preserved() {
        let server = Server::replies([Reply::raw(&b"HTTP/1.1 200 OK\r\nX-b: \xff 1\r\nx-A:2\r\nX-B: 3\r\nContent-Length: 0\r\n\r\n"[..])]);
        let response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        let fields: Vec<_> = response.headers().iter_bytes().collect();
        let expected: [(&str, &[u8]); 4] = [("X-b", b"\xff 1"), ("x-A", b"2"), ("X-B", b"3"), ("Content-Length", b"0")];
        assert_eq!(fields, expected);
    }

    /// Limits hold for what is parsed: a body of a size beyond the limit is not read.
    fn limits_and_rules_go_together() {
        let server = Server::replies([Reply::ok("hello")]);
        let request = Session::new().get(server.url("/")).limits(Limits::default().body_bytes(4));
        assert!(wait!(request.send()).unwrap_err().is_limit());
    }
}
