//! Reading is linear in the size of what is read, however it arrives. Bytes that are looked at are counted, not time.

use super::*;

fn generous() -> Setup {
    Setup {
        limits: Limits::default()
            .head_bytes(usize::MAX)
            .line_bytes(usize::MAX)
            .fields(usize::MAX)
            .trailer_bytes(usize::MAX)
            .trailer_fields(usize::MAX)
            .chunk_extension_bytes(usize::MAX)
            .interim_responses(u32::MAX),
        tolerance: Tolerance::default().join_folded_lines(),
        ..Setup::default()
    }
}

fn chunked(rest: String) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}")
}

#[test]
fn the_work_is_linear_however_a_reply_arrives() {
    let head = |fields: String| format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n");
    let shapes: [(&str, &dyn Fn(usize) -> String); 9] = [
        ("a long line", &|n| {
            head(format!("A: {}\r\n", "x".repeat(n)))
        }),
        ("many fields", &|n| head("A: b\r\n".repeat(n / 6))),
        ("many folds", &|n| {
            head(format!("A: b\r\n{}", " c\r\n".repeat(n / 4)))
        }),
        ("folds of nothing", &|n| {
            head(format!("A: b\r\n{}", " \n".repeat(n / 2)))
        }),
        ("a long reason", &|n| {
            format!(
                "HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n",
                "x".repeat(n)
            )
        }),
        ("many interim replies", &|n| {
            "HTTP/1.1 102 P\r\n\r\n".repeat(n / 18) + &head(String::new())
        }),
        ("small chunks", &|n| {
            chunked("1\r\nx\r\n".repeat(n / 6) + "0\r\n\r\n")
        }),
        ("a long extension", &|n| {
            chunked(format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(n)))
        }),
        ("many trailers", &|n| {
            chunked(format!("0\r\n{}\r\n", "A: b\r\n".repeat(n / 6)))
        }),
    ];
    let setup = generous();
    for (name, shape) in shapes {
        for step in [1, 2, 7, 100, 8192, usize::MAX] {
            let work = |size: usize| {
                let reply = shape(size);
                WORK.set(0);
                let outcome = run(reply.as_bytes().chunks(step), &setup);
                assert!(outcome.result.is_ok(), "{name}: {:?}", outcome.result);
                (WORK.get(), reply.len() as u64)
            };
            for size in [10_000, 40_000, 160_000] {
                let (work, length) = work(size);
                // Each byte is looked at when it is searched for line ends, joined and parsed.
                assert!(
                    work <= 5 * length,
                    "{name} in steps of {step}: {work} for {length} bytes"
                );
            }
        }
    }
}

#[test]
fn what_is_held_back_is_bounded_by_the_limits() {
    let endless = |start: &str, more: &str| {
        let mut decoder = Decoder::new(&Method::GET, &Limits::default(), &Tolerance::default());
        let mut input = BytesMut::from(start);
        let mut most = 0;
        for _ in 0..1_000_000 {
            loop {
                match decoder.decode(&mut input) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        assert!(
                            matches!(error.violation(), Violation::Limit { .. }),
                            "{error}"
                        );
                        return most;
                    }
                }
            }
            most = most.max(input.len());
            input.extend_from_slice(more.as_bytes());
        }
        panic!("{start:?} and {more:?} are never refused");
    };
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let field = "A: 4567890123456789012345678901234567890\r\n";
    for (start, more, limit) in [
        (head, "x", 16 * 1024 + 17),
        ("HTTP/1.1 200 ", "x", 16 * 1024),
        (head, field, 64 * 1024),
        (head, "A: b\r\n", 64 * 1024),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", 64 * 1024),
        (chunked, "1;x\r\nx\r\n", 100),
        (&format!("{chunked}1;"), "x", 100),
        (&format!("{chunked}0\r\n"), "A: b\r\n", 16 * 1024),
        (&format!("{chunked}0\r\nA: "), "x", 16 * 1024),
    ] {
        let most = endless(start, more);
        assert!(most <= limit, "{start:?} and {more:?}: {most} bytes");
    }
}
