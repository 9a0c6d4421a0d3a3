//! The pool in the hands of the user.

use std::time::Duration;

use reqivo::{PoolConfig, Timeouts};
use testkit::{Authority, Reply, Server};

use super::super::{ConnectionPool, Session};

scenarios! {
    /// P2, P3, P6: get takes the newest idle connection, put and drop give it back.
    fn p3_connections_go_back_by_put_and_by_drop() {
        let server = Server::start(|_| Reply::ok("x"));
        let pool = ConnectionPool::new(PoolConfig::default()).unwrap();
        let connection = wait!(pool.get(server.url("/"))).unwrap();
        assert_eq!((pool.stats().open, pool.stats().in_use), (1, 1));
        wait!(connection.get("/").send()).unwrap();
        assert_eq!((pool.stats().in_use, pool.stats().idle), (1, 0));
        pool.put(connection);
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1));
        let connection = wait!(pool.get(server.url("/"))).unwrap();
        wait!(connection.get("/").send()).unwrap();
        drop(connection);
        let stats = pool.stats();
        assert_eq!((stats.created, stats.reused, stats.idle), (1, 1, 1));
        assert_eq!(server.connections().opened, 1);
        assert!(stats.bytes_sent > 0 && stats.bytes_received > 0, "{stats:?}");
    }

    /// P4: discard closes and frees the place; release closes those of one origin; close_all the rest.
    fn p4_discard_release_and_close_all() {
        let (one, two) = (Server::start(|_| Reply::ok("x")), Server::start(|_| Reply::ok("x")));
        let pool = ConnectionPool::new(PoolConfig::default()).unwrap();
        pool.discard(wait!(pool.get(one.url("/"))).unwrap());
        one.wait_until(|view| view.connections.closed == 1);
        assert_eq!((pool.stats().open, pool.stats().closed_after_use), (0, 1));
        let held = [wait!(pool.get(one.url("/"))).unwrap(), wait!(pool.get(one.url("/"))).unwrap(), wait!(pool.get(two.url("/"))).unwrap()];
        assert_eq!(pool.stats().in_use, 3);
        assert_eq!(pool.release(one.url("/")).unwrap(), 0);
        for connection in held {
            pool.put(connection);
        }
        assert_eq!(pool.stats().idle, 3);
        assert_eq!(pool.release(one.url("/whatever")).unwrap(), 2);
        one.wait_until(|view| view.connections.closed == 3);
        assert_eq!((pool.stats().open, two.connections().closed), (1, 0));
        assert_eq!(pool.close_all(), 1);
        two.wait_until(|view| view.connections.closed == 1);
        assert_eq!(pool.stats().open, 0);
        // Still of use.
        drop(wait!(pool.get(one.url("/"))).unwrap());
        assert_eq!(pool.stats().idle, 1);
    }

    /// P1: as many as may be open; a further one waits, for at most its time.
    fn p1_get_waits_for_a_place_within_the_pool_limit() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::builder()
            .pool(PoolConfig::default().per_origin(1))
            .timeout(Timeouts::none().pool(Duration::from_millis(20)))
            .build()
            .unwrap();
        let pool = session.connection_pool();
        let held = wait!(pool.get(server.url("/"))).unwrap();
        let error = wait!(pool.get(server.url("/"))).unwrap_err();
        assert!(error.is_pool_timeout() && error.is_timeout(), "{error}");
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert!(error.is_pool_timeout(), "{error}");
        drop(held);
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(pool.stats(), session.pool_stats());
        assert_eq!((pool.stats().waiting, pool.stats().open), (0, 1));
    }

    /// P3: a response that is still being read keeps the place until its end, whoever holds the connection.
    fn p3_the_place_is_kept_until_the_response_ends() {
        let server = Server::start(|_| Reply::ok(vec![b'x'; 200_000]));
        let pool = ConnectionPool::new(PoolConfig::default()).unwrap();
        let connection = wait!(pool.get(server.url("/"))).unwrap();
        let mut response = wait!(connection.get("/").send()).unwrap();
        pool.put(connection);
        assert_eq!(pool.stats().in_use, 1);
        assert_eq!(wait!(response.bytes()).unwrap().len(), 200_000);
        assert_eq!((pool.stats().in_use, pool.stats().idle), (0, 1));
        let connection = wait!(pool.get(server.url("/"))).unwrap();
        let mut response = wait!(connection.get("/").send()).unwrap();
        pool.discard(connection);
        assert_eq!(wait!(response.bytes()).unwrap().len(), 200_000);
        assert_eq!(pool.stats().open, 0);
        server.wait_until_idle();
    }

    /// P3: a connection that the server closed meanwhile is not kept for others, and not handed out.
    fn p3_what_is_unusable_is_not_handed_out() {
        let server = Server::start(|_| Reply::ok("x"));
        let pool = ConnectionPool::new(PoolConfig::default()).unwrap();
        drop(wait!(pool.get(server.url("/"))).unwrap());
        server.wait_until(|view| view.connections.opened == 1);
        server.cut_connections();
        server.wait_until_idle();
        let connection = wait!(pool.get(server.url("/"))).unwrap();
        assert!(connection.is_usable());
        wait!(connection.get("/").send()).unwrap();
        assert_eq!((pool.stats().created, pool.stats().closed_dead), (2, 1));
    }

    /// P7: sessions that share a pool share connections, but never across different TLS settings.
    fn p7_a_shared_pool_keeps_tls_settings_apart() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good()).start(|_| Reply::ok("x"));
        let plain = Server::start(|_| Reply::ok("x"));
        let pool = ConnectionPool::new(PoolConfig::default()).unwrap();
        let tls = reqivo::TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let trusting = Session::builder().connection_pool(&pool).tls(tls).build().unwrap();
        let strict = Session::builder().connection_pool(&pool).build().unwrap();
        wait!(trusting.get(server.url("/")).send()).unwrap();
        assert_eq!(pool.stats().idle, 1);
        let error = wait!(strict.get(server.url("/")).send()).unwrap_err();
        assert!(error.is_tls(), "a connection of other settings was used: {error}");
        assert!(wait!(pool.get(server.url("/"))).unwrap_err().is_tls());
        wait!(trusting.get(server.url("/")).send()).unwrap();
        wait!(trusting.get(plain.url("/")).send()).unwrap();
        wait!(strict.get(plain.url("/")).send()).unwrap();
        let stats = pool.stats();
        assert_eq!((stats.created, stats.reused), (2, 2), "{stats:?}");
    }
}
