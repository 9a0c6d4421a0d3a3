//! Mocks, recordings and counters, for the tests and the metrics of users.

use std::time::Duration;

use reqivo::mock::{Cassette, MockFault, MockTransport, Recorder, Reply};
use reqivo::{ErrorKind, Limits, TimeLimit, Timeouts};
use testkit::Server;

use super::super::Session;

fn session(mock: &MockTransport) -> Session {
    Session::builder().transport(mock.clone()).build().unwrap()
}

const URL: &str = "http://user:s3cret@api.example.com/a?b=c#d";

scenarios! {
    /// 22: no network is touched with a mock, and everything else works as ever.
    fn s22_a_mock_answers_without_a_network() {
        let mock = MockTransport::new();
        let route = mock
            .post("/devices")
            .header("X-Team", "blue")
            .body("new")
            .reply(Reply::new(201).header("Location", "/devices/7").body("made"));
        let session = Session::builder()
            .base_url("https://nowhere.invalid/")
            .header("X-Team", "blue")
            .transport(mock.clone())
            .build()
            .unwrap();
        let mut response = wait!(session.post("devices").body("new").send()).unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers().get("location").as_deref(), Some("/devices/7"));
        assert_eq!(wait!(response.text()).unwrap(), "made");
        assert_eq!(response.remote_addr(), None);
        let seen = &mock.requests()[0];
        assert_eq!((seen.method().as_str(), seen.url().as_str()), ("POST", "https://nowhere.invalid/devices"));
        assert_eq!((seen.text().as_ref(), seen.header("accept").as_deref()), ("new", Some("*/*")));
        assert_eq!((route.hits(), session.pool_stats().created), (1, 0));
        mock.assert_done();
        // Nor does anything else.
        assert!(wait!(session.connect("http://nowhere.invalid/")).unwrap_err().is_builder());
        assert!(wait!(session.connection_pool().get("http://nowhere.invalid/")).unwrap_err().is_builder());
    }

    /// 22: redirects, content codings, chunks, trailers and HEAD work on scripted replies.
    fn s22_a_mock_speaks_http() {
        let mock = MockTransport::new();
        mock.get("/old").reply(Reply::redirect(302, "/new"));
        // The content coding is undone: "hello" in gzip.
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
        mock.get("/new").reply(Reply::ok(&gzip[..]).header("Content-Encoding", "gzip").pieces(3));
        mock.get("/chunked").reply(Reply::ok("chunks").trailer("X-Sum", "6").pieces(2));
        mock.route().url("/head").reply(Reply::ok("").header("Content-Length", "1234"));
        let session = session(&mock);
        let mut response = wait!(session.get("http://a.example/old").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "hello");
        assert_eq!((response.history().len(), response.url().path()), (1, "/new"));
        let mut response = wait!(session.get("http://a.example/chunked").send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap(), "chunks");
        assert_eq!(response.trailers().unwrap().get("x-sum").as_deref(), Some("6"));
        let response = wait!(session.head("http://a.example/head").send()).unwrap();
        assert_eq!(response.headers().get("content-length").as_deref(), Some("1234"));
        let mut response = wait!(session.get("http://a.example/head").send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap(), "");
    }

    /// 22, 14, 15: a mock can misbehave, and rules and limits hold for it.
    fn s22_faults_and_limits_of_a_mock() {
        let mock = MockTransport::new();
        mock.get("/dns").fail(MockFault::HostNotFound);
        mock.get("/refused").fail(MockFault::ConnectionRefused);
        mock.get("/reset").fail(MockFault::ConnectionReset);
        mock.get("/pool").fail(MockFault::Timeout(TimeLimit::Pool));
        mock.get("/raw").reply(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"));
        let session = session(&mock);
        for (path, kind, sent) in [
            ("dns", ErrorKind::Dns, false),
            ("refused", ErrorKind::Connect, false),
            ("reset", ErrorKind::Network, true),
            ("pool", ErrorKind::Timeout, false),
            ("raw", ErrorKind::Protocol, true),
        ] {
            let error = wait!(session.get(format!("http://a.example/{path}")).send()).unwrap_err();
            assert_eq!((error.kind(), error.may_have_been_processed()), (kind, sent), "{error}");
        }
        mock.get("/truncated").reply(Reply::ok("0123456789").truncated(4));
        mock.get("/broken").reply(Reply::ok("0123456789").chunked().reset_after(4));
        for (path, kind) in [("truncated", ErrorKind::IncompleteBody), ("broken", ErrorKind::Network)] {
            let mut response = wait!(session.get(format!("http://a.example/{path}")).send()).unwrap();
            assert_eq!(wait!(response.bytes()).unwrap_err().kind(), kind);
        }
        mock.get("/large").reply(Reply::ok("0123456789"));
        let small = Limits::default().buffered_bytes(9);
        let mut response = wait!(session.get("http://a.example/large").limits(small).send()).unwrap();
        assert!(wait!(response.bytes()).unwrap_err().is_limit());
    }

    /// 22: time passes for the limits of a call, and for nobody else.
    fn s22_a_slow_mock_breaks_time_limits_without_waiting() {
        let mock = MockTransport::new();
        mock.get("/").reply(Reply::ok("late").delay(Duration::from_secs(3600)));
        let session = session(&mock);
        let error = wait!(session.get("http://a.example/").send()).unwrap_err();
        assert!(error.is_read_timeout(), "{error}");
        let patient = Timeouts::none().read(Duration::from_secs(7200));
        let mut response = wait!(session.get("http://a.example/").timeout(patient).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "late");
        let first = Timeouts::none().first_byte(Duration::from_secs(60));
        let error = wait!(session.get("http://a.example/").timeout(first).send()).unwrap_err();
        assert_eq!(error.time_limit(), Some(TimeLimit::FirstByte), "{error}");
    }

    /// 22: routes are tried in order, may be used up, and a request that none answers says what there is.
    fn s22_routes_are_matched_in_order_and_misses_explain_themselves() {
        let mock = MockTransport::new();
        let twice = mock.get("/a").replies([Reply::ok("1"), Reply::ok("2")]);
        let once = mock.get("*").times(1).reply_with(|request| Reply::ok(request.url().path().to_owned()));
        let never = mock.route().when(|request| request.header("x-never").is_some()).reply(Reply::new(204));
        let session = session(&mock);
        let mut texts = Vec::new();
        for _ in 0..3 {
            let mut response = wait!(session.get(URL).send()).unwrap();
            texts.push(wait!(response.text()).unwrap());
        }
        assert_eq!(texts, ["1", "2", "/a"]);
        assert_eq!((twice.hits(), once.hits(), never.hits(), twice.requests().len()), (2, 1, 0, 2));
        let error = wait!(session.get(URL).send()).unwrap_err();
        assert!(error.is_custom(), "{error}");
        let shown = error.to_string();
        for part in ["no mock answers GET http://api.example.com/a?b=c", "GET /a (used up)", "any method * with a condition"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!format!("{shown} {error:?} {mock:?}").contains("s3cret"));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| mock.assert_done()));
        assert!(done.is_err());
    }

    /// 22: bodies that stream are read by the mock.
    fn s22_streamed_request_bodies_reach_a_mock() {
        let mock = MockTransport::new();
        mock.post("/").body("one two").reply(Reply::new(204));
        let body = reqivo::Body::iter(["one ", "two"]);
        let response = wait!(session(&mock).post("http://a.example/").body(body).send()).unwrap();
        assert_eq!(response.status(), 204);
    }

    /// 22: what a server answered is recorded without secrets, saved, and played without the server.
    fn s22_exchanges_are_recorded_and_played() {
        let server = Server::start(|request| match request.path() {
            "/login" => testkit::Reply::empty(302).header("Location", "/home").header("Set-Cookie", "id=s3cret"),
            "/bytes" => testkit::Reply::ok(&b"\xff\xfe\0"[..]).header("X-Odd", b"\xe4"),
            path => testkit::Reply::ok(format!("at {path}")).chunked(3).header("X-Key", "s3cret"),
        });
        let recorder = Recorder::new().hide_header("x-key").hide_query("token").edit(|hop| {
            if hop.response.body == "at /private" {
                hop.response.body = "at (hidden)".into();
            }
        });
        let session = Session::builder().middleware(recorder.clone()).build().unwrap();
        let url = server.url("/").replace("http://", "http://user:s3cret@");
        let paths = ["login?token=s3cret&a=b", "bytes", "private"];
        let mut live = Vec::new();
        for path in paths {
            let mut response = wait!(session.get(format!("{url}{path}")).send()).unwrap();
            live.push(wait!(response.bytes()).unwrap());
        }
        assert_eq!(recorder.hops().len(), 4);
        let json = recorder.cassette().to_json();
        assert!(!json.contains("s3cret") && !json.contains("Basic "), "{json}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tape.json");
        recorder.cassette().save(&path).unwrap();
        let cassette = Cassette::load(&path).unwrap();
        assert_eq!(cassette.to_json(), json);
        let requests = server.requests().len();
        let session = Session::builder().transport(cassette.player()).build().unwrap();
        for (path, live) in paths.iter().zip(&live) {
            let mut response = wait!(session.get(format!("{url}{path}")).send()).unwrap();
            let played = wait!(response.bytes()).unwrap();
            match *path {
                "private" => assert_eq!(played, "at (hidden)"),
                _ => assert_eq!(&played, live, "{path}"),
            }
        }
        assert_eq!(server.requests().len(), requests);
        let error = wait!(session.get(format!("{url}unknown")).send()).unwrap_err();
        assert!(error.is_custom() && error.to_string().contains("/unknown"), "{error}");
        assert!(Cassette::from_json("{}").is_err() && Cassette::load(folder.path()).is_err());
    }

    /// 22: calls, responses, redirects, repeats, errors by kind, bytes and the pool are counted.
    fn s22_a_session_counts_what_it_does() {
        let server = Server::start(|request| match request.path() {
            "/moved" => testkit::Reply::empty(301).header("Location", "/"),
            "/missing" => testkit::Reply::empty(404),
            "/broken" => testkit::Reply::empty(500),
            "/short" => testkit::Reply::ok("0123456789").truncated(3),
            _ => testkit::Reply::ok("fine"),
        });
        let session = Session::new();
        let other = session.clone();
        for path in ["/", "/moved", "/missing", "/broken", "/short"] {
            let mut response = wait!(session.get(server.url(path)).send()).unwrap();
            drop(wait!(response.bytes()));
        }
        let refused = format!("http://{}/", testkit::refused_addr());
        assert!(wait!(session.get(refused).send()).is_err());
        let none = reqivo::RedirectPolicy::limited(0);
        assert!(wait!(session.get(server.url("/moved")).redirects(none).send()).is_err());
        let stats = other.stats();
        assert_eq!((stats.calls, stats.responses(), stats.redirects, stats.repeats), (7, 5, 1, 0));
        assert_eq!((stats.successes, stats.client_errors, stats.server_errors), (3, 1, 1));
        assert_eq!((stats.errors.total(), stats.errors.of(ErrorKind::Redirect)), (3, 1));
        assert_eq!((stats.errors.of(ErrorKind::IncompleteBody), stats.errors.of(ErrorKind::Connect)), (1, 1));
        assert_eq!(stats.pool, session.pool_stats());
        assert!(stats.pool.bytes_sent > 300 && stats.pool.bytes_received > 200, "{stats:?}");
        assert_eq!(Session::new().stats(), reqivo::SessionStats::default());
    }
}
