//! Sessions: merged headers, base URL, time limits, sharing.

use std::sync::Arc;
use std::time::Duration;

use reqivo::blocking::Session as Blocking;
use reqivo::{ErrorKind, Headers, Limits, TimeLimit, Timeouts};
use testkit::{Gate, Reply, Request, Server};

use super::super::Session;

scenarios! {
    /// N1: session fields, then those of the call, whatever their case; cookies of both and of the jar.
    fn n1_fields_are_merged_and_the_call_wins() {
        let server = Server::start(|_| Reply::ok(""));
        let session = Session::builder()
            .header("X-Team", "session")
            .header("X-Only", "session")
            .header("authorization", "session header")
            .header("cookie", "from=session")
            .bearer_auth("session-token")
            .build()
            .unwrap();
        let jar = session.cookies().unwrap().clone();
        wait!(session.get(server.url("/")).header("x-team", "call").send()).unwrap();
        jar.set(server.url("/"), "stored", "1").unwrap();
        jar.set(server.url("/"), "from", "jar").unwrap();
        wait!(session.get(server.url("/")).send()).unwrap();
        let call = session.get(server.url("/")).header("AUTHORIZATION", "call").header("COOKIE", "from=call; more=2");
        wait!(call.send()).unwrap();
        let call = session.get(server.url("/")).append_header("Cookie", "a=1").append_header("cookie", "b=2");
        wait!(call.basic_auth("u", "p").send()).unwrap();
        wait!(session.get(server.url("/")).without_header("Authorization").without_header("Cookie").send()).unwrap();
        let seen = server.requests();
        let all = |at: usize, name: &str| seen[at].header_all(name).collect::<Vec<_>>();
        assert_eq!((all(0, "x-team"), all(0, "x-only")), (vec!["call"], vec!["session"]));
        assert_eq!(all(0, "authorization"), ["Bearer session-token"]);
        assert_eq!(all(0, "cookie"), ["from=session"]);
        assert_eq!(all(1, "cookie"), ["from=session; stored=1"]);
        assert_eq!(all(2, "authorization"), ["call"]);
        assert_eq!(all(2, "cookie"), ["from=call; more=2; stored=1"]);
        assert_eq!(all(3, "authorization"), ["Basic dTpw"]);
        assert_eq!(all(3, "cookie"), ["a=1; b=2; stored=1; from=jar"]);
        assert_eq!((all(4, "authorization").len(), all(4, "cookie").len()), (0, 0));
    }

    /// N2: what a call does not say, the session says; a call can also say that there is no limit.
    fn n2_calls_have_the_limits_of_the_session_their_own_or_none() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request: &Request| match request.path() {
            "/held" => Reply::ok("late").hold(&held),
            _ => Reply::ok("x".repeat(100)),
        });
        let session = Session::builder()
            .timeout(Duration::from_millis(20))
            .limits(Limits::default().buffered_bytes(10))
            .build()
            .unwrap();
        // The request without a limit outlives one that has the limit of the session.
        let url = server.url("/held");
        let server = Arc::new(server);
        let (watched, short) = (Arc::clone(&server), url.clone());
        let helper = std::thread::spawn(move || {
            watched.wait_until(|seen| seen.requests.len() == 1);
            let limit = Duration::from_millis(20);
            let session = Blocking::builder().timeout(limit).build().unwrap();
            let error = session.get(short).send().unwrap_err();
            gate.open();
            error
        });
        let mut response = wait!(session.get(url).timeout(Timeouts::none()).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "late");
        let error = helper.join().unwrap();
        assert!(error.is_timeout() && error.time_limit().is_some(), "{error}");

        let mut response = wait!(session.get(server.url("/")).timeout(Timeouts::none()).send()).unwrap();
        let error = wait!(response.bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        let request = session.get(server.url("/")).timeout(Timeouts::none()).limits(Limits::default());
        let mut response = wait!(request.send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap().len(), 100);
    }

    /// N2: a limit of zero is no way to say "none".
    fn n2_the_limit_of_a_session_holds_for_calls_that_name_none() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Reply::ok("late").hold(&held));
        let session = Session::builder().timeout(Duration::from_millis(20)).build().unwrap();
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert!(matches!(error.time_limit(), Some(TimeLimit::Total | TimeLimit::Read | TimeLimit::FirstByte)), "{error}");
        assert!(wait!(session.get(server.url("/")).timeout(Duration::ZERO).send()).unwrap_err().is_builder());
        gate.open();
    }

    /// N3: RFC 3986 5.3.
    fn n3_relative_urls_are_resolved_against_the_base() {
        let server = Server::start(|request: &Request| Reply::ok(request.target.clone()));
        for (base, url, target) in [
            ("/api/v1", "users", "/api/users"),
            ("/api/v1/", "users", "/api/v1/users"),
            ("/api/v1", "/users", "/users"),
            ("/api/v1/", "../users?q=1", "/api/users?q=1"),
            ("/api/v1/", "./users/./7", "/api/v1/users/7"),
            ("/api/v1?x=1", "?y=2", "/api/v1?y=2"),
            ("/api/v1", "", "/api/v1"),
            ("/api/v1/", "../../../up", "/up"),
        ] {
            let session = Session::builder().base_url(server.url(base)).build().unwrap();
            let mut response = wait!(session.get(url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), target, "{base} {url}");
            let other = Session::builder().base_url("http://127.0.0.1:9/elsewhere/").build().unwrap();
            let mut response = wait!(other.get(server.url("/absolute")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "/absolute");
        }
        let session = Session::builder().base_url("http://127.0.0.1:9/").build().unwrap();
        let relative = server.url("/x").replace("http:", "");
        let mut response = wait!(session.get(relative).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/x");
    }

    /// N4: before any IO.
    fn n4_urls_without_a_host_or_with_another_scheme_are_refused() {
        for base in [None, Some("http://127.0.0.1:9/base/")] {
            let mut builder = Session::builder();
            if let Some(base) = base {
                builder = builder.base_url(base);
            }
            let session = builder.build().unwrap();
            for url in ["http:///path", "http://", "https://?q", "ftp://127.0.0.1/", "ws://127.0.0.1/", "file:///etc/passwd", "mailto:a@b", "data:,x"] {
                let error = wait!(session.get(url).send()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Builder, "{url}: {error}");
                assert!(!error.may_have_been_processed());
            }
            assert_eq!(session.pool_stats().created, 0);
        }
        for url in ["users", "/users", "", "//127.0.0.1/"] {
            let error = wait!(Session::new().get(url).send()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Builder, "{url}: {error}");
        }
        assert!(Session::builder().base_url("not a url").build().unwrap_err().is_builder());
    }

    /// N5: dropping the last clone closes what is idle.
    fn n5_a_session_closes_its_connections_when_it_ends() {
        let server = Server::start(|_| Reply::ok(""));
        {
            let session = Session::new();
            let clone = session.clone();
            wait!(session.get(server.url("/")).send()).unwrap();
            drop(session);
            wait!(clone.get(server.url("/")).send()).unwrap();
            assert_eq!((clone.pool_stats().created, clone.pool_stats().idle), (1, 1));
        }
        server.wait_until_idle();
        let session = Session::new();
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!((session.close_idle(), session.close_idle()), (1, 0));
        server.wait_until_idle();
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(session.pool_stats().created, 2);
    }

    /// N6: nothing of one request shows up in another.
    fn n6_calls_of_one_session_do_not_see_each_other() {
        fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
        let server = Server::start(|request: &Request| {
            let text = ["x-call", "authorization", "cookie"].map(|name| request.header(name).unwrap_or("-"));
            Reply::ok(text.join(" "))
        });
        let session = Session::builder().header("X-Call", "none").build().unwrap();
        shared(&session);
        let clone = session.clone();
        let mut headers = Headers::new();
        headers.append("X-Call", "one").unwrap();
        let one = session.get(server.url("/")).headers(&headers).bearer_auth("one").header("Cookie", "one=1");
        let two = clone.get(server.url("/"));
        let mut two = wait!(two.send()).unwrap();
        let mut one = wait!(one.send()).unwrap();
        assert_eq!(wait!(two.text()).unwrap(), "none - -");
        assert_eq!(wait!(one.text()).unwrap(), "one Bearer one one=1");
        let mut three = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(three.text()).unwrap(), "none - -");
    }

    /// Section 7, close: idle connections end, the session stays usable; clones share settings that change.
    fn clones_share_credentials_and_jar() {
        let server = Server::start(|_| Reply::ok("").header("Set-Cookie", "seen=1"));
        let session = Session::new();
        let clone = session.clone();
        session.set_bearer_auth("late").unwrap();
        wait!(clone.get(server.url("/")).send()).unwrap();
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(server.requests()[0].header("authorization"), Some("Bearer late"));
        assert_eq!(server.requests()[1].header("cookie"), Some("seen=1"));
        assert_eq!(clone.cookies().unwrap().len(), 1);
        assert!(Session::new().cookies().unwrap().is_empty(), "another session has another jar");
    }
}
