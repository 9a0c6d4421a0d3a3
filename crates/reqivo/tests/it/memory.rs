//! What a hostile server can make the client hold: the limit and what one read may bring.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqivo::{Error, Session};
use testkit::{Server, Watchdog};

/// The largest read.
const READ: u64 = 128 * 1024;
/// What a session, a connection and a request take by themselves.
const OWN: u64 = 64 * 1024;

/// How much memory the client takes at most while a server sends `start` and then `more` for as long as it can.
fn most(start: &'static [u8], more: &'static [u8]) -> (u64, Result<u64, Error>) {
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let server = Server::raw(move |wire| {
        wire.read_head()?;
        wire.write_all(start)?;
        let block = more.repeat(64 * 1024 / more.len() + 1);
        for _ in 0..512 {
            if stop.load(Ordering::Relaxed) || wire.write_all(&block).is_err() {
                break;
            }
        }
        Ok(())
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let session = Session::new();
    let url = server.url("/");
    let mut result = Ok(0);
    let counted = allocation_counter::measure(|| {
        result = runtime.block_on(async {
            let mut response = session.get(&url).send().await?;
            let mut count = 0;
            while let Some(piece) = response.chunk().await? {
                count += piece.len() as u64;
            }
            Ok(count)
        });
    });
    done.store(true, Ordering::Relaxed);
    (counted.bytes_max, result)
}

#[test]
fn endless_replies_cost_no_more_than_their_limit_and_one_read() {
    let _watchdog = Watchdog::start();
    let head = b"HTTP/1.1 200 OK\r\n";
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let trailers = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let extension = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;";
    let line =
        b"A: 45678901234567890123456789012345678901234567890123456789012345678901234567890\r\n";
    for (name, start, more, limit) in [
        ("a line", &head[..], &b"x"[..], 16 * 1024),
        ("a head", head, b"A: b\r\n", 64 * 1024),
        ("a head of long lines", head, line, 64 * 1024),
        (
            "interim replies",
            b"",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            64 * 1024,
        ),
        ("a trailer section", trailers, b"A: b\r\n", 16 * 1024),
        ("an extension", extension, b"x", 16 * 1024),
        ("extensions", chunked, b"1;xxxxxxxx\r\nx\r\n", 16 * 1024),
    ] {
        let (most, result) = most(start, more);
        assert!(
            result.as_ref().is_err_and(Error::is_limit),
            "{name}: {result:?}"
        );
        assert!(most <= limit + READ + OWN, "{name}: {most} bytes");
    }
}

#[test]
fn a_streamed_body_costs_a_few_reads_whatever_its_size() {
    let _watchdog = Watchdog::start();
    for (name, start, more) in [
        ("until close", &b"HTTP/1.1 200 OK\r\n\r\n"[..], &b"x"[..]),
        (
            "chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"5\r\nhello\r\n",
        ),
    ] {
        let (most, result) = most(start, more);
        assert!(result.is_ok() || name == "chunks", "{name}: {result:?}");
        assert!(most <= 3 * READ + OWN, "{name}: {most} bytes");
    }
}
