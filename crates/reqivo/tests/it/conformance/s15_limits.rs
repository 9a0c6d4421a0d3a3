//! Limits on what a server may send.

use reqivo::proto::{LimitKind, Violation};
use reqivo::{Error, ErrorKind, Limits};
use testkit::{Reply, Server};

use super::super::Session;
use super::s03_responses::{br, gzip, zstd};

/// The result of a call up to the end of the body.
macro_rules! call {
    ($reply:expr, $limits:expr) => {{
        let server = Server::replies([Reply::raw($reply).close()]);
        let session = Session::builder().limits($limits).build().unwrap();
        let result: Result<usize, Error> = match wait!(session.get(server.url("/")).send()) {
            Ok(mut response) => wait!(response.bytes()).map(|body| body.len()),
            Err(error) => Err(error),
        };
        // What broke a rule is not used again.
        assert!(result.is_ok() || session.pool_stats().open == 0);
        result
    }};
}

/// Asserts that exactly the limit passes, and one more is refused and names the limit.
macro_rules! limit {
    ($kind:ident, $limit:expr, $limits:expr, $reply:expr) => {{
        let reply = $reply;
        call!(reply($limit), $limits).unwrap();
        let error = call!(reply($limit + 1), $limits).unwrap_err();
        assert!(
            error.is_limit() && error.is_protocol() && error.kind() == ErrorKind::Limit,
            "{error}"
        );
        let Some(Violation::Limit { kind, limit }) = error.violation() else {
            panic!("{error}")
        };
        assert_eq!((kind, limit), (LimitKind::$kind, $limit as u64));
        assert!(error.to_string().contains(&$limit.to_string()), "{error}");
    }};
}

/// A head of so many bytes: fields of up to 1000 bytes.
fn head_of(bytes: usize) -> String {
    let (start, end) = ("HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n\r\n");
    let mut head = start.to_owned();
    let mut left = bytes - start.len() - end.len();
    while left > 0 {
        let line = if left > 1100 { 1000 } else { left };
        head.push_str(&format!("A: {}\r\n", "x".repeat(line - 5)));
        left -= line;
    }
    head + end
}

scenarios! {
    /// L1: the head, 64 KiB.
    fn l1_head_size() {
        limit!(HeadBytes, 64 * 1024, Limits::default(), head_of);
        limit!(HeadBytes, 2000, Limits::default().head_bytes(2000), head_of);
    }

    /// L1: interim responses count for the same budget.
    fn l1_interim_responses_use_the_budget_of_the_head() {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: 1234567\r\n\r\n";
        let reply = |bytes: usize| interim.repeat(20) + &head_of(bytes - 20 * interim.len());
        limit!(HeadBytes, 2000, Limits::default().head_bytes(2000), reply);
    }

    /// L2: one line, 16 KiB; the status line too.
    fn l2_line_size() {
        let field = |bytes: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: {}\r\n\r\n", "x".repeat(bytes - 3));
        let status = |bytes: usize| format!("HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(bytes - 13));
        limit!(LineBytes, 16 * 1024, Limits::default(), field);
        limit!(LineBytes, 16 * 1024, Limits::default(), status);
        limit!(LineBytes, 100, Limits::default().line_bytes(100), field);
    }

    /// L3: the number of fields, 128.
    fn l3_field_count() {
        let reply = |count: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
        limit!(Fields, 128, Limits::default(), reply);
        limit!(Fields, 3, Limits::default().fields(3), reply);
    }

    /// L4: the size of the body on the wire, in every framing; none by default.
    fn l4_body_size_on_the_wire() {
        let limits = || Limits::default().body_bytes(5000);
        limit!(BodyBytes, 5000, limits(), |bytes: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes)));
        limit!(BodyBytes, 5000, limits(), |bytes: usize| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(bytes)));
        limit!(BodyBytes, 5000, limits(), |bytes: usize| format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{}\r\n{}0\r\n\r\n",
            "x".repeat(5000),
            "1\r\nx\r\n".repeat(bytes - 5000)
        ));
        assert_eq!(call!(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(3_000_000)), Limits::default()).unwrap(), 3_000_000);
    }

    /// L4: the wire and not the content counts.
    fn l4_counts_before_decoding() {
        let coded = gzip(&vec![0; 900_000]);
        let server = Server::start(move |_| Reply::ok(coded.clone()).header("Content-Encoding", "gzip"));
        let request = Session::new().get(server.url("/")).limits(Limits::default().body_bytes(5000));
        let mut response = wait!(request.send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap().len(), 900_000);
    }

    /// L5: the size of a decoded body in memory; streams are not limited by it.
    fn l5_decoded_size_in_memory() {
        for coding in ["identity", "gzip", "br", "zstd", "br, gzip"] {
            let reply = move |size: usize| {
                let plain = vec![0; size];
                let coded = match coding {
                    "gzip" => gzip(&plain),
                    "br" => br(&plain),
                    "zstd" => zstd(&plain),
                    "br, gzip" => gzip(&br(&plain)),
                    _ => plain,
                };
                let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", coded.len());
                [head.into_bytes(), coded].concat()
            };
            limit!(BufferedBytes, 3_000_000, Limits::default().buffered_bytes(3_000_000), reply);
            let server = Server::replies([Reply::raw(reply(500_000))]);
            let request = Session::new().get(server.url("/")).limits(Limits::default().buffered_bytes(10));
            let mut response = wait!(request.send()).unwrap();
            let mut pieces = response.iter_content(4096);
            let mut count = 0;
            while let Some(piece) = next!(pieces) {
                count += piece.unwrap().len();
            }
            assert_eq!(count, 500_000, "{coding}");
        }
    }

    /// L5: 256 MiB by default. A declared size beyond it is refused before anything of it is read.
    fn l5_the_default_is_256_mib() {
        let reply = |size: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        let error = call!(reply(256 * 1024 * 1024 + 1), Limits::default()).unwrap_err();
        assert!(error.is_limit(), "{error}");
        let error = call!(reply(256 * 1024 * 1024), Limits::default()).unwrap_err();
        assert!(error.is_incomplete_body(), "{error}");
    }

    /// L6: more than a thousandfold is refused beyond 1 MiB, for streams too, unless L5 was set.
    fn l6_ratio_guard() {
        for (coding, coded) in [("gzip", gzip(&vec![0; 40_000_000])), ("br", br(&vec![0; 40_000_000])), ("zstd", zstd(&vec![0; 40_000_000]))] {
            let body = coded.clone();
            let server = Server::start(move |_| Reply::ok(body.clone()).header("Content-Encoding", coding));
            let session = Session::new();
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            let mut pieces = response.iter_content(64 * 1024);
            let (mut count, mut failed) = (0, None);
            while let Some(piece) = next!(pieces) {
                match piece {
                    Ok(piece) => count += piece.len(),
                    Err(error) => failed = Some(error),
                }
            }
            let error = failed.unwrap();
            let violation = Violation::Limit { kind: LimitKind::CompressionRatio, limit: 1000 };
            assert!(error.is_limit() && error.violation() == Some(violation), "{coding}: {error}");
            assert!(count >= 900_000 && count <= 1000 * coded.len().max(1049), "{coding}: {count} of {}", coded.len());
            let explicit = session.get(server.url("/")).limits(Limits::default().buffered_bytes(40_000_000));
            let mut response = wait!(explicit.send()).unwrap();
            assert_eq!(wait!(response.bytes()).unwrap().len(), 40_000_000);
        }
        // Below 1 MiB any ratio is fine.
        let body = br(&vec![0; 1_000_000]);
        let server = Server::replies([Reply::ok(body).header("Content-Encoding", "br")]);
        let mut response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap().len(), 1_000_000);
    }

    /// L5, L6: no coding inflates without bound for the next, when a limit for the body was set either.
    fn l6_every_layer_is_guarded() {
        // A gzip header whose name does not end: all is taken, nothing is given.
        let endless = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..], &vec![b'n'; 50_000_000]].concat();
        for (outer, coded) in [("gzip", gzip(&endless)), ("br", br(&endless)), ("zstd", zstd(&endless))] {
            for limits in [Limits::default(), Limits::default().buffered_bytes(1_000_000)] {
                let coded = coded.clone();
                let server = Server::replies([Reply::ok(coded).header("Content-Encoding", format!("gzip, {outer}"))]);
                let mut response = wait!(Session::new().get(server.url("/")).limits(limits).send()).unwrap();
                let error = wait!(response.bytes()).unwrap_err();
                assert!(error.is_limit(), "{outer}: {error}");
            }
        }
    }

    /// L7: trailers, 16 KiB and 64 fields.
    fn l7_trailers() {
        let with = |trailers: String| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}\r\n");
        let sized = |bytes: usize| with(format!("A: {}\r\nB: {}\r\n", "x".repeat(8000), "x".repeat(bytes - 8012)));
        let counted = |count: usize| with("A: b\r\n".repeat(count));
        limit!(TrailerBytes, 16 * 1024, Limits::default(), sized);
        limit!(TrailerFields, 64, Limits::default(), counted);
        limit!(TrailerFields, 2, Limits::default().trailer_fields(2), counted);
        limit!(TrailerBytes, 10_000, Limits::default().trailer_bytes(10_000), sized);
    }

    /// L8: interim responses, 100.
    fn l8_interim_responses() {
        let reply = |count: usize| "HTTP/1.1 102 Processing\r\n\r\n".repeat(count) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        limit!(InterimResponses, 100, Limits::default(), reply);
        limit!(InterimResponses, 3, Limits::default().interim_responses(3), reply);
    }

    /// L9: redirects, 30.
    fn l9_redirects() {
        let server = Server::start(|request| {
            let hop: u32 = request.path()[1..].parse().unwrap();
            match hop {
                0 => Reply::ok("there"),
                hop => Reply::empty(302).header("Location", format!("/{}", hop - 1)),
            }
        });
        let session = Session::new();
        let response = wait!(session.get(server.url("/30")).send()).unwrap();
        assert_eq!((response.status_code(), response.history().len()), (200, 30));
        assert!(wait!(session.get(server.url("/31")).send()).unwrap_err().is_too_many_redirects());
    }
}
