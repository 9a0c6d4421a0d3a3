//! The pool: limits, order, expiry, accounts.

use std::sync::Arc;
use std::time::Duration;

use reqivo::{ErrorKind, PoolConfig, Timeouts, TlsConfig};
use testkit::{Authority, Gate, Reply, Server, refused_addr};

use super::super::{ConnectionPool, Session};

fn session(pool: PoolConfig) -> Session {
    Session::builder().pool(pool).build().unwrap()
}

/// Answers `/held` and what is below it after half the body, when the gate of its number opens.
fn holding(gates: &[Gate]) -> Server {
    let gates = gates.to_vec();
    Server::start(move |request| match request.path().strip_prefix("/held") {
        Some(number) => Reply::ok("0123456789").hold_body(5, &gates[number.parse().unwrap_or(0)]),
        None => Reply::ok(request.path().to_owned()),
    })
}

macro_rules! get {
    ($session:expr, $url:expr) => {{
        let mut response = wait!($session.get($url).send()).unwrap();
        wait!(response.text()).unwrap()
    }};
}

scenarios! {
    /// P1: so many are in use at once, and who comes first is served first.
    fn p1_waiters_are_served_in_the_order_of_their_arrival() {
        let gate = Gate::new();
        let server = holding(std::slice::from_ref(&gate));
        let session = session(PoolConfig::default().per_origin(1));
        let mut holder = wait!(session.get(server.url("/held")).send()).unwrap();
        let mut waiting = Vec::new();
        for number in 0..8 {
            let (shared, url) = (session.clone(), server.url(&format!("/{number}")));
            waiting.push(beside!(get!(shared, url)));
            until!(session.pool_stats().waiting > number);
        }
        assert_eq!((session.pool_stats().in_use, server.connections().opened), (1, 1));
        gate.open();
        assert_eq!(wait!(holder.text()).unwrap(), "0123456789");
        for (number, one) in waiting.into_iter().enumerate() {
            assert_eq!(join!(one).unwrap(), format!("/{number}"));
        }
        let order: Vec<String> = server.requests().into_iter().map(|it| it.target).collect();
        assert_eq!(order[1..], ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"]);
        assert_eq!(server.connections().opened, 1);
    }

    /// P1, P5: a wait that ended without its turn leaves the queue, and those behind it move up.
    fn p1_who_gave_up_is_not_in_the_way() {
        let gate = Gate::new();
        let server = holding(std::slice::from_ref(&gate));
        let session = session(PoolConfig::default().per_origin(1));
        let mut holder = wait!(session.get(server.url("/held")).send()).unwrap();
        let limit = Timeouts::none().pool(Duration::from_millis(20));
        let error = wait!(session.get(server.url("/given-up")).timeout(limit).send()).unwrap_err();
        assert!(error.is_timeout() && !error.may_have_been_processed(), "{error}");
        assert_eq!(session.pool_stats().waiting, 0);
        let (shared, url) = (session.clone(), server.url("/next"));
        let next = beside!(get!(shared, url));
        until!(session.pool_stats().waiting == 1);
        gate.open();
        wait!(holder.bytes()).unwrap();
        assert_eq!(join!(next).unwrap(), "/next");
    }

    /// P2: the newest idle connection is used first. P3: where there are too many, the oldest is closed.
    fn p2_p3_newest_first_and_the_oldest_is_closed() {
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        let server = holding(&gates);
        let session = session(PoolConfig::default().idle_per_origin(2));
        let mut open = Vec::new();
        for number in 0..3 {
            open.push(wait!(session.get(server.url(&format!("/held{number}"))).send()).unwrap());
        }
        // They come back in the order 2, 0, 1.
        for number in [2, 0, 1] {
            gates[number].open();
            wait!(open[number].bytes()).unwrap();
        }
        let stats = session.pool_stats();
        assert_eq!((stats.idle, stats.open, stats.closed_surplus), (2, 2, 1));
        server.wait_until(|view| view.records[2].end.is_some());
        get!(session, server.url("/x"));
        assert_eq!(server.requests().last().unwrap().connection, 1);
    }

    /// P2, P10: all that are past their time are closed, of every origin, whoever is asked for.
    fn p10_expired_connections_of_all_origins_are_closed() {
        let (a, b) = (Server::start(|_| Reply::ok("a")), Server::start(|_| Reply::ok("b")));
        let session = session(PoolConfig::default().idle_time(Duration::from_millis(20)));
        get!(session, a.url("/"));
        get!(session, b.url("/"));
        // By a sweep, by the reaper, or by an expired one that is met: they go.
        until!({ session.close_expired(); session.pool_stats().open == 0 });
        a.wait_until_idle();
        b.wait_until_idle();
        let stats = session.pool_stats();
        assert_eq!((stats.closed_expired, stats.idle), (2, 0), "{stats:?}");
        assert_eq!(get!(session, a.url("/")), "a");
    }

    /// P4, P5: a failed connect frees the place, as often as it happens.
    fn p4_a_failed_connect_frees_the_place() {
        let session = session(PoolConfig::default().per_origin(1).total(1));
        let url = format!("http://{}/", refused_addr());
        for _ in 0..5 {
            let error = wait!(session.get(&url).send()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
            let stats = session.pool_stats();
            assert_eq!((stats.open, stats.in_use, stats.created), (0, 0, 0), "{stats:?}");
        }
        let server = Server::start(|_| Reply::ok("x"));
        assert_eq!(get!(session, server.url("/")), "x");
    }

    /// P5: a slot is freed exactly once, whether a call succeeds, fails, is dropped or panics.
    fn p5_every_path_frees_the_slot() {
        let server = Server::builder().tolerate_malformed().start(|request| match request.path() {
            "/malformed" => Reply::raw("HTTP/1.1 20 no\r\n\r\n"),
            "/cut" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort").close(),
            "/large" => Reply::ok(vec![b'x'; 300_000]),
            "/hint" => Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            _ => Reply::ok("x"),
        });
        let session = session(PoolConfig::default().per_origin(1));
        for _ in 0..3 {
            assert!(wait!(session.get(server.url("/malformed")).send()).is_err());
            assert_eq!(session.pool_stats().open, 0);
            let mut response = wait!(session.get(server.url("/cut")).send()).unwrap();
            assert!(wait!(response.bytes()).is_err());
            assert_eq!(session.pool_stats().open, 0);
            let mut response = wait!(session.get(server.url("/large")).send()).unwrap();
            assert!(wait!(response.chunk()).unwrap().is_some());
            drop(response);
            assert_eq!(session.pool_stats().in_use, 0);
            let (shared, url) = (session.clone(), server.url("/hint"));
            let panics = beside!({
                let request = shared.get(url).on_interim(|_| panic!("on purpose"));
                wait!(request.send()).map(drop)
            });
            assert!(join!(panics).is_err());
            until!(session.pool_stats().in_use == 0);
            assert_eq!(get!(session, server.url("/x")), "x");
            let stats = session.pool_stats();
            assert_eq!((stats.open, stats.idle, stats.waiting), (1, 1, 0), "{stats:?}");
        }
    }

    /// P7: TLS settings, the network's settings and the Unix path keep connections of one pool apart; clones of settings share.
    fn p7_settings_are_members_of_the_key() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good()).start(|_| Reply::ok("x"));
        let pool = ConnectionPool::new(PoolConfig::default()).unwrap();
        let tls = TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let with = |tls: &TlsConfig| Session::builder().connection_pool(&pool).tls(tls.clone());
        let one = with(&tls).build().unwrap();
        let same = with(&tls).build().unwrap();
        let insecure = with(&TlsConfig::new().dangerous_accept_invalid_certs()).build().unwrap();
        let other_tls = with(&tls.clone().without_sni()).build().unwrap();
        let local = reqivo::ConnectConfig::new().attempt_delay(Duration::from_millis(100));
        let other_network = with(&tls).connect(local).build().unwrap();
        let resolved = with(&tls).resolve("other.example", [server.addr().ip()]).build().unwrap();
        for (session, opened) in [
            (&one, 1), (&same, 1), (&insecure, 2), (&other_tls, 3), (&other_network, 4), (&resolved, 5),
            (&one, 5), (&insecure, 5), (&resolved, 5),
        ] {
            get!(session, server.url("/"));
            assert_eq!(server.connections().opened, opened);
        }
        // Who does not trust the server gets no connection of one who does.
        let strict = Session::builder().connection_pool(&pool).build().unwrap();
        assert!(wait!(strict.get(server.url("/")).send()).unwrap_err().is_tls());
    }

    /// P8: the limits of all origins together: open ones, and idle ones.
    fn p8_limits_for_all_origins() {
        let (a, b) = (Server::start(|_| Reply::ok("a")), Server::start(|_| Reply::ok("b")));
        let total = session(PoolConfig::default().total(1));
        for _ in 0..2 {
            assert_eq!(get!(total, a.url("/")), "a");
            assert_eq!(get!(total, b.url("/")), "b");
            assert_eq!(total.pool_stats().open, 1);
        }
        assert_eq!(total.pool_stats().closed_surplus, 3);
        let idle = session(PoolConfig::default().idle_total(1));
        get!(idle, a.url("/"));
        get!(idle, b.url("/"));
        assert_eq!((idle.pool_stats().open, idle.pool_stats().created), (1, 2));
        for config in [PoolConfig::default().per_origin(0), PoolConfig::default().total(0)] {
            assert!(Session::builder().pool(config).build().unwrap_err().is_builder());
        }
        let none = session(PoolConfig::default().idle_per_origin(0));
        get!(none, a.url("/"));
        assert_eq!(none.pool_stats().open, 0);
    }

    /// P8: who waits for the total limit is served in the order of arrival too, across origins.
    fn p8_the_total_limit_is_fair_across_origins() {
        let gate = Gate::new();
        let (a, b) = (holding(std::slice::from_ref(&gate)), Server::start(|_| Reply::ok("b")));
        let session = session(PoolConfig::default().total(1));
        let mut holder = wait!(session.get(a.url("/held")).send()).unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for (number, url) in [b.url("/1"), a.url("/2"), b.url("/3")].into_iter().enumerate() {
            let (shared, order) = (session.clone(), Arc::clone(&order));
            waiting.push(beside!({
                get!(shared, &url);
                order.lock().unwrap().push(number);
            }));
            until!(session.pool_stats().waiting > number);
        }
        gate.open();
        wait!(holder.bytes()).unwrap();
        for one in waiting {
            join!(one).unwrap();
        }
        let targets = |server: &Server| server.requests().into_iter().map(|it| it.target).collect::<Vec<_>>();
        assert_eq!((targets(&a), targets(&b)), (vec!["/held".to_owned(), "/2".into()], vec!["/1".to_owned(), "/3".into()]));
        assert_eq!(session.pool_stats().open, 1);
    }

    /// P8: a connection is used no longer than its age and the server's "Keep-Alive: timeout=n" less a second allow.
    fn p8_age_and_keep_alive() {
        let server = Server::start(|request| match request.path() {
            "/two" => Reply::ok("x").header("Keep-Alive", "timeout=2"),
            "/one" => Reply::ok("x").header("Keep-Alive", "max=5, timeout=1"),
            "/odd" => Reply::ok("x").header("Keep-Alive", "timeout=x, max"),
            _ => Reply::ok("x"),
        });
        let session = session(PoolConfig::default());
        for (path, kept) in [("/two", 1), ("/odd", 1), ("/", 1), ("/one", 0)] {
            get!(session, server.url(path));
            assert_eq!(session.pool_stats().idle, kept, "{path}");
        }
        assert_eq!(server.connections().opened, 1);
        let aged = Session::builder().pool(PoolConfig::default().max_age(Duration::from_nanos(1))).build().unwrap();
        get!(aged, server.url("/"));
        assert_eq!(aged.pool_stats().open, 0);
    }

    /// P11: the accounts agree with what happened, reason by reason.
    fn p11_statistics_by_reason() {
        let gate = Gate::new();
        let server = holding(std::slice::from_ref(&gate));
        let session = session(PoolConfig::default().idle_per_origin(1));
        let mut one = wait!(session.get(server.url("/held")).send()).unwrap();
        let stats = session.pool_stats();
        assert_eq!((stats.open, stats.in_use, stats.idle, stats.created, stats.reused), (1, 1, 0, 1, 0));
        get!(session, server.url("/x"));
        get!(session, server.url("/x"));
        let stats = session.pool_stats();
        assert_eq!((stats.open, stats.in_use, stats.idle, stats.created, stats.reused), (2, 1, 1, 2, 1));
        gate.open();
        wait!(one.bytes()).unwrap();
        assert_eq!((session.pool_stats().idle, session.pool_stats().closed_surplus), (1, 1));
        server.cut_connections();
        server.wait_until_idle();
        get!(session, server.url("/x"));
        assert_eq!((session.pool_stats().closed_dead, session.pool_stats().created), (1, 3));
        wait!(session.get(server.url("/x")).header("Connection", "close").send()).unwrap();
        let stats = session.pool_stats();
        assert_eq!((stats.closed_after_use, stats.open, stats.reused), (1, 0, 2), "{stats:?}");
        let closed = stats.closed_surplus + stats.closed_dead + stats.closed_after_use + stats.closed_expired;
        assert_eq!(closed, stats.created);
    }
}
