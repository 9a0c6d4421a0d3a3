//! What a response offers, and content codings (RFC 9110 8.4).

use std::io::Write as _;

use reqivo::{ErrorKind, Limits, SaveOptions};
use testkit::{Gate, Reply, Script, Server};

use super::super::{ReadBody as _, Response, Session};

pub(super) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn br(data: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut coded, 4096, 5, 22);
    encoder.write_all(data).unwrap();
    drop(encoder);
    coded
}

pub(super) fn zstd(data: &[u8]) -> Vec<u8> {
    let mut coded = Vec::with_capacity(zstd_safe::compress_bound(data.len()));
    zstd_safe::compress(&mut coded, data, 3).unwrap();
    coded
}

/// Every way of framing a body.
fn framings(body: &[u8]) -> [Reply; 4] {
    let reply = || Reply::ok(body.to_vec());
    [
        reply(),
        reply().chunked(100),
        reply().pieces(50),
        reply().until_close(),
    ]
}

scenarios! {
    /// status_code, status, status_line, version; the reason may be missing.
    fn status_status_code_status_line_and_reason() {
        for (line, status, reason) in [
            ("HTTP/1.1 200 OK", 200, Some("OK")),
            ("HTTP/1.1 200 ", 200, None),
            ("HTTP/1.1 204", 204, None),
            ("HTTP/1.0 404 Not  Here", 404, Some("Not  Here")),
            ("HTTP/1.1 799 \u{fc}", 799, Some("\u{fc}")),
        ] {
            let server = Server::replies([Reply::raw(format!("{line}\r\nContent-Length: 0\r\n\r\n")).close()]);
            let response = wait!(Session::new().get(server.url("/")).send()).unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(response.status_code(), status);
            assert_eq!(response.status_line(), line);
            assert_eq!(response.reason().as_deref(), reason);
            let old = line.contains("1.0");
            assert_eq!(response.version(), if old { reqivo::Version::HTTP_10 } else { reqivo::Version::HTTP_11 });
        }
    }

    /// is_success, is_redirection, is_client_error, is_server_error; error_for_status on demand only.
    fn statuses_are_errors_on_demand_only() {
        let server = Server::start(|request| {
            let status = request.path()[1..].parse().unwrap();
            let reply = Reply::ok("why").status(status).header("X-Id", "7");
            if status == 304 { Reply::empty(304) } else { reply }
        });
        let session = Session::builder().redirects(reqivo::RedirectPolicy::none()).build().unwrap();
        for (status, [success, redirection, client, server_error]) in [
            (200, [true, false, false, false]),
            (299, [true, false, false, false]),
            (302, [false, true, false, false]),
            (304, [false, true, false, false]),
            (404, [false, false, true, false]),
            (503, [false, false, false, true]),
            (600, [false, false, false, false]),
        ] {
            let response = wait!(session.get(server.url(&format!("/{status}"))).send()).unwrap();
            assert_eq!(
                [response.is_success(), response.is_redirection(), response.is_client_error(), response.is_server_error()],
                [success, redirection, client, server_error],
                "{status}"
            );
            match wait!(response.error_for_status()) {
                Ok(response) => assert!(!client && !server_error, "{}", response.status()),
                Err(error) => {
                    assert!((client || server_error) && error.is_status(), "{error}");
                    assert_eq!(error.status().map(|it| it.as_u16()), Some(status));
                    assert_eq!(error.headers().and_then(|it| it.get("x-id")).as_deref(), Some("7"));
                    assert_eq!(error.body().map(|it| &it[..]), Some(&b"why"[..]));
                }
            }
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    /// body: exactly the framed, transfer-decoded, content-decoded bytes, whatever follows them.
    fn the_body_is_exactly_what_was_framed() {
        let server = Server::replies([
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 500 Late\r\n\r\n"),
            Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\ntail"),
        ]);
        for _ in 0..2 {
            let session = Session::new();
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(wait!(response.bytes()).unwrap(), "hello");
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    /// url: the final one after redirects; history: the earlier hops, oldest first.
    fn url_and_history_show_the_way() {
        let server = Server::start(|request| match request.path() {
            "/a" => Reply::empty(302).header("Location", "/b"),
            "/b" => Reply::empty(307).header("Location", "/c?d=e"),
            _ => Reply::ok("there"),
        });
        let response = wait!(Session::new().get(server.url("/a")).send()).unwrap();
        assert_eq!(response.url().as_str(), server.url("/c?d=e"));
        let way: Vec<_> = response.history().iter().map(|hop| (hop.url().path().to_owned(), hop.status().as_u16())).collect();
        assert_eq!(way, [("/a".to_owned(), 302), ("/b".to_owned(), 307)]);
        assert_eq!(response.method(), "GET");
        assert_eq!(response.remote_addr(), Some(server.addr()));
        assert!(response.elapsed() > std::time::Duration::ZERO);
    }

    /// stream flag: whether the body is delivered lazily.
    fn the_flags_say_whether_the_body_is_still_coming() {
        let gate = Gate::new();
        let server = Server::replies([Reply::ok("0123456789").hold_body(5, &gate)]);
        let mut response: Response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        assert!(response.is_streaming() && !response.is_buffered());
        gate.open();
        wait!(response.bytes()).unwrap();
        assert!(!response.is_streaming() && response.is_buffered());
    }

    /// text: the explicit argument, then a byte order mark, then the charset parameter, then UTF-8; never a crash.
    fn text_is_decoded_by_mark_charset_or_as_utf8() {
        for (content_type, body, text) in [
            ("text/plain", &b"\xc3\xa4"[..], "\u{e4}"),
            ("text/plain", b"a\xff\xc3", "a\u{fffd}\u{fffd}"),
            ("text/plain; Charset=\"ISO-8859-1\"", b"\xe4", "\u{e4}"),
            ("text/plain;charset=windows-1251", b"\xef\xf0", "\u{43f}\u{440}"),
            ("text/plain; charset=no-such", b"\xc3\xa4\xff", "\u{e4}\u{fffd}"),
            ("text/plain; charset=", b"\xc3\xa4", "\u{e4}"),
            ("text/plain; charset=iso-8859-1", b"\xef\xbb\xbf\xc3\xa4", "\u{e4}"),
            ("text/plain; charset=utf-8", b"\xff\xfea\0", "a"),
            ("no type at all", b"x", "x"),
        ] {
            let server = Server::replies([Reply::ok(body).header("Content-Type", content_type)]);
            let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), text, "{content_type}");
        }
        let server = Server::replies([Reply::ok(&b"\xe4\xef"[..]).header("Content-Type", "text/plain; charset=utf-8")]);
        let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text_with_charset("LATIN1")).unwrap(), "\u{e4}\u{ef}");
        assert_eq!(wait!(response.text_with_charset("no-such")).unwrap(), "\u{fffd}\u{fffd}");
        assert_eq!(wait!(response.text()).unwrap(), "\u{fffd}\u{fffd}");
    }

    /// json: typed; in the encoding that the response says; a failure is an error that names the place.
    fn json_is_typed_and_its_failures_are_told() {
        let utf16: Vec<u8> = "[1, \"\u{e4}\"]".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let server = Server::replies([
            Reply::ok("{\"a\": [1, 2]}"),
            Reply::ok(&b"\xef\xbb\xbf[1, \"\xc3\xa4\"]"[..]),
            Reply::ok([&b"\xfe\xff"[..], &utf16].concat()),
            Reply::ok(&b"[1, \"\xe4\"]"[..]).header("Content-Type", "application/json; charset=latin1"),
            Reply::ok("{\"a\": [1, \"x\"]}"),
            Reply::ok("<html>"),
            Reply::ok(""),
            Reply::ok(&b"[1, \"\xff\"]"[..]),
        ]);
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        let value: std::collections::BTreeMap<String, Vec<u8>> = wait!(response.json()).unwrap();
        assert_eq!(value["a"], [1, 2]);
        for _ in 0..3 {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let value: (u8, String) = wait!(response.json()).unwrap();
            assert_eq!(value, (1, "\u{e4}".to_owned()));
        }
        for place in ["a[1]", "line 1", "line 1", ""] {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let value = wait!(response.json::<std::collections::BTreeMap<String, Vec<u8>>>());
            let error = value.unwrap_err();
            assert!(error.is_decode() && error.kind() == ErrorKind::Json, "{error}");
            assert!(error.to_string().contains(place), "{error}");
            // The body is still there.
            wait!(response.bytes()).unwrap();
        }
    }

    /// iter_content: truly streamed, in pieces of at most the size that was asked for.
    fn iter_content_streams_in_pieces_of_the_asked_size() {
        let gate = Gate::new();
        let body: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let server = Server::replies([
            Script::from(Reply::ok(body.clone()).hold_body(10, &gate)),
            Script::from(Reply::ok(gzip(&body)).header("Content-Encoding", "gzip").chunked(77)),
        ]);
        let session = Session::new();
        for chunk_size in [3, 4096] {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let mut pieces = response.iter_content(chunk_size);
            let mut read = Vec::new();
            while let Some(piece) = next!(pieces) {
                let piece = piece.unwrap();
                assert!(!piece.is_empty() && piece.len() <= chunk_size);
                read.extend_from_slice(&piece);
                if read.len() >= 9 {
                    // The server waits for this: so those pieces came before the rest was sent.
                    gate.open();
                }
            }
            assert!(read == body);
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    /// iter_content: a stream that is dropped early is gone on with, and no byte is lost.
    fn a_dropped_stream_is_gone_on_with() {
        let body: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for reply in framings(&body) {
            let server = Server::replies([reply]);
            let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
            let mut read = Vec::new();
            for size in [1, 10, 100, 1000].into_iter().cycle() {
                let mut pieces = response.iter_content(size);
                let Some(piece) = next!(pieces) else { break };
                read.extend_from_slice(&piece.unwrap());
                if read.len() == body.len() {
                    break;
                }
            }
            assert!(read == body);
        }
    }

    /// iter_lines: LF, CR and CRLF, across pieces, without the line ends, as they arrive.
    fn iter_lines_splits_at_every_line_end() {
        let text = "one\ntwo\r\nthr\u{e4}e\r\r\n\nlast";
        let expected = ["one", "two", "thr\u{e4}e", "", "", "last"];
        for reply in [
            Reply::ok(text),
            Reply::ok(text).chunked(1),
            Reply::ok(text).pieces(1),
            Reply::ok(gzip(text.as_bytes())).header("Content-Encoding", "gzip").pieces(1),
            Reply::ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
                .header("Content-Type", "text/plain; charset=utf-16le")
                .chunked(3),
        ] {
            let server = Server::replies([reply]);
            let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
            let mut lines = response.iter_lines();
            let mut read = Vec::new();
            while let Some(line) = next!(lines) {
                read.push(line.unwrap());
            }
            assert_eq!(read, expected);
        }
        let gate = Gate::new();
        let server = Server::replies([Reply::ok("first\rsecond\r").hold_body(6, &gate)]);
        let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        let mut lines = response.iter_lines();
        assert_eq!(next!(lines).unwrap().unwrap(), "first");
        gate.open();
        assert_eq!(next!(lines).unwrap().unwrap(), "second");
        assert!(next!(lines).is_none());
    }

    /// iter_lines: a line is bounded, and a body that ends early is an error after the lines before it.
    fn iter_lines_is_bounded_and_tells_truncation() {
        let server = Server::replies([
            Reply::ok(format!("a\n{}", "x".repeat(100_000))),
            Reply::ok("a\nb").truncated(2),
        ]);
        let session = Session::new();
        let request = session.get(server.url("/")).limits(Limits::default().buffered_bytes(50_000));
        let mut response = wait!(request.send()).unwrap();
        let mut lines = response.iter_lines();
        assert_eq!(next!(lines).unwrap().unwrap(), "a");
        assert!(next!(lines).unwrap().unwrap_err().is_limit());
        assert!(next!(lines).is_none());
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        let mut lines = response.iter_lines();
        assert_eq!(next!(lines).unwrap().unwrap(), "a");
        let error = next!(lines).unwrap().unwrap_err();
        assert!(error.is_incomplete_body() && error.url().is_some(), "{error}");
        assert!(next!(lines).is_none());
    }

    /// copy to a writer: the whole body, or an error.
    fn copy_to_writes_the_whole_body() {
        let body = vec![b'x'; 300_000];
        for reply in framings(&body) {
            let server = Server::replies([reply]);
            let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
            let mut copy = Vec::new();
            assert_eq!(wait!(response.copy_to(&mut copy)).unwrap(), 300_000);
            assert!(copy == body);
            assert_eq!(wait!(response.copy_to(&mut copy)).unwrap_err().kind(), ErrorKind::Body);
        }
        let server = Server::replies([
            Reply::ok(body.clone()).truncated(299_999),
            Reply::ok(body.clone()),
            Reply::ok(body),
        ]);
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert!(wait!(response.copy_to(&mut Vec::new())).unwrap_err().is_incomplete_body());
        // A writer that is full.
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        let mut room = [0; 1000];
        let error = wait!(response.copy_to(&mut std::io::Cursor::new(&mut room[..]))).unwrap_err();
        assert!(error.is_io() && error.url().is_some(), "{error}");
        // What was collected can be copied again.
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        wait!(response.bytes()).unwrap();
        for _ in 0..2 {
            let mut copy = Vec::new();
            assert_eq!(wait!(response.copy_to(&mut copy)).unwrap(), 300_000);
        }
    }

    /// save to file: the file is there when it is complete, and nothing is when it is not.
    fn save_makes_a_complete_file_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let server = Server::replies([
            Reply::ok(gzip(&body)).header("Content-Encoding", "gzip"),
            Reply::ok(body.clone()).truncated(2_999_999),
            Reply::ok(""),
            Reply::ok("in place"),
            Reply::ok("in place").truncated(3),
            Reply::ok("nowhere"),
            Reply::ok("nowhere"),
            Reply::ok("nothing"),
        ]);
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.save(&target)).unwrap(), 3_000_000);
        assert!(std::fs::read(&target).unwrap() == body);
        // A failure leaves what was there.
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert!(wait!(response.save(&target)).unwrap_err().is_incomplete_body());
        assert!(std::fs::read(&target).unwrap() == body);
        assert_eq!(names(), ["file"]);
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.save(&target)).unwrap(), 0);
        assert_eq!(std::fs::read(&target).unwrap(), b"");
        let in_place = SaveOptions::new().in_place().sync();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.save_with(&target, &in_place)).unwrap(), 8);
        assert_eq!(std::fs::read(&target).unwrap(), b"in place");
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert!(wait!(response.save_with(&target, &in_place)).is_err());
        assert!(names().is_empty());
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        let error = wait!(response.save(folder.path().join("no/file"))).unwrap_err();
        assert!(error.is_io() && error.to_string().contains("no folder"), "{error}");
        // The body is still there.
        assert_eq!(wait!(response.text()).unwrap(), "nowhere");
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert!(wait!(response.save(folder.path())).unwrap_err().is_io());
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.save("/dev/null")).unwrap(), 7);
        assert!(names().is_empty());
    }

    /// save to file: a link is followed, and the file keeps its permissions.
    #[cfg(unix)]
    fn save_follows_links_and_keeps_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&target, "old").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let server = Server::replies([Reply::ok("new")]);
        let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        wait!(response.save(&link)).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    }

    /// The body as a reader, in reads of any size; truncation is an error of the reader.
    fn the_body_is_a_reader() {
        let body: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for reply in framings(&body) {
            let server = Server::replies([reply]);
            let response = wait!(Session::new().get(server.url("/")).send()).unwrap();
            let mut reader = response.into_body();
            let mut read = vec![0; 7];
            wait!(reader.read_exact(&mut read)).unwrap();
            assert_eq!(wait!(reader.read(&mut [])).unwrap(), 0);
            wait!(reader.read_to_end(&mut read)).unwrap();
            assert!(read == body);
            assert_eq!(wait!(reader.read(&mut [0; 5])).unwrap(), 0);
        }
        let server = Server::replies([Reply::ok(body).truncated(49_999)]);
        let mut reader = wait!(Session::new().get(server.url("/")).send()).unwrap().into_body();
        let error = wait!(reader.read_to_end(&mut Vec::new())).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
    }

    /// The response as one of the `http` crate.
    fn a_response_becomes_one_of_the_http_crate() {
        let reply = Reply::ok("hello").status(201).header("X-A", "1").header("x-a", "2").chunked(2).trailer("Sum", "5");
        let server = Server::replies([reply]);
        let response = wait!(Session::new().get(server.url("/p")).send()).unwrap();
        let response = http::Response::from(response);
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
        assert_eq!(response.extensions().get::<reqivo::Url>().map(|url| url.path()), Some("/p"));
        let mut body = response.into_body();
        let mut read = String::new();
        wait!(body.read_to_string(&mut read)).unwrap();
        assert_eq!(read, "hello");
        assert_eq!(body.trailers().and_then(|it| it.get("sum")).as_deref(), Some("5"));
    }

    /// trailers: there after the body ended.
    fn trailers_are_there_after_the_end_of_the_body() {
        let server = Server::start(|_| Reply::ok("hello").chunked(2).trailer("Sum", "5").trailer("Content-Length", "9"));
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        wait!(response.bytes()).unwrap();
        let trailers = response.trailers().unwrap();
        assert_eq!((trailers.names(), trailers.get("sum").as_deref()), (vec!["sum".to_owned()], Some("5")));
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert!(response.trailers().is_none());
        let mut pieces = response.iter_content(1);
        while next!(pieces).is_some() {}
        drop(pieces);
        assert_eq!(response.trailers().and_then(|it| it.get("sum")).as_deref(), Some("5"));
    }

    /// close: releases or closes the connection; idempotent.
    fn close_releases_the_connection_and_may_be_repeated() {
        let server = Server::start(|request| match request.path() {
            "/small" => Reply::ok(vec![b'x'; 60_000]).chunked(10_000),
            "/kept" => Reply::ok("kept"),
            _ => Reply::ok(vec![b'x'; 3_000_000]),
        });
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/small")).send()).unwrap();
        for _ in 0..2 {
            wait!(response.close());
            assert_eq!(session.pool_stats().idle, 1);
        }
        assert_eq!(wait!(response.bytes()).unwrap_err().kind(), ErrorKind::Body);
        assert!(wait!(response.chunk()).unwrap_err().is_body());
        let mut response = wait!(session.get(server.url("/kept")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "kept");
        wait!(response.close());
        assert_eq!(wait!(response.text()).unwrap(), "kept");
        let mut response = wait!(session.get(server.url("/large")).send()).unwrap();
        for _ in 0..2 {
            wait!(response.close());
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    /// S1: a second full read gives the same body. S2: a collected body can be gone through again.
    fn s1_s2_a_collected_body_can_be_read_again() {
        for reply in framings(b"line 1\nline 2") {
            let server = Server::replies([reply]);
            let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
            for _ in 0..2 {
                assert_eq!(wait!(response.text()).unwrap(), "line 1\nline 2");
                let mut pieces = response.iter_content(4);
                let mut count = 0;
                while let Some(piece) = next!(pieces) {
                    count += piece.unwrap().len();
                }
                assert_eq!(count, 13);
                drop(pieces);
                let mut lines = response.iter_lines();
                assert_eq!(next!(lines).unwrap().unwrap(), "line 1");
            }
        }
    }

    /// S2: what was handed out is gone, and a second pass is an error and not an empty body. However it arrived.
    fn s2_a_body_that_was_handed_out_is_not_an_empty_one() {
        for reply in framings(&[b'x'; 300]) {
            let server = Server::start(move |_| reply.clone());
            let session = Session::new();
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let mut pieces = response.iter_content(100);
            let mut count = 0;
            while let Some(piece) = next!(pieces) {
                count += piece.unwrap().len();
            }
            assert_eq!(count, 300);
            drop(pieces);
            let mut again = response.iter_content(100);
            assert!(next!(again).unwrap().unwrap_err().is_body());
            assert!(next!(again).is_none());
            drop(again);
            let mut lines = response.iter_lines();
            assert!(next!(lines).unwrap().unwrap_err().is_body());
            drop(lines);
            assert!(wait!(response.text()).unwrap_err().is_body());
            assert!(wait!(response.chunk()).unwrap().is_none());
            // Half of a body is not taken for the whole.
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let mut pieces = response.iter_content(1);
            next!(pieces).unwrap().unwrap();
            drop(pieces);
            assert!(wait!(response.bytes()).unwrap_err().is_body());
            assert!(wait!(response.copy_to(&mut Vec::new())).unwrap_err().is_body());
        }
    }

    /// S3: a small known rest is drained, within a budget that can be set; anything else costs the connection.
    fn s3_the_drain_budget_decides_about_the_connection() {
        let server = Server::start(|request| match request.path() {
            "/length" => Reply::ok(vec![b'x'; 100_000]),
            "/chunked" => Reply::ok(vec![b'x'; 100_000]).chunked(9_000),
            _ => Reply::ok(vec![b'x'; 100_000]).until_close(),
        });
        for (path, budget, kept) in [
            ("/length", 64 * 1024, 0),
            ("/length", 200_000, 1),
            ("/length", 0, 0),
            ("/chunked", 64 * 1024, 0),
            ("/chunked", 200_000, 1),
            ("/chunked", 0, 0),
            ("/close", 200_000, 0),
        ] {
            let limits = Limits::default().drain_bytes(budget).drain_time(std::time::Duration::from_secs(60));
            let session = Session::builder().limits(limits).build().unwrap();
            let mut response = wait!(session.get(server.url(path)).send()).unwrap();
            wait!(response.close());
            let stats = session.pool_stats();
            assert_eq!((stats.idle, stats.open), (kept, kept), "{path} {budget}");
        }
    }

    /// S3: waiting for a rest that does not come ends, and costs the connection.
    fn s3_the_drain_time_ends_the_waiting() {
        let gate = Gate::new();
        let server = Server::replies([Reply::ok("0123456789").hold_body(5, &gate)]);
        let limits = Limits::default().drain_time(std::time::Duration::from_millis(10));
        let session = Session::builder().limits(limits).timeout(reqivo::Timeouts::none()).build().unwrap();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        wait!(response.close());
        assert_eq!(session.pool_stats().open, 0);
        gate.open();
    }

    /// S4: the end of the connection before the end of the body is an error, for every framing and coding.
    fn s4_truncation_is_an_error_in_every_framing_and_coding() {
        let body = vec![b'x'; 10_000];
        let mut replies = vec![
            (Reply::ok(body.clone()).truncated(9_999), ErrorKind::IncompleteBody),
            (Reply::ok(body.clone()).chunked(1000).truncated(9_999), ErrorKind::IncompleteBody),
        ];
        for (coding, coded) in [
            ("gzip", gzip(&body)),
            ("deflate", zlib(&body)),
            ("deflate", deflate(&body)),
            ("br", br(&body)),
            ("zstd", zstd(&body)),
        ] {
            let cut = coded[..coded.len() - 1].to_vec();
            let reply = |body: &[u8]| Reply::ok(body.to_vec()).header("Content-Encoding", coding);
            replies.push((reply(&coded).truncated(coded.len() - 1), ErrorKind::IncompleteBody));
            replies.push((reply(&cut), ErrorKind::Decode));
            replies.push((reply(&cut).until_close(), ErrorKind::Decode));
            replies.push((reply(&cut).chunked(7), ErrorKind::Decode));
        }
        let expected: Vec<ErrorKind> = replies.iter().map(|(_, kind)| *kind).collect();
        let server = Server::replies(replies.into_iter().map(|(reply, _)| reply));
        let session = Session::new();
        for (case, kind) in expected.into_iter().enumerate() {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let error = wait!(response.bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "case {case}: {error}");
            assert!(wait!(response.bytes()).is_err());
            assert_eq!(session.pool_stats().in_use, 0);
        }
    }

    /// Content decoding: gzip, x-gzip, deflate with and without its wrapper, br, zstd; several in reverse order.
    fn content_codings_are_undone() {
        let text = "some text ".repeat(1000);
        let plain = text.as_bytes();
        for (coding, coded) in [
            ("gzip", gzip(plain)),
            ("X-GZip", gzip(plain)),
            ("gzip", [gzip(&plain[..100]), gzip(&plain[100..])].concat()),
            ("deflate", zlib(plain)),
            ("deflate", deflate(plain)),
            ("br", br(plain)),
            ("zstd", zstd(plain)),
            ("zstd", [zstd(&plain[..100]), zstd(&plain[100..])].concat()),
            ("deflate, br , gzip", gzip(&br(&zlib(plain)))),
            ("gzip, gzip, gzip, gzip, gzip", (0..5).fold(plain.to_vec(), |data, _| gzip(&data))),
        ] {
            for reply in framings(&coded) {
                let server = Server::replies([reply.header("Content-Encoding", coding).header("X-Kept", "1")]);
                let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
                assert!(response.is_decoded() && response.undone_coding() == Some(coding));
                for name in ["content-encoding", "content-length"] {
                    assert!(!response.headers().contains(name), "{name}");
                }
                assert!(response.headers().contains("x-kept"));
                assert_eq!(wait!(response.text()).unwrap(), text, "{coding}");
            }
        }
    }

    /// Content decoding: what is not known stays as it is; empty is empty; too many are refused; garbage is an error.
    fn content_codings_at_their_edges() {
        let coded = gzip(b"hello");
        let server = Server::replies([
            Reply::ok("as it is").header("Content-Encoding", "compress"),
            Reply::ok(coded.clone()).header("Content-Encoding", "gzip, aes128gcm"),
            Reply::ok("as it is").header("Content-Encoding", "identity"),
        ]);
        let session = Session::new();
        for body in [&b"as it is"[..], &coded, b"as it is"] {
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert!(!response.is_decoded() && response.headers().contains("content-encoding"));
            assert_eq!(wait!(response.bytes()).unwrap(), body);
        }
        for coding in ["gzip", "deflate", "br", "zstd", "br, gzip"] {
            let server = Server::replies([
                Reply::ok("").header("Content-Encoding", coding),
                Reply::ok("").header("Content-Encoding", coding).chunked(1),
                Reply::ok("<html>this is no such data at all</html>").header("Content-Encoding", coding),
            ]);
            for _ in 0..2 {
                let mut response = wait!(session.get(server.url("/")).send()).unwrap();
                assert_eq!(wait!(response.bytes()).unwrap(), "", "{coding}");
            }
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let error = wait!(response.bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{coding}: {error}");
        }
        let server = Server::replies([Reply::ok("x").header("Content-Encoding", "gzip,gzip,gzip,gzip,gzip,gzip")]);
        assert!(wait!(session.get(server.url("/")).send()).unwrap_err().is_limit());
    }

    /// Content decoding: HEAD, 204 and 304 are never decoded, and a part of a body is not either.
    fn what_has_no_body_or_a_part_of_one_is_not_decoded() {
        let head = "Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n";
        let server = Server::replies([
            Reply::raw(format!("HTTP/1.1 200 OK\r\n{head}")),
            Reply::raw("HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"),
            Reply::raw(format!("HTTP/1.1 304 Not Modified\r\n{head}")),
            Reply::ok(&b"\x1f\x8b\x08"[..]).status(206).header("Content-Encoding", "gzip"),
        ]);
        let session = Session::new();
        let mut response = wait!(session.head(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap(), "");
        assert!(response.headers().contains("content-encoding"));
        for body in [&b""[..], b"", b"\x1f\x8b\x08"] {
            let mut response = wait!(session.get(server.url("/")).header("Range", "bytes=0-2").send()).unwrap();
            assert_eq!(wait!(response.bytes()).unwrap(), body);
            assert!(!response.is_decoded() && response.headers().contains("content-encoding"));
        }
        let requests = server.requests();
        let accepted = requests.iter().map(|it| it.header("accept-encoding"));
        let all = Some("gzip, deflate, br, zstd");
        assert_eq!(accepted.collect::<Vec<_>>(), [all, Some("identity"), Some("identity"), Some("identity")]);
    }

    /// The switch to receive raw bytes, per request and per response.
    fn bodies_can_be_left_coded() {
        let coded = gzip(b"hello");
        let body = coded.clone();
        let server = Server::start(move |_| Reply::ok(body.clone()).header("Content-Encoding", "gzip").chunked(4));
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).raw_body().send()).unwrap();
        assert!(!response.is_decoded() && response.headers().contains("content-encoding"));
        assert_eq!(wait!(response.bytes()).unwrap(), coded);
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(response.undone_coding(), Some("gzip"));
        let mut raw = response.iter_raw(5);
        let mut read = Vec::new();
        while let Some(piece) = next!(raw) {
            read.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(read, coded);
        drop(raw);
        // After decoding began it is too late.
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "hello");
        let mut raw = response.iter_raw(5);
        assert!(next!(raw).unwrap().unwrap_err().is_body());
        drop(raw);
        assert_eq!(wait!(response.text()).unwrap(), "hello");
    }
}
