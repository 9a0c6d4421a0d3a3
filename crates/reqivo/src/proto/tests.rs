//! Every rule about replies, as tables of raw bytes that are fed at every split.

use bytes::BytesMut;
use http::Method;

use super::*;

/// What a reply came to: the final head, the body, what followed it, or the error.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    interims: usize,
    status: Option<u16>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
    result: Result<bool, Violation>,
    left_over: usize,
}

struct Setup {
    method: Method,
    limits: Limits,
    tolerance: Tolerance,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            method: Method::GET,
            limits: Limits::default(),
            tolerance: Tolerance::default(),
        }
    }
}

fn fields(headers: &crate::Headers) -> Vec<(String, Vec<u8>)> {
    headers
        .iter_bytes()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect()
}

/// Feeds the pieces one after the other, then the end of the connection.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, setup: &Setup) -> Outcome {
    let mut decoder = Decoder::new(&setup.method, &setup.limits, &setup.tolerance);
    let mut outcome = Outcome {
        interims: 0,
        status: None,
        headers: Vec::new(),
        body: Vec::new(),
        trailers: Vec::new(),
        result: Ok(false),
        left_over: 0,
    };
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => take(&mut outcome, event),
                Err(error) => {
                    outcome.result = Err(error.violation());
                    return outcome;
                }
            }
            if decoder.is_ended() {
                break;
            }
        }
    }
    if !decoder.is_ended() {
        match decoder.finish(&mut input) {
            Ok(event) => take(&mut outcome, event),
            Err(error) => {
                outcome.result = Err(error.violation());
                return outcome;
            }
        }
    }
    outcome.left_over = input.len();
    outcome.result = Ok(decoder.is_reusable() && input.is_empty());
    outcome
}

fn take(outcome: &mut Outcome, event: Event) {
    match event {
        Event::Interim(_) => outcome.interims += 1,
        Event::Head(head) => {
            outcome.status = Some(head.status());
            outcome.headers = fields(head.headers());
        }
        Event::Data(data) => {
            assert!(!data.is_empty(), "data is never empty");
            outcome.body.extend_from_slice(&data);
        }
        Event::Trailers(trailers) => outcome.trailers = fields(&trailers),
        Event::End => {}
    }
}

/// The outcome of a reply, which must be the same for the whole, every split in two, and single bytes.
fn at_every_split(reply: &[u8], setup: &Setup) -> Outcome {
    let whole = run([reply], setup);
    let shown = String::from_utf8_lossy(&reply[..reply.len().min(200)]);
    let single = run(reply.chunks(1), setup);
    assert_eq!(single, whole, "byte by byte: {shown:?}");
    if reply.len() <= 2000 {
        for at in 0..=reply.len() {
            let (a, b) = reply.split_at(at);
            assert_eq!(run([a, b], setup), whole, "split at {at}: {shown:?}");
        }
    }
    for step in [2, 3, 7, 64, 1000] {
        assert_eq!(
            run(reply.chunks(step), setup),
            whole,
            "steps of {step}: {shown:?}"
        );
    }
    whole
}

fn get(reply: impl AsRef<[u8]>) -> Outcome {
    at_every_split(reply.as_ref(), &Setup::default())
}

#[track_caller]
fn accepted(reply: impl AsRef<[u8]>, status: u16, body: &[u8], reusable: bool) {
    let reply = reply.as_ref();
    let outcome = get(reply);
    let shown = String::from_utf8_lossy(reply);
    assert_eq!(outcome.result, Ok(reusable), "{shown:?}");
    assert_eq!(outcome.status, Some(status), "{shown:?}");
    assert_eq!(outcome.body, body, "{shown:?}");
}

#[track_caller]
fn refused(reply: impl AsRef<[u8]>, violation: Violation) {
    let reply = reply.as_ref();
    assert_eq!(
        get(reply).result,
        Err(violation),
        "{:?}",
        String::from_utf8_lossy(reply)
    );
}

fn limit(kind: LimitKind, limit: u64) -> Violation {
    Violation::Limit { kind, limit }
}

#[test]
fn status_lines_are_accepted_with_or_without_a_reason() {
    let end = "\r\nContent-Length: 0\r\n\r\n";
    for (line, status) in [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 200 ", 200),
        ("HTTP/1.1 200", 200),
        ("HTTP/1.1 200 Very Well\tThen", 200),
        ("HTTP/1.9 200 OK", 200),
        ("HTTP/1.1 600 ", 600),
        ("HTTP/1.1 999 Custom", 999),
        ("HTTP/1.1 404 Nicht gef\u{fc}nden", 404),
    ] {
        accepted(format!("{line}{end}"), status, b"", true);
    }
    accepted(
        b"HTTP/1.1 200 \xe4\xff\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        true,
    );
}

#[test]
fn anything_but_an_http1_status_line_is_refused() {
    let end = "\r\nContent-Length: 0\r\n\r\n";
    for line in [
        "HTTP/1.1",
        "HTTP/1.1200 OK",
        "HTTP/11 200 OK",
        "HTTP/1. 200 OK",
        "HTTP/x.1 200 OK",
        "HTTP/1.10 200 OK",
        "http/1.1 200 OK",
        "HTTPS/1.1 200 OK",
        " HTTP/1.1 200 OK",
        "ICY 200 OK",
        "SSH-2.0-OpenSSH_9.6",
        "<html>",
        "{}",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 200 O\u{1}K",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 \u{7f}",
    ] {
        refused(format!("{line}{end}"), Violation::StatusLine);
    }
    for line in ["HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "HTTP/3.1 200"] {
        refused(format!("{line}{end}"), Violation::Version);
    }
    for line in [
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 000 OK",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 -20 OK",
        "HTTP/1.1 200\tOK",
        "HTTP/1.1 200,OK",
        "HTTP/1.1 ",
    ] {
        refused(format!("{line}{end}"), Violation::Status);
    }
}

#[test]
fn two_empty_lines_before_the_status_line_pass_and_three_do_not() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    accepted(format!("\r\n{reply}"), 200, b"", true);
    accepted(format!("\r\n\n{reply}"), 200, b"", true);
    refused(format!("\r\n\r\n\r\n{reply}"), Violation::StatusLine);
    refused(format!("\r\r\n{reply}"), Violation::LineEnd);
    refused(format!(" \r\n{reply}"), Violation::StatusLine);
}

#[test]
fn bare_line_feeds_pass_in_a_head_and_bare_carriage_returns_nowhere() {
    accepted(
        "HTTP/1.1 200 OK\nContent-Length: 2\nA: b\n\nhi",
        200,
        b"hi",
        true,
    );
    for head in [
        "HTTP/1.1 200 OK\rContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\rA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:\r b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\rc\r\n\r\n",
    ] {
        refused(head, Violation::LineEnd);
    }
}

#[test]
fn a_head_that_cannot_become_one_is_refused_before_its_line_ends() {
    let early = |bytes: &str| {
        let mut decoder = Decoder::new(&Method::GET, &Limits::default(), &Tolerance::default());
        let mut input = BytesMut::from(bytes);
        decoder
            .decode(&mut input)
            .map(|event| event.is_some())
            .map_err(|error| error.violation())
    };
    for bytes in [
        "h",
        "hello",
        "HTTX",
        "\x15\x03\x01",
        "<html>",
        " HTTP/",
        "\r\n\r\nX",
    ] {
        assert_eq!(early(bytes), Err(Violation::StatusLine), "{bytes:?}");
    }
    for bytes in [
        "\rH",
        "HTTP/1.1 200 OK\rA: b",
        "HTTP/1.1 200 OK\r\nA: b\rc",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r\r",
    ] {
        assert_eq!(early(bytes), Err(Violation::LineEnd), "{bytes:?}");
    }
    for bytes in [
        "",
        "\r",
        "\r\n\r",
        "H",
        "HTTP/",
        "HTTP/1.1 200 OK\r",
        "HTTP/1.1 200 OK\r\n\r",
    ] {
        assert_eq!(early(bytes), Ok(false), "{bytes:?}");
    }
}

#[test]
fn of_two_errors_in_a_line_the_first_is_told_at_every_split() {
    let tight = Setup {
        limits: Limits::default().line_bytes(20).head_bytes(60),
        ..Setup::default()
    };
    let told = |reply: &str| at_every_split(reply.as_bytes(), &tight).result.unwrap_err();
    let line = limit(LimitKind::LineBytes, 20);
    let head = "HTTP/1.1 200 OK\r\n";
    for (reply, violation) in [
        (
            format!("{head}A: 456789012345678\r90\r\n\r\n"),
            Violation::LineEnd,
        ),
        (format!("{head}A: 45678901234567890\r\r\n\r\n"), line),
        (format!("{head}A: 4567890123456789012\r3\r\n\r\n"), line),
        (
            format!("hello\r{}\r\n", "x".repeat(80)),
            Violation::StatusLine,
        ),
        (format!("HTTP/1.1 200 {}\r\n", "x".repeat(80)), line),
    ] {
        assert_eq!(told(&reply), violation, "{reply:?}");
    }
}

#[test]
fn field_lines_keep_case_order_repetition_and_bytes() {
    let reply = b"HTTP/1.1 200 OK\r\nX-b: 1\r\nx-A:2\r\nX-B: \t 3 \t\r\nEmpty:\r\nBlank:  \r\nRaw: \xff\xe4\r\n\
        Content-Length: 0\r\n\r\n";
    let outcome = get(reply);
    let expected: [(&str, &[u8]); 7] = [
        ("X-b", b"1"),
        ("x-A", b"2"),
        ("X-B", b"3"),
        ("Empty", b""),
        ("Blank", b""),
        ("Raw", b"\xff\xe4"),
        ("Content-Length", b"0"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_vec()));
    assert_eq!(outcome.headers, expected);
    assert_eq!(outcome.result, Ok(true));
}

#[test]
fn malformed_field_lines_are_refused() {
    for (line, violation) in [
        (": value", Violation::FieldName),
        ("Name : value", Violation::FieldName),
        ("Name\t: value", Violation::FieldName),
        ("Na me: value", Violation::FieldName),
        ("Name", Violation::FieldName),
        ("N\u{e4}me: value", Violation::FieldName),
        ("N\0me: value", Violation::FieldName),
        ("N(me: value", Violation::FieldName),
        ("Name: a\0b", Violation::FieldValue),
        ("Name: a\u{1}b", Violation::FieldValue),
        ("Name: a\u{7f}b", Violation::FieldValue),
        ("Name: a\u{b}b", Violation::FieldValue),
        (" Name: folded", Violation::FoldedLine),
    ] {
        refused(
            format!("HTTP/1.1 200 OK\r\n{line}\r\nA: b\r\n\r\n"),
            violation,
        );
        if violation != Violation::FoldedLine {
            refused(
                format!("HTTP/1.1 200 OK\r\nA: b\r\n{line}\r\n\r\n"),
                violation,
            );
        }
    }
}

#[test]
fn folded_lines_are_refused_unless_asked_for_and_then_joined() {
    let reply = "HTTP/1.1 200 OK\r\nA: one\r\n \t two\n  three\r\nContent-Length: 0\r\n\r\n";
    refused(reply, Violation::FoldedLine);
    let joining = Setup {
        tolerance: Tolerance::default().join_folded_lines(),
        ..Setup::default()
    };
    let outcome = at_every_split(reply.as_bytes(), &joining);
    assert_eq!(outcome.result, Ok(true));
    let value = String::from_utf8(outcome.headers[0].1.clone()).unwrap();
    assert_eq!(
        value.split_whitespace().collect::<Vec<_>>(),
        ["one", "two", "three"]
    );
    let first = at_every_split(b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", &joining);
    assert_eq!(first.result, Err(Violation::FoldedLine));
}

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

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = Decoder::new(&Method::GET, &Limits::default(), &Tolerance::default());
    let mut input = BytesMut::from("nonsense\r\n");
    assert!(decoder.decode(&mut input).is_err());
    input = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert!(decoder.decode(&mut input).is_err());
    assert!(decoder.finish(&mut input).is_err());
    assert!(!decoder.is_reusable());
}

proptest::proptest! {
    #[test]
    fn no_input_panics_and_every_split_gives_the_same(
        reply in reply_like(),
        cuts in proptest::collection::vec(0_usize..400, 0..6),
    ) {
        let setup = Setup::default();
        let whole = run([&reply[..]], &setup);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(reply.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&reply[from..cut]);
            from = cut;
        }
        pieces.push(&reply[from..]);
        proptest::prop_assert_eq!(run(pieces, &setup), whole);
    }
}

/// Parts of replies in any order, with some noise.
fn reply_like() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let part = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.0 304 \r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Just(b"Content-Length: 7\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Connection: close\r\n".to_vec()),
        Just(b" folded\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"0;ext\r\n".to_vec()),
        Just(b"fffffffffffffff\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    let start = prop_oneof![
        4 => Just(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        4 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        1 => Just(Vec::new()),
    ];
    (start, proptest::collection::vec(part, 0..12))
        .prop_map(|(start, parts)| [start, parts.concat()].concat())
}
