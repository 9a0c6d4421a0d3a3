//! Redirects: policies, loops, what an error tells, what reaches other origins.

use std::sync::{Arc, Mutex};

use reqivo::middleware::Reply as Answer;
use reqivo::{Body, ErrorKind, Method, RedirectAction, RedirectPolicy, RedirectProblem};
use testkit::{Gate, Reply, Request, Server};

use super::super::Session;
use super::anywhere::Anywhere;

fn to(status: u16, location: &str) -> Reply {
    Reply::empty(status).header("Location", location)
}

/// `/to/URL` redirects there with 302.
fn redirecting() -> Anywhere {
    Anywhere::new(|seen| match seen.url.split_once("/to/") {
        Some((_, target)) => Answer::redirect(302, target),
        None => Answer::ok(""),
    })
}

scenarios! {
    /// F1: all five statuses, and no other.
    fn f1_five_statuses_are_followed() {
        let server = Server::start(|request: &Request| match request.path().trim_start_matches('/').parse() {
            Ok(status) => to(status, "/end"),
            Err(_) => Reply::ok("end"),
        });
        let session = Session::new();
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(wait!(session.get(server.url(&format!("/{status}"))).send()).unwrap().url().path(), "/end");
        }
        for status in [200, 201, 300, 304, 305, 306, 309, 399, 401] {
            let response = wait!(session.get(server.url(&format!("/{status}"))).send()).unwrap();
            assert_eq!((response.status().as_u16(), response.history().len()), (status, 0));
        }
    }

    /// F3: the error of too many redirects has the last response.
    fn f3_the_error_has_the_last_response() {
        let server = Server::start(|request: &Request| {
            let number: u32 = request.path().trim_start_matches("/n").parse().unwrap();
            let body = format!("moved on from {number}");
            Reply::ok(body).status(302).header("Location", format!("/n{}", number + 1)).header("X-Number", number.to_string())
        });
        let session = Session::builder().redirects(RedirectPolicy::limited(2)).build().unwrap();
        let error = wait!(session.get(server.url("/n1")).send()).unwrap_err();
        assert!(error.is_redirect() && error.is_too_many_redirects(), "{error}");
        assert_eq!(error.redirect_problem(), Some(RedirectProblem::TooMany));
        assert_eq!((error.url().unwrap().path(), error.status().unwrap().as_u16()), ("/n3", 302));
        assert_eq!(error.headers().unwrap().get("x-number").as_deref(), Some("3"));
        assert_eq!(error.body().unwrap().as_ref(), b"moved on from 3");
        assert_eq!((server.requests().len(), session.pool_stats().in_use), (3, 0));
        let error = wait!(session.get(server.url("/n1")).redirects(RedirectPolicy::limited(0)).send()).unwrap_err();
        assert!(error.is_too_many_redirects() && error.body().is_some(), "{error}");
        // The default is 30 for a session too.
        let error = wait!(Session::new().get(server.url("/n1")).send()).unwrap_err();
        assert_eq!((error.url().unwrap().path(), server.requests().len()), ("/n31", 4 + 31));
    }

    /// F3: the body of a refused redirect is not waited for without end.
    fn f3_a_body_that_does_not_come_does_not_hold_the_error_up() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Reply::ok("x".repeat(1000)).status(302).header("Location", "/").hold_body(10, &held));
        let session = Session::new();
        let error = wait!(session.get(server.url("/")).redirects(RedirectPolicy::limited(0)).send()).unwrap_err();
        assert!(error.is_too_many_redirects() && error.headers().is_some(), "{error}");
        gate.open();
    }

    /// F4: the same method and address, however it is spelled, is a loop at once.
    fn f4_loops_are_found_by_method_and_normalised_address() {
        let server = Server::start(|request: &Request| match request.path() {
            "/self" => to(302, "/self#other"),
            "/spelled/%7euser" | "/spelled/~user" => to(302, "/x/../spelled/%7Euser"),
            "/a" => to(302, "/b"),
            "/b" => to(302, "/a"),
            "/form" if request.method == "POST" => to(303, "/form"),
            "/query" if request.query() == "page=3" => Reply::ok("end"),
            "/query" if request.query() == "page=2" => to(302, "/query?page=3"),
            "/query" => to(302, "/query?page=2"),
            _ => Reply::ok("end"),
        });
        let session = Session::new();
        for (path, requests) in [("/self", 1), ("/spelled/%7euser", 1), ("/spelled/~user", 1), ("/a", 2)] {
            let before = server.requests().len();
            let error = wait!(session.get(server.url(path)).send()).unwrap_err();
            assert!(error.is_redirect_loop() && error.to_string().contains("loop"), "{path}: {error}");
            assert!(error.headers().unwrap().contains("location"), "{path}");
            assert_eq!(server.requests().len() - before, requests, "{path}");
        }
        let response = wait!(session.post(server.url("/form")).body("x").send()).unwrap();
        assert_eq!((response.method(), response.history().len()), (&Method::GET, 1));
        assert_eq!(wait!(session.get(server.url("/query?page=1")).send()).unwrap().history().len(), 2);
    }

    /// F4: back to where other cookies go along than before, once.
    fn f4_a_redirect_that_sets_a_cookie_may_lead_back_once() {
        let server = Server::start(|request: &Request| {
            let seen = request.header("cookie").unwrap_or("").to_owned();
            let set = |location: &str, cookie: &str| to(302, location).header("Set-Cookie", cookie);
            match request.path() {
                "/login" | "/login-by-two" if seen.contains("ok=") => Reply::ok(seen),
                "/login" => set("/login", "ok=1; Path=/login"),
                "/login-by-two" => to(302, "/grant"),
                "/grant" => set("/login-by-two", "ok=2; Path=/login-by-two"),
                "/same-again" => set("/same-again", "same=1; Path=/same-again"),
                "/always-new" => set("/always-new", &format!("new={}x; Path=/always-new", seen.trim_start_matches("new="))),
                "/elsewhere" => set("/elsewhere", "other=1; Path=/other"),
                _ => Reply::ok("end"),
            }
        });
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/login")).send()).unwrap();
        assert_eq!((wait!(response.text()).unwrap().as_str(), response.history().len()), ("ok=1", 1));
        let mut response = wait!(session.get(server.url("/login-by-two")).send()).unwrap();
        assert_eq!((wait!(response.text()).unwrap().as_str(), response.history().len()), ("ok=2", 2));
        for (path, requests) in [("/same-again", 2), ("/same-again", 1), ("/always-new", 2), ("/elsewhere", 1)] {
            let before = server.requests().len();
            let error = wait!(session.get(server.url(path)).send()).unwrap_err();
            assert!(error.is_redirect_loop(), "{path}: {error}");
            assert_eq!(server.requests().len() - before, requests, "{path}");
        }
        let off = Session::builder().without_cookies().build().unwrap();
        assert!(wait!(off.get(server.url("/login")).send()).unwrap_err().is_redirect_loop());
        assert!(wait!(Session::new().get(server.url("/login")).without_cookies().send()).unwrap_err().is_redirect_loop());
    }

    /// F5: a body that can be sent only once is not replaced by nothing.
    fn f5_a_body_that_cannot_be_replayed_is_an_error_with_the_response() {
        let server = Server::start(|request: &Request| match request.path() {
            "/end" => Reply::ok(format!("{} {}", request.method, request.text())),
            path => to(path.trim_start_matches('/').parse().unwrap(), "/end"),
        });
        let session = Session::new();
        let once = || Body::iter(["a", "b"]);
        for (method, status) in [(Method::POST, 307), (Method::PUT, 308), (Method::PUT, 301)] {
            let request = session.request(method, server.url(&format!("/{status}"))).body(once());
            let error = wait!(request.send()).unwrap_err();
            assert_eq!(error.redirect_problem(), Some(RedirectProblem::BodyNotReplayable), "{error}");
            assert_eq!(error.status().unwrap().as_u16(), status);
            assert_eq!(error.headers().unwrap().get("location").as_deref(), Some("/end"));
            assert!(error.may_have_been_processed());
        }
        for (status, text) in [(303, "GET "), (302, "GET ")] {
            let mut response = wait!(session.post(server.url(&format!("/{status}"))).body(once()).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), text);
        }
        let again = Body::replayable(once);
        let mut response = wait!(session.post(server.url("/307")).body(again).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "POST ab");
        assert_eq!(session.pool_stats().in_use, 0);
    }

    /// F8: the fields that describe a body go with it.
    fn f8_fields_of_the_body_go_when_the_method_changes() {
        let server = Server::start(|request: &Request| match request.path() {
            "/end" => Reply::ok(""),
            path => to(path.trim_start_matches('/').parse().unwrap(), "/end"),
        });
        let session = Session::new();
        for (status, kept) in [(303, false), (307, true)] {
            let request = session
                .post(server.url(&format!("/{status}")))
                .body("body")
                .header("content-TYPE", "text/x")
                .header("Content-Language", "en")
                .header("Content-MD5", "x")
                .header("Trailer", "X-T")
                .header("X-Content", "stays");
            wait!(request.send()).unwrap();
            let seen = server.requests().pop().unwrap();
            for name in ["content-type", "content-language", "content-md5", "content-length", "trailer"] {
                assert_eq!(seen.header(name).is_some(), kept, "{status} {name}");
            }
            assert_eq!(seen.header("x-content"), Some("stays"));
            assert_eq!((seen.header("expect"), seen.header("transfer-encoding")), (None, None));
        }
    }

    /// F9: every change of the origin drops secrets, but for the one way that can be asked for.
    fn f9_secrets_are_dropped_when_scheme_host_or_port_changes() {
        let net = redirecting();
        let session = Session::builder().transport(net.clone()).build().unwrap();
        let upgrade = RedirectPolicy::default().keep_authorization_on_upgrade();
        for (from, target, policy, kept) in [
            ("http://a.example", "/x", RedirectPolicy::default(), true),
            ("http://a.example", "http://A.EXAMPLE:80/x", RedirectPolicy::default(), true),
            ("http://a.example", "https://a.example/", RedirectPolicy::default(), false),
            ("https://a.example", "http://a.example/", upgrade.clone(), false),
            ("http://a.example", "https://a.example/", upgrade.clone(), true),
            ("http://a.example", "https://b.example/", upgrade.clone(), false),
            ("http://a.example:8080", "https://a.example/", upgrade.clone(), false),
            ("http://a.example", "https://a.example:8443/", upgrade, false),
            ("http://a.example", "http://sub.a.example/", RedirectPolicy::default(), false),
            ("http://a.example", "http://a.example:81/", RedirectPolicy::default(), false),
        ] {
            let request = session
                .get(format!("{from}/to/{target}"))
                .redirects(policy)
                .header("aUTHORIZATION", "secret")
                .header("Cookie", "a=secret")
                .sensitive_header("X-Key", "secret")
                .header("X-Plain", "plain");
            wait!(request.send()).unwrap();
            let last = net.take().pop().unwrap();
            for name in ["authorization", "cookie", "x-key"] {
                assert_eq!(last.header(name).is_some(), kept, "{from} {target} {name}");
            }
            assert_eq!(last.header("x-plain").as_deref(), Some("plain"));
        }
        // What was dropped does not come back, and what the session has is not changed.
        let request = session.get("http://a.example/to/http://b.example/to/http://a.example/").bearer_auth("t");
        wait!(request.send()).unwrap();
        assert_eq!(net.took("authorization"), ["Bearer t", "", ""]);
        let secret = Session::builder().transport(net.clone()).sensitive_header("X-Key", "k").build().unwrap();
        for _ in 0..2 {
            wait!(secret.get("http://a.example/to/http://b.example/").send()).unwrap();
            assert_eq!(net.took("x-key"), ["k", ""]);
        }
    }

    /// F10: every hop takes a connection of the pool.
    fn f10_hops_share_the_pool() {
        let server = Server::start(|request: &Request| match request.path() {
            "/closing" => to(302, "/end").close(),
            "/end" => Reply::ok("end"),
            _ => to(302, "/end"),
        });
        let session = Session::new();
        for _ in 0..3 {
            wait!(session.get(server.url("/x")).send()).unwrap();
        }
        assert_eq!(session.pool_stats().created, 1);
        let mut response = wait!(session.get(server.url("/closing")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "end");
        assert_eq!((session.pool_stats().created, session.pool_stats().in_use), (2, 0));
    }

    /// F11: https only, no way back to http, the same origin, no redirects.
    fn f11_policies_refuse_what_they_say() {
        let net = redirecting();
        let session = Session::builder().transport(net.clone()).build().unwrap();
        let default = RedirectPolicy::default;
        for (policy, from, target, refused) in [
            (default().https_only(), "http://a.example", "https://b.example/", false),
            (default().https_only(), "https://a.example", "http://a.example/", true),
            (default().https_only(), "http://a.example", "/x", true),
            (default().refuse_downgrade(), "https://a.example", "http://a.example/", true),
            (default().refuse_downgrade(), "http://a.example", "http://b.example/", false),
            (default().same_origin_only(), "http://a.example", "/x", false),
            (default().same_origin_only(), "http://a.example", "http://a.example:81/", true),
            (default(), "http://a.example", "file:///etc/passwd", true),
            (default(), "http://a.example", "javascript:alert(1)", true),
        ] {
            let outcome = wait!(session.get(format!("{from}/to/{target}")).redirects(policy).send());
            assert_eq!(outcome.is_err(), refused, "{from} {target}");
            if let Err(error) = outcome {
                assert!(matches!(error.redirect_problem(), Some(RedirectProblem::Refused | RedirectProblem::Malformed)), "{error}");
                assert_eq!(net.take().len(), 1, "{from} {target}");
            } else {
                assert_eq!(net.take().len(), 2, "{from} {target}");
            }
        }
        let response = wait!(session.get("http://a.example/to/http://b.example/").redirects(RedirectPolicy::none()).send()).unwrap();
        assert_eq!((response.status().as_u16(), net.take().len()), (302, 1));
    }

    /// F11: a function decides, and sees method, address, status and history.
    fn f11_a_function_decides() {
        let net = redirecting();
        let log = Arc::new(Mutex::new(Vec::new()));
        let noted = log.clone();
        let policy = RedirectPolicy::limited(3).custom(move |attempt| {
            let hops: Vec<_> = attempt.history().iter().map(|hop| hop.url().host_str().unwrap_or("").to_owned()).collect();
            let line = format!("{} {} {} after {}", attempt.method(), attempt.url().host_str().unwrap_or(""), attempt.status().as_u16(), hops.join(","));
            noted.lock().unwrap().push(line);
            match attempt.url().host_str() {
                Some("stop.example") => RedirectAction::Stop,
                Some("refuse.example") => RedirectAction::Refuse,
                _ => RedirectAction::Follow,
            }
        });
        let session = Session::builder().transport(net.clone()).redirects(policy).build().unwrap();
        let response = wait!(session.post("http://a.example/to/http://b.example/to/http://stop.example/").body("x").send()).unwrap();
        assert_eq!((response.status().as_u16(), response.url().host_str()), (302, Some("b.example")));
        assert_eq!((response.history().len(), net.take().len()), (1, 2));
        assert_eq!(std::mem::take(&mut *log.lock().unwrap()), ["GET b.example 302 after a.example", "GET stop.example 302 after a.example,b.example"]);
        let error = wait!(session.get("http://a.example/to/http://refuse.example/").send()).unwrap_err();
        assert_eq!((error.kind(), error.redirect_problem()), (ErrorKind::Redirect, Some(RedirectProblem::Refused)));
        assert_eq!(error.url().unwrap().host_str(), Some("a.example"));
        // The number of redirects is limited all the same.
        let url = "http://a/to/http://b/to/http://c/to/http://d/to/http://e/";
        assert!(wait!(session.get(url).send()).unwrap_err().is_too_many_redirects());
    }

    /// F12: off by default; the whole address within an origin, the origin beyond it, nothing to http.
    fn f12_the_referer_is_told_on_request() {
        let net = redirecting();
        let session = Session::builder().transport(net.clone()).build().unwrap();
        let url = "https://u:p@a.example/to//x?q=1#frag";
        wait!(session.get(url).send()).unwrap();
        assert_eq!(net.took("referer"), ["", ""]);
        let policy = RedirectPolicy::default().referer();
        for (from, target, expected) in [
            ("https://u:p@a.example", "/x#frag", "https://a.example/to//x"),
            ("https://u:p@a.example", "https://b.example/", "https://a.example/"),
            ("https://a.example", "http://a.example/", ""),
            ("http://a.example:8080", "https://b.example/", "http://a.example:8080/"),
        ] {
            wait!(session.get(format!("{from}/to/{target}")).redirects(policy.clone()).send()).unwrap();
            assert_eq!(net.took("referer"), ["", expected], "{from} {target}");
        }
        let given = session.get("http://a.example/to//x").header("Referer", "http://given/").redirects(policy);
        wait!(given.send()).unwrap();
        assert_eq!(net.took("referer"), ["http://given/", "http://a.example/to//x"]);
        wait!(session.get("http://a.example/to//x").header("Referer", "http://given/").send()).unwrap();
        assert_eq!(net.took("referer"), ["http://given/", "http://given/"]);
    }

    /// F13: each element of a history has the history before it.
    fn f13_hops_have_histories() {
        let net = Anywhere::new(|seen| match seen.url.rsplit_once('/') {
            Some((_, "4")) => Answer::ok("end"),
            Some((_, number)) => {
                let next: u8 = number.parse().unwrap();
                Answer::redirect(302, &format!("/{}", next + 1)).header("X-Number", number)
            }
            None => Answer::new(500),
        });
        let session = Session::builder().transport(net).build().unwrap();
        let response = wait!(session.get("http://a.example/1").send()).unwrap();
        let paths: Vec<_> = response.history().iter().map(|hop| hop.url().path().to_owned()).collect();
        assert_eq!(paths, ["/1", "/2", "/3"]);
        for (at, hop) in response.history().iter().enumerate() {
            assert_eq!(hop.history().len(), at);
            assert_eq!((hop.status().as_u16(), hop.method()), (302, &Method::GET));
            assert_eq!(hop.headers().get("x-number").as_deref(), hop.url().path().get(1..));
            for (hop, other) in hop.history().iter().zip(response.history()) {
                assert_eq!((hop.url(), hop.history().len()), (other.url(), other.history().len()));
            }
        }
    }
}
