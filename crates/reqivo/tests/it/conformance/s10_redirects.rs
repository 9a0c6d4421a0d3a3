//! Redirects: what is followed, with which method, body and fields.

use reqivo::{Body, ErrorKind, Method, RedirectPolicy};
use testkit::{Reply, Request, Server};

use super::super::Session;

fn to(status: u16, location: &str) -> Reply {
    Reply::empty(status).header("Location", location)
}

/// `/STATUS` redirects to `/end`, and `/end` tells what it got.
fn server() -> Server {
    Server::start(
        |request: &Request| match request.path().trim_start_matches('/').parse() {
            Ok(status) => to(status, "/end"),
            Err(_) => Reply::ok(format!("{} {}", request.method, request.text())),
        },
    )
}

scenarios! {
    fn f5_f6_f7_f8_methods_and_bodies_change_as_the_status_says() {
        let server = server();
        let session = Session::new();
        for (status, method, then, body) in [
            (301, "GET", "GET", ""),
            (301, "POST", "GET", ""),
            (302, "POST", "GET", ""),
            (301, "PUT", "PUT", "body"),
            (302, "DELETE", "DELETE", "body"),
            (303, "POST", "GET", ""),
            (303, "PUT", "GET", ""),
            (307, "POST", "POST", "body"),
            (308, "PUT", "PUT", "body"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = session.request(method.clone(), server.url(&format!("/{status}")));
            if method != Method::GET {
                request = request.body("body").header("Content-Language", "en").header("X-Kept", "1");
            }
            let mut response = wait!(request.send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), format!("{then} {body}"), "{status} {method}");
            assert_eq!(response.method().as_str(), then);
            assert_eq!(response.url().path(), "/end");
            let hop = &response.history()[0];
            assert_eq!((hop.status().as_u16(), hop.method(), hop.url().path()), (status, &method, format!("/{status}").as_str()));
            let last = server.requests().pop().unwrap();
            assert_eq!(last.header("content-language").is_some(), !body.is_empty());
            assert_eq!(last.header("content-length").is_some(), !body.is_empty());
            if method != Method::GET {
                assert_eq!(last.header("x-kept"), Some("1"));
            }
        }
        for status in [301, 303, 307] {
            let response = wait!(session.head(server.url(&format!("/{status}"))).send()).unwrap();
            assert_eq!(response.method(), Method::HEAD);
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    fn f6_303_is_followed_without_a_body_whatever_the_method() {
        let server = server();
        let session = Session::new();
        for method in [Method::GET, Method::HEAD, Method::PUT] {
            for body in [Body::from("body"), Body::iter(["bo", "dy"])] {
                let before = server.requests().len();
                let request = session.request(method.clone(), server.url("/303")).body(body);
                let response = wait!(request.header("Content-Language", "en").send()).unwrap();
                let head = method == Method::HEAD;
                assert_eq!(response.method(), if head { Method::HEAD } else { Method::GET });
                let requests = server.requests().split_off(before);
                assert_eq!(requests[0].text(), "body");
                let last = &requests[1];
                assert_eq!(last.text(), "", "{method}");
                for name in ["content-length", "transfer-encoding", "content-language"] {
                    assert_eq!(last.header(name), None, "{method} {name}");
                }
            }
        }
    }

    fn f7_the_original_rewriting_of_methods_can_be_chosen() {
        let server = server();
        let policy = RedirectPolicy::default().rewrite_every_method_to_get();
        let session = Session::builder().redirects(policy).build().unwrap();
        let mut response = wait!(session.put(server.url("/302")).body("x").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "GET ");
    }

    fn f1_f11_redirects_are_left_alone_without_location_or_when_they_are_off() {
        let server = Server::start(|request: &Request| match request.path() {
            "/none" => Reply::empty(302),
            "/choices" => to(300, "/end"),
            "/cached" => to(304, "/end"),
            _ => to(302, "/end"),
        });
        let session = Session::new();
        for (path, status) in [("/none", 302), ("/choices", 300), ("/cached", 304)] {
            assert_eq!(wait!(session.get(server.url(path)).send()).unwrap().status(), status);
        }
        let off = session.get(server.url("/x")).redirects(RedirectPolicy::none());
        let response = wait!(off.send()).unwrap();
        assert_eq!((response.status().as_u16(), response.history().len()), (302, 0));
    }

    fn f2_locations_are_resolved_encoded_and_inherit_the_fragment() {
        let server = Server::start(|request: &Request| match request.target.as_str() {
            "/a/b" => to(302, "../c?x=\u{e4}"),
            "/raw" => Reply::empty(302).header("Location", b"/\xe4".as_slice()),
            "/own" => to(302, "/end#own"),
            _ => Reply::ok(request.target.clone()),
        });
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/a/b#frag")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/c?x=%C3%A4");
        assert_eq!(response.url().fragment(), Some("frag"));
        let mut response = wait!(session.get(server.url("/raw")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/%E4");
        let response = wait!(session.get(server.url("/own#frag")).send()).unwrap();
        assert_eq!(response.url().fragment(), Some("own"));
    }

    fn f2_f3_f4_too_many_loops_and_bad_locations_are_errors() {
        let server = Server::start(|request: &Request| {
            let number: Option<u32> = request.path().strip_prefix("/n").and_then(|n| n.parse().ok());
            match (number, request.path()) {
                (Some(number), _) => to(302, &format!("/n{}", number + 1)),
                (_, "/self") => to(302, "/self"),
                (_, "/ping") => to(302, "/pong"),
                (_, "/pong") => to(302, "/ping#fragments-do-not-count"),
                (_, "/two") => to(302, "/a").header("Location", "/b"),
                (_, "/same") => to(302, "/end").header("Location", "/end"),
                (_, "/ftp") => to(302, "ftp://127.0.0.1/"),
                (_, "/bad") => to(302, "http://[::1"),
                _ => Reply::ok("end"),
            }
        });
        let session = Session::new();
        let limited = |n| RedirectPolicy::limited(n);
        let error = wait!(session.get(server.url("/n1")).send()).unwrap_err();
        assert!(error.is_redirect() && error.to_string().contains("too many"), "{error}");
        assert_eq!(server.requests().len(), 31);
        assert_eq!(error.url().unwrap().path(), "/n31");
        assert!(error.status().is_some_and(|status| status == 302));
        let error = wait!(session.get(server.url("/n1")).redirects(limited(0)).send()).unwrap_err();
        assert_eq!((error.kind(), error.url().unwrap().path()), (ErrorKind::Redirect, "/n1"));
        for (path, text) in [
            ("/self", "loop"),
            ("/ping", "loop"),
            ("/two", "several different locations"),
            ("/ftp", "something else than http"),
            ("/bad", "malformed location"),
        ] {
            let error = wait!(session.get(server.url(path)).send()).unwrap_err();
            assert!(error.is_redirect() && error.to_string().contains(text), "{path}: {error}");
        }
        assert!(wait!(session.get(server.url("/same")).send()).is_ok());
        assert_eq!(session.pool_stats().in_use, 0);
    }

    fn f9_secrets_stay_with_their_origin() {
        let target = Server::start(|_| Reply::ok("other"));
        let location = target.url("/");
        let server = Server::start(move |request: &Request| match request.path() {
            "/same" => to(307, "/end"),
            "/end" => Reply::ok("end"),
            _ => to(307, &location),
        });
        let session = Session::builder().sensitive_header("X-Session-Key", "s").build().unwrap();
        for path in ["/same", "/other"] {
            let request = session
                .post(server.url(path))
                .body("body")
                .bearer_auth("token")
                .header("cookie", "a=b")
                .header("Proxy-Authorization", "x")
                .header("Host", "named.example")
                .sensitive_header("X-Key", "k")
                .header("X-Plain", "p");
            wait!(request.send()).unwrap();
        }
        let (same, other) = (server.requests().swap_remove(1), target.only_request());
        for name in ["authorization", "cookie", "x-key", "x-session-key"] {
            assert!(same.header(name).is_some(), "{name}");
            assert!(other.header(name).is_none(), "{name}");
        }
        for server in [&same, &other] {
            assert!(server.header("proxy-authorization").is_none());
        }
        assert_eq!(other.header("x-plain"), Some("p"));
        assert_eq!(other.header("host"), Some(target.addr().to_string().as_str()));
        assert_eq!(other.text(), "body");
    }

    fn f11_policies_refuse_other_origins() {
        let target = Server::start(|_| Reply::ok("other"));
        let location = target.url("/");
        let server = Server::start(move |_| to(302, &location));
        let policy = RedirectPolicy::default().same_origin_only();
        let error = wait!(Session::new().get(server.url("/")).redirects(policy).send()).unwrap_err();
        assert!(error.is_redirect() && error.to_string().contains("another origin"), "{error}");
        assert_eq!(target.requests().len(), 0);
    }

    fn f9_credentials_in_a_location_are_ignored() {
        let target = Server::start(|_| Reply::ok("other"));
        let location = format!("http://user:password@{}/", target.addr());
        let server = Server::start(move |_| to(302, &location));
        let response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        assert_eq!(response.url().as_str(), target.url("/"));
        assert_eq!(target.only_request().header("authorization"), None);
    }

    fn f10_f13_a_redirect_with_a_body_keeps_the_connection_when_it_is_small() {
        let server = Server::start(|request: &Request| match request.path() {
            "/small" => to(302, "/end").chunked(10),
            "/large" => Reply::ok(vec![b'x'; 1_000_000]).status(302).header("Location", "/end"),
            _ => Reply::ok("end"),
        });
        let session = Session::new();
        wait!(session.get(server.url("/small")).send()).unwrap();
        assert_eq!(session.pool_stats().created, 1);
        wait!(session.get(server.url("/large")).send()).unwrap();
        assert_eq!(session.pool_stats().created, 2);
    }

    fn a_failure_after_a_redirected_write_says_that_the_write_arrived() {
        let closed = format!("http://{}/", testkit::refused_addr());
        let server = Server::start(move |_| to(303, &closed));
        let session = Session::new();
        let error = wait!(session.post(server.url("/")).body("x").send()).unwrap_err();
        assert!(error.is_connect() && error.method() == Some(&Method::GET), "{error}");
        assert!(error.may_have_been_processed() && !error.is_safe_to_retry(), "{error}");
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert!(error.may_have_been_processed() && error.is_safe_to_retry(), "{error}");
    }

    fn fields_left_out_stay_out_and_own_fields_win_after_a_redirect() {
        let server = server();
        let session = Session::builder().header("X-A", "session").header("X-B", "session").build().unwrap();
        let request = session.get(server.url("/302")).without_header("x-a").header("x-b", "call").header("X-C", "call");
        wait!(request.send()).unwrap();
        for seen in server.requests() {
            assert_eq!(seen.header("x-a"), None);
            assert_eq!(seen.header_all("x-b").collect::<Vec<_>>(), ["call"]);
            assert_eq!(seen.header("x-c"), Some("call"));
        }
    }
}
