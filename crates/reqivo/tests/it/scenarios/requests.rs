//! What goes over the wire.

use reqivo::Method;
use testkit::{Reply, Request, Server};

use super::Session;

fn server() -> Server {
    Server::start(|_| Reply::ok("fine"))
}

fn names(request: &Request) -> Vec<&str> {
    request
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect()
}

scenarios! {
    fn defaults_come_first_and_the_callers_fields_follow_in_order() {
        let server = server();
        let session = Session::builder().header("X-Session", "1").header("x-both", "s").build().unwrap();
        let request = session
            .get(server.url("/path;params?a=b#fragment"))
            .header("X-Both", "call")
            .append_header("Multi", "one")
            .append_header("multi", "two");
        wait!(request.send()).unwrap();
        let seen = server.only_request();
        assert!(seen.head.starts_with(b"GET /path;params?a=b HTTP/1.1\r\n"));
        assert_eq!(
            names(&seen),
            ["Host", "User-Agent", "Accept", "Accept-Encoding", "X-Session", "X-Both", "Multi", "multi"]
        );
        assert_eq!(seen.header("host"), Some(server.addr().to_string().as_str()));
        assert_eq!(seen.header("accept"), Some("*/*"));
        assert_eq!(seen.header("accept-encoding"), Some("gzip, deflate, br, zstd"));
        assert_eq!(seen.header("x-both"), Some("call"));
        assert!(seen.header("user-agent").is_some_and(|value| value.starts_with("reqivo/")));
    }

    fn defaults_can_be_replaced_whatever_the_case_and_left_out() {
        let server = server();
        let request = Session::new()
            .get(server.url("/"))
            .header("user-AGENT", "mine")
            .header("HOST", "other.example")
            .without_header("accept");
        wait!(request.send()).unwrap();
        let seen = server.only_request();
        assert_eq!(names(&seen), ["Accept-Encoding", "user-AGENT", "HOST"]);
        assert_eq!(seen.header("host"), Some("other.example"));
    }

    fn targets_are_percent_encoded_once() {
        let server = server();
        let session = Session::new();
        for (path, target) in [
            ("", "/"),
            ("?", "/?"),
            ("/a b", "/a%20b"),
            ("/a%20b%2F", "/a%20b%2F"),
            ("/\u{e4}?\u{e4}=\u{20ac}", "/%C3%A4?%C3%A4=%E2%82%AC"),
            ("/a/../b/./c", "/b/c"),
        ] {
            wait!(session.get(format!("http://{}{path}", server.addr())).send()).unwrap();
            assert_eq!(server.requests().last().unwrap().target, target);
        }
    }

    fn query_pairs_are_added_in_order_and_may_repeat() {
        let server = server();
        let request = Session::new()
            .get(server.url("/?own=1"))
            .query([("a", "1 2"), ("b", "&="), ("a", "\u{e4}")]);
        wait!(request.send()).unwrap();
        assert_eq!(server.only_request().query(), "own=1&a=1+2&b=%26%3D&a=%C3%A4");
    }

    fn methods_keep_their_case_and_custom_ones_pass() {
        let server = server();
        let session = Session::new();
        for name in ["PURGE", "pUrGe", "M-SEARCH"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            wait!(session.request(method, server.url("/")).send()).unwrap();
            assert_eq!(server.requests().last().unwrap().method, name);
        }
    }

    fn bodies_are_framed_by_length_and_missing_ones_by_the_method() {
        let server = server();
        let session = Session::new();
        for (method, body, length) in [
            (Method::GET, None, None),
            (Method::HEAD, None, None),
            (Method::OPTIONS, None, None),
            (Method::DELETE, None, None),
            (Method::POST, None, Some("0")),
            (Method::PUT, None, Some("0")),
            (Method::PATCH, None, Some("0")),
            (Method::GET, Some(""), Some("0")),
            (Method::DELETE, Some("text"), Some("4")),
            (Method::POST, Some("\u{e4}"), Some("2")),
        ] {
            let mut request = session.request(method.clone(), server.url("/"));
            if let Some(body) = body {
                request = request.body(body);
            }
            wait!(request.send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert_eq!(seen.header("content-length"), length, "{method} {body:?}");
            assert_eq!(seen.text(), body.unwrap_or_default());
            assert_eq!(seen.header("content-type"), None);
            assert_eq!(seen.header("transfer-encoding"), None);
        }
    }

    fn a_large_body_arrives_whole() {
        let server = server();
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        wait!(Session::new().post(server.url("/")).body(body.clone()).send()).unwrap();
        assert!(server.only_request().body == body);
    }

    fn json_bodies_have_their_type_unless_another_is_set() {
        let server = server();
        let session = Session::new();
        let value = std::collections::BTreeMap::from([("a", 1)]);
        wait!(session.post(server.url("/")).json(&value).send()).unwrap();
        let own = session.post(server.url("/")).header("content-type", "text/x").json(&value);
        wait!(own.send()).unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].text(), r#"{"a":1}"#);
        assert_eq!(seen[0].header("content-type"), Some("application/json"));
        assert_eq!(seen[1].header_all("content-type").collect::<Vec<_>>(), ["text/x"]);
    }

    fn a_length_that_fits_the_body_is_sent_once() {
        let server = server();
        let request = Session::new().post(server.url("/")).header("content-length", "4").body("text");
        wait!(request.send()).unwrap();
        let seen = server.only_request();
        assert_eq!(seen.header_all("content-length").collect::<Vec<_>>(), ["4"]);
    }

    fn malformed_requests_fail_before_any_connection() {
        let server = server();
        let session = Session::new();
        let get = || session.get(server.url("/"));
        let post = || session.post(server.url("/"));
        for (name, request) in [
            ("line break in a value", get().header("A", "b\r\nC: d")),
            ("zero byte", get().header("A", "b\0")),
            ("bad name", get().header("A B", "c")),
            ("line break in a name", get().header("A\r\nB", "c")),
            ("empty name", get().append_header("", "c")),
            ("wrong length", post().header("Content-Length", "5").body("text")),
            ("length without body", get().header("Content-Length", "5")),
            ("signed length", post().header("Content-Length", "+4").body("text")),
            ("two lengths", post().append_header("Content-Length", "4").append_header("content-length", "4").body("text")),
            ("own framing", post().header("Transfer-Encoding", "chunked").body("text")),
            ("two hosts", get().append_header("Host", "a").append_header("Host", "b")),
            ("not http", session.get("ftp://127.0.0.1/")),
            ("relative", session.get("/path")),
            ("no host", session.get("http:///")),
            ("nonsense", session.get("http://[::1")),
            ("colon in a user name", get().basic_auth("a:b", "c")),
            ("line break in a token", get().bearer_auth("a\r\nb")),
            ("timeout of zero", get().timeout(std::time::Duration::ZERO)),
        ] {
            let error = wait!(request.send()).unwrap_err();
            assert!(error.is_builder(), "{name}: {error:?}");
            assert!(!error.may_have_been_processed() && error.is_safe_to_retry(), "{name}");
        }
        assert_eq!(server.connections().opened, 0);
        for builder in [
            Session::builder().header("A B", "c"),
            Session::builder().base_url("nonsense"),
            Session::builder().timeout(std::time::Duration::ZERO),
            Session::builder().pool(reqivo::PoolConfig::default().per_origin(0)),
        ] {
            assert!(builder.build().unwrap_err().is_builder());
        }
    }

    fn relative_urls_are_resolved_against_the_base() {
        let server = server();
        for (base, relative, target) in [
            ("/api/v1", "users", "/api/users"),
            ("/api/v1", "/users", "/users"),
            ("/api/v1/", "users?x=1", "/api/v1/users?x=1"),
            ("/api/v1/", "../users", "/api/users"),
        ] {
            let session = Session::builder().base_url(server.url(base)).build().unwrap();
            wait!(session.get(relative).send()).unwrap();
            assert_eq!(server.requests().last().unwrap().target, target);
        }
        let elsewhere = Session::builder().base_url("http://127.0.0.1:1/x/").build().unwrap();
        wait!(elsewhere.get(server.url("/absolute")).send()).unwrap();
        assert_eq!(server.requests().last().unwrap().target, "/absolute");
    }

    fn credentials_become_a_header_and_show_up_nowhere_else() {
        let server = server();
        let session = Session::new();
        let address = server.addr();
        wait!(session.get(format!("http://us%40er:s3cret@{address}/")).send()).unwrap();
        wait!(session.get(server.url("/")).basic_auth("user", "s3cret").send()).unwrap();
        wait!(session.get(server.url("/")).bearer_auth("s3cret").send()).unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].header("authorization"), Some("Basic dXNAZXI6czNjcmV0"));
        assert_eq!(seen[1].header("authorization"), Some("Basic dXNlcjpzM2NyZXQ="));
        assert_eq!(seen[2].header("authorization"), Some("Bearer s3cret"));
        assert_eq!((seen[0].target.as_str(), seen[0].header("host")), ("/", Some(address.to_string().as_str())));
        let closed = testkit::refused_addr();
        let request = session.get(format!("http://user:s3cret@{closed}/x#y")).header("Cookie", "s3cret");
        assert!(!format!("{request:?}").contains("s3cret"));
        let error = wait!(request.send()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        assert_eq!(error.url().unwrap().as_str(), format!("http://{closed}/x"));
        let session = Session::builder().sensitive_header("X-Key", "s3cret").build().unwrap();
        assert!(!format!("{session:?}").contains("s3cret"));
    }

    fn requests_of_the_http_crate_are_sent_as_they_are() {
        let server = server();
        let request = http::Request::put(server.url("/x?y"))
            .header("x-a", "1")
            .body(bytes::Bytes::from_static(b"body"))
            .unwrap();
        let mut response: super::Response = wait!(Session::new().execute(request)).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "fine");
        let seen = server.only_request();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", "/x?y"));
        assert_eq!((seen.header("x-a"), seen.text().as_str()), (Some("1"), "body"));
    }
}
