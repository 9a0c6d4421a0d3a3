//! What a request costs in allocations.

use reqivo::Session;
use testkit::{Reply, Server, Watchdog};

/// The most allocations of one request on a kept connection, from the URL as text to the body as bytes.
const MOST: u64 = 12;

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
    assert!(size <= 4096, "{size} bytes");
}
