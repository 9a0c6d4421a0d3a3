//! Status lines and fields.

use super::*;

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
    assert_eq!(
        outcome.headers[0],
        ("A".to_owned(), b"one two three".to_vec())
    );
    let odd = b"HTTP/1.1 200 OK\r\nA: \r\n x \t\r\n\t\r\n \r\n  y\n z\r\nB:\r\n \r\nContent-Length: 0\r\n\r\n";
    let outcome = at_every_split(odd, &joining);
    assert_eq!(outcome.result, Ok(true));
    assert_eq!(outcome.headers[0], ("A".to_owned(), b"x y z".to_vec()));
    assert_eq!(outcome.headers[1], ("B".to_owned(), Vec::new()));
    let first = at_every_split(b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", &joining);
    assert_eq!(first.result, Err(Violation::FoldedLine));
}
