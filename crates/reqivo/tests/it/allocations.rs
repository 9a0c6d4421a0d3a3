//! What a request costs in allocations.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqivo::{Body, Session};
use testkit::{Reply, Server, Watchdog};

/// The most allocations of one request on a kept connection, from the URL as text to the body as bytes.
const MOST: u64 = 6;

#[test]
fn a_request_on_a_kept_connection_allocates_little_on_both_faces() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| {
        Reply::ok(vec![b'x'; 1024])
            .header("Content-Type", "text/plain")
            .header("Date", "Sat, 21 Nov 2026 12:00:00 GMT")
            .header("Server", "test")
    });
    let url = server.url("/path?query=1");
    let session = Session::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let once = || {
        runtime.block_on(async {
            session
                .get(&url)
                .send()
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap()
                .len()
        })
    };
    for _ in 0..10 {
        once();
    }
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert_eq!(once(), 1024);
        }
    });
    println!(
        "async: {} allocations per request",
        counted.count_total / 100
    );
    assert!(counted.count_total <= MOST * 100, "{counted:?}");

    let session = reqivo::blocking::Session::new();
    let once = || session.get(&url).send().unwrap().bytes().unwrap().len();
    for _ in 0..10 {
        once();
    }
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert_eq!(once(), 1024);
        }
    });
    println!(
        "blocking: {} allocations per request",
        counted.count_total / 100
    );
    assert!(counted.count_total <= MOST * 100, "{counted:?}");
}

#[test]
fn futures_of_requests_stay_small() {
    let session = Session::new();
    let send = session.get("http://127.0.0.1/").send();
    let size = size_of_val(&send);
    assert!(size <= 2048, "{size} bytes");
}

/// Pieces of a body that know how many of them exist.
struct Piece(Vec<u8>, Arc<Live>);

#[derive(Default)]
struct Live {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Live {
    fn piece(self: &Arc<Self>, size: usize) -> bytes::Bytes {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        bytes::Bytes::from_owner(Piece(vec![b'x'; size], Arc::clone(self)))
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// D4: 64 MiB to a server that reads slowly are never in memory at once.
#[test]
fn d4_an_upload_holds_a_few_pieces_whatever_its_length() {
    const SIZE: usize = 64 * 1024 * 1024;
    let _watchdog = Watchdog::start();
    let server = Server::raw(|wire| {
        wire.shrink_receive_buffer(64 * 1024)?;
        wire.read_head()?;
        let mut buffer = vec![0; 16 * 1024];
        let mut left = SIZE;
        while left > 0 {
            left -= std::io::Read::read(wire, &mut buffer)?.min(left);
            std::thread::yield_now();
        }
        std::io::Write::write_all(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    });
    for size in [1000, 8192, 100_000] {
        let count = SIZE.div_ceil(size);
        let pieces = |live: &Arc<Live>| {
            let live = Arc::clone(live);
            let mut left = SIZE;
            std::iter::repeat_with(move || {
                let next = live.piece(size.min(left));
                left -= next.len();
                next
            })
            .take(count)
        };
        // A stream is polled here, so what is allocated is counted; an iterator is asked on another thread.
        for threaded in [false, true] {
            let live = Arc::new(Live::default());
            let body = match threaded {
                false => Body::stream(futures_util::stream::iter(pieces(&live))),
                true if size < 8192 => continue,
                true => Body::iter(pieces(&live)),
            };
            let request = reqivo::blocking::Session::new()
                .put(server.url("/"))
                .timeout(reqivo::Timeouts::none())
                .body(body.with_length(SIZE as u64));
            let counted = allocation_counter::measure(|| {
                assert_eq!(request.send().unwrap().status(), 200);
            });
            assert!(
                counted.bytes_max < 1_000_000,
                "{size} {threaded}: {counted:?}"
            );
            let most = live.most.load(Ordering::Relaxed);
            assert!(most <= 6, "{size} {threaded}: {most} pieces");
        }
    }
}
