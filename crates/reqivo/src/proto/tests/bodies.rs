//! Framing, interim responses and limits.

use super::*;

#[test]
fn content_length_is_digits_that_fit_63_bits() {
    let with = |value: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\nhello");
    accepted(with("5"), 200, b"hello", true);
    accepted(with("05"), 200, b"hello", true);
    accepted(with("5, 5"), 200, b"hello", true);
    accepted(with("5\r\ncontent-length: 5"), 200, b"hello", true);
    for value in [
        "",
        "+5",
        "-5",
        "0x5",
        "5_0",
        "5 5",
        "five",
        "5;",
        "5.0",
        "\"5\"",
        "5,",
        ",5",
        "5,,5",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999999",
        "\u{665}",
    ] {
        refused(with(value), Violation::ContentLength);
    }
    refused(with("9223372036854775807"), Violation::IncompleteBody);
    refused(with("5, 6"), Violation::ConflictingLengths);
    refused(
        with("5\r\nContent-Length: 4"),
        Violation::ConflictingLengths,
    );
    refused(with("6"), Violation::IncompleteBody);
}

#[test]
fn bytes_after_the_body_are_never_part_of_it_and_forbid_reuse() {
    let outcome = get("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n");
    assert_eq!(outcome.body, b"hi");
    assert_eq!(outcome.result, Ok(false));
    assert!(outcome.left_over > 0);
}

#[test]
fn transfer_encoding_must_be_one_final_chunked() {
    let with = |value: &str| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {value}\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    };
    accepted(with("chunked"), 200, b"hi", true);
    accepted(with("ChUnKeD"), 200, b"hi", true);
    for value in [
        "",
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked, gzip",
        "gzip, chunked",
        "gzip",
        "identity",
        "xchunked",
        "chunked;q=1",
        "\"chunked\"",
        ",chunked",
        "chunked,",
        "chunked\r\nTransfer-Encoding: identity",
    ] {
        refused(with(value), Violation::TransferEncoding);
    }
    let to_close = Setup {
        tolerance: Tolerance::default().read_unknown_coding_to_close(),
        ..Setup::default()
    };
    let outcome = at_every_split(with("custom").as_bytes(), &to_close);
    assert_eq!((outcome.body.len(), outcome.result), (12, Ok(false)));
    let outcome = at_every_split(with("chunked, custom").as_bytes(), &to_close);
    assert_eq!(outcome.result, Err(Violation::TransferEncoding));
}

#[test]
fn chunked_beats_content_length_and_then_the_connection_is_not_reused() {
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
    ] {
        let reply = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        accepted(&reply, 200, b"hi", false);
        assert!(
            !get(&reply)
                .headers
                .iter()
                .any(|(name, _)| name == "Content-Length")
        );
        let strict = Setup {
            tolerance: Tolerance::default().refuse_length_with_chunked(),
            ..Setup::default()
        };
        let outcome = at_every_split(reply.as_bytes(), &strict);
        assert_eq!(outcome.result, Err(Violation::LengthWithTransferEncoding));
    }
    refused(
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        Violation::TransferEncoding,
    );
}

fn chunked(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

#[test]
fn chunks_are_joined() {
    accepted(chunked("0\r\n\r\n"), 200, b"", true);
    accepted(
        chunked("1\r\na\r\n2\r\nbc\r\n00\r\n\r\n"),
        200,
        b"abc",
        true,
    );
    accepted(
        chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
        200,
        b"01234567890123456789",
        true,
    );
    accepted(
        chunked("0000000000000002\r\nhi\r\n0\r\n\r\n"),
        200,
        b"hi",
        true,
    );
    accepted(
        chunked("2;a=b;c=\"d e\"\r\nhi\r\n0;last\r\n\r\n"),
        200,
        b"hi",
        true,
    );
    accepted(chunked("2 ;a\r\nhi\r\n0\r\n\r\n"), 200, b"hi", true);
    accepted(
        chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"),
        200,
        b"\r\n\r\n",
        true,
    );
}

#[test]
fn malformed_chunks_are_refused() {
    for (body, violation) in [
        ("\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        (" 2\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("2 \r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("+2\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("-2\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("0x2\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("2_0\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("g\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        (";a\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("2\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("00000000000000002\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("10000000000000002\r\nhi\r\n0\r\n\r\n", Violation::ChunkSize),
        ("2\rhi\r\n0\r\n\r\n", Violation::LineEnd),
        ("2;a\nhi\r\n0\r\n\r\n", Violation::LineEnd),
        ("2;a\0\r\nhi\r\n0\r\n\r\n", Violation::ChunkExtension),
        ("2;a\rb\r\nhi\r\n0\r\n\r\n", Violation::LineEnd),
        ("2\r\nhi0\r\n\r\n", Violation::ChunkEnd),
        ("2\r\nhi\n0\r\n\r\n", Violation::ChunkEnd),
        ("2\r\nhi\r0\r\n\r\n", Violation::ChunkEnd),
        ("2\r\nhix\r\n0\r\n\r\n", Violation::ChunkEnd),
        ("2\r\nhi\r\n0\r\n\n", Violation::LineEnd),
        ("2\r\nhi\r\n0\r\nA: b\n\r\n", Violation::LineEnd),
        ("2\r\nhi\r\n0\r\nA\r\n\r\n", Violation::FieldName),
        ("2\r\nhi\r\n0\r\n A: b\r\n\r\n", Violation::FoldedLine),
        ("2\r\nhi\r\n0\r\nA: b\0\r\n\r\n", Violation::FieldValue),
    ] {
        refused(chunked(body), violation);
    }
    // A size of 64 bits is read as such and does not wrap around.
    refused(
        chunked("ffffffffffffffff\r\nhi\r\n0\r\n\r\n"),
        Violation::IncompleteBody,
    );
}

#[test]
fn trailers_are_read_without_those_that_decide_framing_or_routing() {
    let outcome = get(chunked(
        "2\r\nhi\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nHost: x\r\nx-sum: 2\r\n\r\n",
    ));
    assert_eq!(outcome.result, Ok(true));
    let expected = [("X-Sum", "1"), ("x-sum", "2")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(outcome.trailers, expected);
}

#[test]
fn a_body_without_length_runs_to_the_end_of_the_connection() {
    accepted(
        "HTTP/1.1 200 OK\r\n\r\nuntil the end",
        200,
        b"until the end",
        false,
    );
    accepted("HTTP/1.1 200 OK\r\n\r\n", 200, b"", false);
    accepted(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nall",
        200,
        b"all",
        false,
    );
}

#[test]
fn persistence_follows_version_and_connection_field() {
    for (version, connection, reusable) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: x, close\r\n", false),
        (
            "1.1",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive, x\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let reply = format!("HTTP/{version} 200 OK\r\n{connection}Content-Length: 2\r\n\r\nhi");
        accepted(reply, 200, b"hi", reusable);
    }
}

#[test]
fn every_truncation_is_an_error() {
    for reply in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    ] {
        let head = reply.find("\r\n\r\n").unwrap() + 4;
        for end in 0..reply.len() {
            let expected = match end {
                0 => Violation::ClosedWithoutReply,
                end if end < head => Violation::IncompleteHead,
                _ => Violation::IncompleteBody,
            };
            let outcome = run([&reply.as_bytes()[..end]], &Setup::default());
            assert_eq!(outcome.result, Err(expected), "cut at {end}");
        }
    }
}

#[test]
fn interim_responses_are_skipped_and_counted() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\n";
    let outcome = get(format!("HTTP/1.1 100 Continue\r\n\r\n{interim}{last}"));
    assert_eq!(
        (outcome.interims, outcome.status, outcome.result),
        (2, Some(200), Ok(true))
    );
    assert_eq!(outcome.body, b"hi");
    accepted(
        format!("{}{last}", "HTTP/1.1 199 X\r\n\r\n".repeat(100)),
        200,
        b"hi",
        true,
    );
    refused(
        format!("{}{last}", "HTTP/1.1 199 X\r\n\r\n".repeat(101)),
        limit(LimitKind::InterimResponses, 100),
    );
    refused(
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        Violation::UnexpectedUpgrade,
    );
    refused("HTTP/1.1 100 Continue\r\n\r\n", Violation::IncompleteHead);
    refused(
        format!("HTTP/1.1 100 Continue\r\n{last}"),
        Violation::FieldName,
    );
}

#[test]
fn heads_of_interim_responses_count_into_the_limit_of_the_head() {
    let interim = format!("HTTP/1.1 103 X\r\nA: {}\r\n\r\n", "x".repeat(10_000));
    let reply = format!(
        "{}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        interim.repeat(7)
    );
    refused(reply, limit(LimitKind::HeadBytes, 65_536));
}

#[test]
fn replies_without_body_by_definition_have_none_whatever_they_say() {
    let fields = "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n";
    accepted(
        format!("HTTP/1.1 204 No Content\r\n{fields}\r\n"),
        204,
        b"",
        false,
    );
    accepted(
        format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n"),
        304,
        b"",
        true,
    );
    for (announced, kept) in [
        ("", true),
        ("Content-Length: 0\r\n", true),
        ("Content-Length: 5\r\n", false),
        ("Transfer-Encoding: chunked\r\n", false),
    ] {
        let reply = format!("HTTP/1.1 204 No Content\r\n{announced}\r\n");
        accepted(reply, 204, b"", kept);
    }
    accepted("HTTP/1.1 204 No Content\r\n\r\nhello", 204, b"", false);
    let head = Setup {
        method: Method::HEAD,
        ..Setup::default()
    };
    let outcome = at_every_split(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes(), &head);
    assert_eq!((outcome.body.len(), outcome.result), (0, Ok(true)));
    let outcome = at_every_split(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", &head);
    assert_eq!((outcome.body.len(), outcome.result), (0, Ok(false)));
    let connect = Setup {
        method: Method::CONNECT,
        ..Setup::default()
    };
    let outcome = at_every_split(b"HTTP/1.1 200 OK\r\n\r\n", &connect);
    assert_eq!((outcome.body.len(), outcome.result), (0, Ok(false)));
}

#[test]
fn sizes_of_a_head_are_limited_and_the_limit_is_named() {
    let line = |length: usize| {
        let value = "x".repeat(length - 3);
        format!("HTTP/1.1 200 OK\r\nA: {value}\r\nContent-Length: 0\r\n\r\n")
    };
    accepted(line(16 * 1024), 200, b"", true);
    refused(line(16 * 1024 + 1), limit(LimitKind::LineBytes, 16_384));
    refused(
        "HTTP/1.1 200 ".to_owned() + &"x".repeat(20_000),
        limit(LimitKind::LineBytes, 16_384),
    );

    let fields = |count: usize| {
        format!(
            "HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n",
            "A: b\r\n".repeat(count - 1)
        )
    };
    accepted(fields(128), 200, b"", true);
    refused(fields(129), limit(LimitKind::Fields, 128));

    let size = |size: usize| {
        let rest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let line = format!("A: {}\r\n", "x".repeat(1000));
        let mut reply = rest.replace("Content", &format!("{}Content", line.repeat(65)));
        let missing = size - reply.len();
        reply = reply.replace(
            "Content",
            &format!("B: {}\r\nContent", "x".repeat(missing - 5)),
        );
        assert_eq!(reply.len(), size);
        reply
    };
    let wide = || Limits::default().head_bytes(70_000);
    let setup = Setup {
        limits: wide(),
        ..Setup::default()
    };
    assert_eq!(
        at_every_split(size(70_000).as_bytes(), &setup).result,
        Ok(true)
    );
    let over = at_every_split(size(70_001).as_bytes(), &setup).result;
    assert_eq!(over, Err(limit(LimitKind::HeadBytes, 70_000)));
}

#[test]
fn bodies_extensions_and_trailers_are_limited() {
    let setup = Setup {
        limits: Limits::default()
            .body_bytes(4)
            .chunk_extension_bytes(8)
            .trailer_fields(2)
            .trailer_bytes(40),
        ..Setup::default()
    };
    let result = |reply: &str| at_every_split(reply.as_bytes(), &setup).result;
    let known = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
    assert_eq!(result(&known(5)), Err(limit(LimitKind::BodyBytes, 4)));
    assert_eq!(result(&known(4)), Ok(false));
    assert_eq!(
        result(&chunked("3\r\nabc\r\n2\r\nde\r\n")),
        Err(limit(LimitKind::BodyBytes, 4))
    );
    assert_eq!(
        result("HTTP/1.1 200 OK\r\n\r\nhello"),
        Err(limit(LimitKind::BodyBytes, 4))
    );
    assert_eq!(
        result(&chunked("1;abcd\r\nx\r\n1;efg\r\n")),
        Err(limit(LimitKind::ChunkExtensionBytes, 8))
    );
    assert_eq!(
        result(&chunked("1;abc\r\nx\r\n1;efg\r\ny\r\n0\r\n\r\n")),
        Ok(true)
    );
    let trailers = |text: &str| chunked(&format!("0\r\n{text}\r\n"));
    assert_eq!(result(&trailers("A: b\r\nA: b\r\n")), Ok(true));
    assert_eq!(
        result(&trailers("A: b\r\nA: b\r\nA: b\r\n")),
        Err(limit(LimitKind::TrailerFields, 2))
    );
    let long = trailers(&format!("A: {}\r\n", "x".repeat(40)));
    assert_eq!(result(&long), Err(limit(LimitKind::TrailerBytes, 40)));
}
