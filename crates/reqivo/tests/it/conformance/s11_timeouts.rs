//! Time limits, one phase after the other. No test measures; each looks at which limit is named.

use std::time::Duration;

use reqivo::{Phase, PoolConfig, TimeLimit, Timeouts};
use testkit::{Blackhole, Gate, Reply, Script, Server};

use super::super::Session;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

scenarios! {
    /// T1, T3: connect limits setting a connection up, and total limits it too; the error names limit and phase.
    fn t1_connecting_is_limited() {
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

    /// T1: TLS counts for connect, and may have a limit of its own.
    fn t1_the_handshake_is_limited() {
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

    /// T1, T3: read limits each wait for the head, and total the sum.
    fn t1_waiting_for_the_head_is_limited() {
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

    /// T1, T6: read limits each wait for the body; the connection is closed, and its place is free.
    fn t1_t6_reading_the_body_is_limited() {
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

    /// T5: write limits each wait until more can be sent.
    fn t5_sending_is_limited() {
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

    /// T2: a server that always sends something does not hold a call beyond the total limit.
    fn t2_a_server_that_dribbles_cannot_hold_a_call_beyond_the_total_limit() {
        let server = Server::raw(|wire| {
            wire.read_head()?;
            // Faster than it is read, so that there never is a pause.
            let filler = "x".repeat(8000);
            let many = format!("HTTP/1.1 100 Continue\r\nFiller: {filler}\r\n\r\n").repeat(32);
            loop {
                std::io::Write::write_all(wire, many.as_bytes())?;
            }
        });
        let limits = reqivo::Limits::default().head_bytes(usize::MAX).interim_responses(u32::MAX);
        let session = Session::new();
        let request = session.get(server.url("/")).limits(limits).timeout(Timeouts::none().read(LONG).total(SHORT));
        let error = wait!(request.send()).unwrap_err();
        assert_eq!(error.time_limit(), Some(TimeLimit::Total), "{error}");
    }

    /// T5, P1: pool limits the wait for a place in the pool, and so does total.
    fn t5_p1_waiting_for_a_place_in_the_pool_is_limited() {
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

    /// T2: total covers the body; for streams that is optional.
    fn t2_the_total_limit_can_end_with_the_head() {
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

    /// T2: total covers all hops.
    fn t2_the_total_limit_covers_redirects() {
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

    /// T2: neither does one that dribbles a head or a body, one byte within each read limit.
    fn t2_a_dribbled_head_and_body_end_at_the_total_limit() {
        for (body, phase) in [(false, Phase::Head), (true, Phase::Body)] {
            let server = Server::raw(move |wire| {
                wire.read_head()?;
                let start: &[u8] = match body {
                    true => b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
                    false => b"HTTP/1.1 200 OK\r\nX: ",
                };
                std::io::Write::write_all(wire, start)?;
                loop {
                    std::thread::park_timeout(SHORT / 20);
                    std::io::Write::write_all(wire, b"x")?;
                }
            });
            let session = Session::new();
            let timeouts = Timeouts::none().read(LONG).total(SHORT);
            let call = session.get(server.url("/")).timeout(timeouts);
            let error = match wait!(call.send()) {
                Ok(mut response) => wait!(response.bytes()).unwrap_err(),
                Err(error) => error,
            };
            assert_eq!((error.phase(), error.time_limit()), (phase, Some(TimeLimit::Total)), "{error}");
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    /// T2: total is one deadline, also for the repeat of a request.
    fn t2_the_total_limit_covers_repeats() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::builder().connections([
            vec![Script::from(Reply::ok("kept")), Script::new().close()],
            vec![Script::from(Reply::ok("late").hold(&held))],
        ]);
        let session = Session::new();
        wait!(wait!(session.get(server.url("/")).send()).unwrap().bytes()).unwrap();
        let timeouts = Timeouts::none().total(SHORT);
        let error = wait!(session.get(server.url("/")).timeout(timeouts).send()).unwrap_err();
        assert_eq!((error.phase(), error.time_limit()), (Phase::Head, Some(TimeLimit::Total)), "{error}");
        assert_eq!(server.requests().len(), 3);
        assert_eq!(session.pool_stats().open, 0);
        gate.open();
    }

    /// T3: each kind is a timeout; the text has the limit and the phase in it.
    fn t3_the_text_names_limit_and_phase() {
        let hole = Blackhole::open();
        let timeouts = Timeouts::none().connect(SHORT);
        let error = wait!(Session::new().get(hole.url("/")).timeout(timeouts).send()).unwrap_err();
        assert_eq!(error.kind(), reqivo::ErrorKind::Timeout);
        let text = error.to_string();
        assert!(text.ends_with("connect timeout of 200ms expired connecting"), "{text}");
        assert!(error.is_timeout() && error.is_safe_to_retry());
    }

    /// T4: zero is refused when the session or the request is built, whatever it limits.
    fn t4_zero_is_refused() {
        let server = Server::start(|_| Reply::ok("never"));
        let zero = Duration::ZERO;
        for timeouts in [
            Timeouts::from(zero),
            Timeouts::none().pool(zero),
            Timeouts::none().connect(zero),
            Timeouts::none().tls(zero),
            Timeouts::none().write(zero),
            Timeouts::none().first_byte(zero),
            Timeouts::none().read(zero),
            Timeouts::none().total(zero),
        ] {
            let error = Session::builder().timeout(timeouts.clone()).build().unwrap_err();
            assert!(error.is_builder(), "{error}");
            let error = wait!(Session::new().get(server.url("/")).timeout(timeouts).send()).unwrap_err();
            assert!(error.is_builder() && error.to_string().contains("zero"), "{error}");
        }
        assert_eq!(server.connections().opened, 0);
    }

    /// T1: a bare number sets connect, read and total; a call may lift what the session sets.
    fn t1_a_plain_duration_sets_three_and_a_call_can_lift_them() {
        let set = Timeouts::none().connect(LONG).read(LONG).total(LONG);
        assert_eq!(Timeouts::from(LONG), set);
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/held" => Reply::ok("late").hold(&held),
            _ => Reply::ok("x"),
        });
        let session = Session::builder().timeout(SHORT).build().unwrap();
        let error = wait!(session.get(server.url("/held")).send()).unwrap_err();
        assert!(error.is_timeout());
        let call = session.get(server.url("/held")).timeout(Timeouts::none());
        let opener = std::thread::spawn(move || {
            gate.wait_for_arrival(2);
            gate.open();
        });
        let mut response = wait!(call.send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "late");
        opener.join().unwrap();
    }

    /// T6: whatever the phase was, the connection is closed, its place is free, and the next call is served.
    fn t6_expiry_closes_the_connection_and_frees_its_place() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/head" => Reply::ok("late").hold(&held),
            "/body" => Reply::ok("0123456789").hold_body(5, &held),
            _ => Reply::ok("x"),
        });
        let session = Session::builder().pool(PoolConfig::default().per_origin(1)).build().unwrap();
        let timeouts = Timeouts::none().read(SHORT);
        for path in ["/head", "/body"] {
            let failed = match wait!(session.get(server.url(path)).timeout(timeouts.clone()).send()) {
                Ok(mut response) => wait!(response.bytes()).unwrap_err(),
                Err(error) => error,
            };
            assert!(failed.is_timeout());
            assert_eq!((session.pool_stats().open, session.pool_stats().waiting), (0, 0));
            let mut response = wait!(session.get(server.url("/x")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "x");
            session.close_idle();
        }
        assert_eq!(server.connections().opened, 4);
        gate.open();
        server.wait_until_idle();
    }
}
