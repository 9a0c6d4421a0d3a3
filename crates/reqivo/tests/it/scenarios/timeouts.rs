//! Time limits, one phase after the other. No test measures; each looks at which limit is named.

use std::time::Duration;

use reqivo::{Phase, PoolConfig, TimeLimit, Timeouts};
use testkit::{Blackhole, Gate, Reply, Script, Server};

use super::Session;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

scenarios! {
    fn connecting_is_limited() {
        let hole = Blackhole::open();
        for (timeouts, limit) in [
            (Timeouts::none().connect(SHORT).total(LONG), TimeLimit::Connect),
            (Timeouts::none().connect(LONG).total(SHORT), TimeLimit::Total),
            (Timeouts::from(SHORT), TimeLimit::Total),
        ] {
            let session = Session::builder().timeout(timeouts).build().unwrap();
            let error = wait!(session.get(hole.url("/")).send()).unwrap_err();
            assert!(error.is_timeout() && error.is_connect(), "{error}");
            assert_eq!((error.phase(), error.time_limit()), (Phase::Connect, Some(limit)));
            assert!(!error.may_have_been_processed());
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    fn the_handshake_is_limited() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::builder()
            .on_connect(move |_| Some(Script::new().wait(&held).close()))
            .start(|_| Reply::ok(""));
        let url = server.url("/").replace("http:", "https:");
        let tls = reqivo::TlsConfig::new().add_root_der(testkit::Authority::new().der()).only_added_roots();
        for (timeouts, limit) in [
            (Timeouts::none().connect(LONG).tls(SHORT), TimeLimit::Tls),
            (Timeouts::none().connect(SHORT), TimeLimit::Connect),
        ] {
            let session = Session::builder().tls(tls.clone()).timeout(timeouts).build().unwrap();
            let error = wait!(session.get(&url).send()).unwrap_err();
            assert_eq!((error.phase(), error.time_limit()), (Phase::Tls, Some(limit)), "{error}");
        }
        gate.open();
    }

    fn waiting_for_the_head_is_limited() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/none" => Script::from(Reply::ok("late").hold(&held)),
            _ => Script::from(Reply::ok("late").hold_head(&held)),
        });
        for (path, timeouts, limit) in [
            ("/none", Timeouts::none().first_byte(SHORT).read(LONG).total(LONG), TimeLimit::FirstByte),
            ("/none", Timeouts::none().read(SHORT).total(LONG), TimeLimit::Read),
            ("/none", Timeouts::none().read(LONG).total(SHORT), TimeLimit::Total),
            ("/half", Timeouts::none().first_byte(LONG).read(SHORT), TimeLimit::Read),
            ("/half", Timeouts::from(SHORT), TimeLimit::Total),
        ] {
            let session = Session::new();
            let error = wait!(session.get(server.url(path)).timeout(timeouts).send()).unwrap_err();
            assert_eq!((error.phase(), error.time_limit()), (Phase::Head, Some(limit)), "{path} {error}");
            assert!(error.is_timeout() && !error.is_connect() && error.may_have_been_processed());
            assert_eq!(session.pool_stats().open, 0);
        }
        gate.open();
    }

    fn reading_the_body_is_limited() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Reply::ok("0123456789").hold_body(5, &held));
        for (timeouts, limit) in [
            (Timeouts::none().read(SHORT).total(LONG), TimeLimit::Read),
            (Timeouts::none().read(LONG).total(SHORT), TimeLimit::Total),
        ] {
            let session = Session::new();
            let request = session.get(server.url("/")).timeout(timeouts);
            let mut response = wait!(request.send()).unwrap();
            let error = wait!(response.bytes()).unwrap_err();
            assert_eq!((error.phase(), error.time_limit()), (Phase::Body, Some(limit)), "{error}");
            assert_eq!(session.pool_stats().open, 0);
        }
        gate.open();
    }

    fn sending_is_limited() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::builder().raw(move |wire| {
            wire.shrink_receive_buffer(4096)?;
            wire.wait(&held)
        });
        let session = Session::new();
        let timeouts = Timeouts::none().write(SHORT).total(LONG);
        let request = session.post(server.url("/")).body(vec![b'x'; 30_000_000]).timeout(timeouts);
        let error = wait!(request.send()).unwrap_err();
        assert_eq!((error.phase(), error.time_limit()), (Phase::Write, Some(TimeLimit::Write)), "{error}");
        assert!(error.may_have_been_processed());
        gate.open();
    }

    fn a_server_that_dribbles_cannot_hold_a_call_beyond_the_total_limit() {
        let server = Server::raw(|wire| {
            wire.read_head()?;
            // Faster than it is read, so that there never is a pause.
            let many = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000);
            loop {
                std::io::Write::write_all(wire, &many)?;
            }
        });
        let limits = reqivo::Limits::default().head_bytes(usize::MAX).interim_responses(u32::MAX);
        let session = Session::new();
        let request = session.get(server.url("/")).limits(limits).timeout(Timeouts::none().read(LONG).total(SHORT));
        let error = wait!(request.send()).unwrap_err();
        assert_eq!(error.time_limit(), Some(TimeLimit::Total), "{error}");
    }

    fn waiting_for_a_place_in_the_pool_is_limited() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Reply::ok("0123456789").hold_body(5, &held));
        let session = Session::builder().pool(PoolConfig::default().per_origin(1)).build().unwrap();
        let mut first = wait!(session.get(server.url("/")).send()).unwrap();
        for (timeouts, limit) in [
            (Timeouts::none().pool(SHORT).total(LONG), TimeLimit::Pool),
            (Timeouts::none().total(SHORT), TimeLimit::Total),
        ] {
            let error = wait!(session.get(server.url("/")).timeout(timeouts).send()).unwrap_err();
            assert_eq!((error.phase(), error.time_limit()), (Phase::Pool, Some(limit)), "{error}");
            assert!(error.is_safe_to_retry() && session.pool_stats().waiting == 0);
        }
        gate.open();
        assert_eq!(wait!(first.text()).unwrap(), "0123456789");
        let mut second = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(second.text()).unwrap(), "0123456789");
        assert_eq!(server.connections().opened, 1);
    }

    fn the_total_limit_can_end_with_the_head() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Reply::ok("0123456789").hold_body(5, &held));
        let session = Session::new();
        let limited = Timeouts::none().total(SHORT);
        let mut response = wait!(session.get(server.url("/")).timeout(limited.clone()).send()).unwrap();
        assert!(wait!(response.bytes()).unwrap_err().is_timeout());
        let streaming = session.get(server.url("/")).timeout(limited.total_until_head());
        let mut response = wait!(streaming.send()).unwrap();
        let watch = session.get(server.url("/")).timeout(Timeouts::none().read(SHORT * 2));
        // By the end of this one the first limit is long past.
        let mut other = wait!(watch.send()).unwrap();
        assert!(wait!(other.bytes()).unwrap_err().is_timeout());
        gate.open();
        assert_eq!(wait!(response.text()).unwrap(), "0123456789");
    }

    fn the_total_limit_covers_redirects() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/end" => Reply::ok("late").hold(&held),
            _ => Reply::empty(302).header("Location", "/end"),
        });
        let timeouts = Timeouts::none().total(SHORT);
        let error = wait!(Session::new().get(server.url("/")).timeout(timeouts).send()).unwrap_err();
        assert_eq!(error.time_limit(), Some(TimeLimit::Total));
        assert_eq!(error.url().unwrap().path(), "/end");
        gate.open();
    }
}
