//! What holds for async code, as far as both faces can show it; see also `cancellation.rs` and `pooling.rs`.

use reqivo::{PoolConfig, Session as AsyncSession};
use testkit::{Gate, Reply, Server};

use super::super::{ConnectionPool, Session};

scenarios! {
    /// A2: a dropped body gives its connection back when the small rest of it is there, and closes it otherwise.
    fn a2_dropping_a_body_is_as_good_as_closing() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/small" => Reply::ok("small"),
            "/held" => Reply::ok("0123456789").hold_body(5, &held),
            _ => Reply::ok(vec![b'x'; 3_000_000]),
        });
        let session = Session::builder().pool(PoolConfig::default().per_origin(1)).build().unwrap();
        for (path, kept) in [("/small", 1), ("/large", 0), ("/held", 0), ("/small", 1)] {
            drop(wait!(session.get(server.url(path)).send()).unwrap());
            let stats = session.pool_stats();
            assert_eq!((stats.in_use, stats.open), (0, kept), "{path} {stats:?}");
        }
        gate.open();
    }

    /// A5: many callers share the pool, no more connections are opened than permitted, and each call is served once.
    fn a5_many_callers_share_the_pool() {
        let server = Server::start(|request| Reply::ok(request.path().to_owned()));
        let session = Session::builder().pool(PoolConfig::default().per_origin(8)).build().unwrap();
        let mut callers = Vec::new();
        for caller in 0..64 {
            let (session, base) = (session.clone(), server.url(""));
            callers.push(beside!({
                for call in 0..10 {
                    let path = format!("/{caller}/{call}");
                    let mut response = wait!(session.get(format!("{base}{path}")).send()).unwrap();
                    assert_eq!(wait!(response.text()).unwrap(), path);
                }
            }));
        }
        for caller in callers {
            join!(caller).unwrap();
        }
        let stats = session.pool_stats();
        assert_eq!((stats.in_use, stats.waiting, stats.created + stats.reused), (0, 0, 640), "{stats:?}");
        assert!(server.connections().opened <= 8 && stats.created <= 8, "{stats:?}");
        assert_eq!(server.requests().len(), 640);
    }

    /// A6, P12: a session that other runtimes use too, in turn and at once, serves each of them; none waits for another's connection.
    fn a6_one_session_serves_several_runtimes() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/held" => Reply::ok("0123456789").hold_body(5, &held),
            _ => Reply::ok("x"),
        });
        let pool = ConnectionPool::new(PoolConfig::default().per_origin(3)).unwrap();
        let inner = AsyncSession::builder().connection_pool(&pool).build().unwrap();
        let session = Session::builder().connection_pool(&pool).build().unwrap();
        let elsewhere = |path: &str| {
            let (session, url) = (inner.clone(), server.url(path));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    session.get(url).send().await.unwrap().text().await.unwrap()
                })
            })
        };
        for _ in 0..3 {
            let mut response = wait!(session.get(server.url("/x")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "x");
            assert_eq!(elsewhere("/x").join().unwrap(), "x");
        }
        // At once: another one is in the middle of its body.
        let other = elsewhere("/held");
        gate.wait_for_arrival(1);
        let mut response = wait!(session.get(server.url("/x")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "x");
        gate.open();
        assert_eq!(other.join().unwrap(), "0123456789");
        let stats = session.pool_stats();
        assert!(stats.in_use == 0 && stats.open <= 3, "{stats:?}");
    }
}
