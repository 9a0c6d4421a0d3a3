//! The head of requests: line, fields, and what is refused before any connection (RFC 9112 3, RFC 9110 5 and 7.2).

use reqivo::{Body, Method};
use testkit::{Reply, Request, Server};

use super::super::Session;

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
    /// B1, B2, B6, B8, B9, B10, B14: a whole head.
    fn b6_defaults_come_first_and_the_callers_fields_follow_in_order() {
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

    /// B7, B9: names compare without case, and are sent as they were written.
    fn b7_b9_defaults_can_be_replaced_whatever_the_case_and_left_out() {
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

    /// B1, B2, B3: the target, from the path on.
    fn b3_targets_are_percent_encoded_once() {
        let server = server();
        let session = Session::new();
        for (path, target) in [
            ("", "/"),
            ("?", "/?"),
            ("/a b", "/a%20b"),
            ("/a%20b%2F", "/a%20b%2F"),
            ("/\u{e4}?\u{e4}=\u{20ac}", "/%C3%A4?%C3%A4=%E2%82%AC"),
            ("/a/../b/./c", "/b/c"),
            ("/a;b=c/d;e", "/a;b=c/d;e"),
            ("/%zz%", "/%zz%"),
            ("/a\"<>`{}|^\\", "/a%22%3C%3E%60%7B%7D|^/"),
            ("/?a b#c d", "/?a%20b"),
            ("/\t\nx", "/x"),
        ] {
            wait!(session.get(format!("http://{}{path}", server.addr())).send()).unwrap();
            assert_eq!(server.requests().last().unwrap().target, target);
        }
    }

    /// B4: any token is a method; nothing else can be made into one.
    fn b4_methods_keep_their_case_and_custom_ones_pass() {
        let server = server();
        let session = Session::new();
        for name in ["PURGE", "pUrGe", "M-SEARCH"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            wait!(session.request(method, server.url("/")).send()).unwrap();
            assert_eq!(server.requests().last().unwrap().method, name);
        }
        for name in ["", "A B", "A\r\nB", "A:", "\u{e4}"] {
            assert!(Method::from_bytes(name.as_bytes()).is_err(), "{name:?}");
        }
    }

    /// D1, D2, D3: no body, an empty one, and one of bytes or text.
    fn d1_d2_d3_bodies_are_framed_by_length_and_missing_ones_by_the_method() {
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

    /// D2: larger than every buffer.
    fn d2_a_large_body_arrives_whole() {
        let server = server();
        let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        wait!(Session::new().post(server.url("/")).body(body.clone()).send()).unwrap();
        assert!(server.only_request().body == body);
    }

    /// D10: a right length of the caller is no second one.
    fn d10_a_length_that_fits_the_body_is_sent_once() {
        let server = server();
        let request = Session::new().post(server.url("/")).header("content-length", "4").body("text");
        wait!(request.send()).unwrap();
        let seen = server.only_request();
        assert_eq!(seen.header_all("content-length").collect::<Vec<_>>(), ["4"]);
    }

    /// B3, B4, B11, B12, B13, D10, N4: what is malformed.
    fn b11_b12_b13_d10_malformed_requests_fail_before_any_connection() {
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
            ("framing and length", post().header("Transfer-Encoding", "chunked").header("Content-Length", "4").body("text")),
            ("length that overflows", post().header("Content-Length", "18446744073709551620").body("text")),
            ("list of lengths", post().header("Content-Length", "4, 4").body("text")),
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

    /// N3: RFC 3986 reference resolution.
    fn n3_relative_urls_are_resolved_against_the_base() {
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

    /// N7: credentials of a URL.
    fn n7_credentials_become_a_header_and_show_up_nowhere_else() {
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

    /// D1, D2, D4: values of the `http` crate, with any body.
    fn d2_requests_of_the_http_crate_are_sent_as_they_are() {
        let server = server();
        let request = http::Request::put(server.url("/x?y"))
            .header("x-a", "1")
            .body(bytes::Bytes::from_static(b"body"))
            .unwrap();
        let mut response: super::super::Response = wait!(Session::new().execute(request)).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "fine");
        let seen = server.only_request();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", "/x?y"));
        assert_eq!((seen.header("x-a"), seen.text().as_str()), (Some("1"), "body"));
        let session = Session::new();
        let streamed = http::Request::post(server.url("/")).body(Body::iter(["a", "b"])).unwrap();
        wait!(session.execute(streamed)).unwrap();
        assert_eq!(server.requests().pop().unwrap().chunks, [1, 1]);
        for (method, length) in [(Method::GET, None), (Method::POST, Some("0"))] {
            let bare = http::Request::builder().method(method).uri(server.url("/")).body(()).unwrap();
            wait!(session.prepare(bare).send()).unwrap();
            assert_eq!(server.requests().pop().unwrap().header("content-length"), length);
        }
    }

    /// B5: the authority of the URL, without what is by default.
    fn b5_the_host_field_has_port_brackets_and_punycode_where_they_belong() {
        let server = server();
        let port = server.addr().port();
        let names = ["b\u{fc}cher.example", "UPPER.example", "xn--bcher-kva.example"];
        let session = names.iter().fold(Session::builder(), |builder, name| {
            let ascii = reqivo::Url::parse(&format!("http://{name}")).unwrap();
            builder.resolve(ascii.host_str().unwrap(), [[127, 0, 0, 1].into()])
        });
        let session = session.build().unwrap();
        for (name, host) in names.iter().zip(["xn--bcher-kva.example", "upper.example", "xn--bcher-kva.example"]) {
            wait!(session.get(format!("http://{name}:{port}/")).send()).unwrap();
            assert_eq!(server.requests().pop().unwrap().header("host"), Some(format!("{host}:{port}").as_str()));
        }
    }

    /// B5: default ports and IPv6 addresses, over a socket that has neither.
    #[cfg(unix)]
    fn b5_default_ports_are_left_out_and_ipv6_addresses_have_brackets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let server = Server::builder().unix(&path).start(|_| Reply::ok("x"));
        let session = Session::builder().unix_socket(&path).build().unwrap();
        for (url, host) in [
            ("http://example.com/", "example.com"),
            ("http://example.com:80/", "example.com"),
            ("http://example.com:443/", "example.com:443"),
            ("http://[::1]/", "[::1]"),
            ("http://[2001:DB8:0::1]:8080/", "[2001:db8::1]:8080"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://user:pass@example.com/", "example.com"),
        ] {
            wait!(session.get(url).send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert_eq!(seen.header_all("host").collect::<Vec<_>>(), [host], "{url}");
        }
    }

    /// B7: names in title case, for servers that need them so.
    fn b7_names_are_sent_in_title_case_when_asked_for() {
        let server = server();
        let session = Session::builder()
            .title_case_headers()
            .header("x-SESSION-id", "1")
            .header("user-agent", "mine")
            .build()
            .unwrap();
        wait!(session.get(server.url("/")).header("x-call", "2").append_header("ETAG", "3").send()).unwrap();
        wait!(session.get(server.url("/")).header("x-session-ID", "4").send()).unwrap();
        let seen = server.requests();
        assert_eq!(names(&seen[0]), ["Host", "Accept", "Accept-Encoding", "X-Session-Id", "User-Agent", "X-Call", "Etag"]);
        assert_eq!(names(&seen[1]), ["Host", "Accept", "Accept-Encoding", "User-Agent", "X-Session-Id"]);
        assert_eq!(seen[1].header("x-session-id"), Some("4"));
    }

    /// B8: a connection is kept unless that is asked otherwise.
    fn b8_no_connection_field_is_sent_unless_asked_for() {
        let server = server();
        let session = Session::new();
        wait!(session.get(server.url("/")).send()).unwrap();
        wait!(session.get(server.url("/")).header("Connection", "close").send()).unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].header("connection"), None);
        assert_eq!(seen[1].header_all("connection").collect::<Vec<_>>(), ["close"]);
        assert_eq!((seen[0].connection, seen[1].connection), (0, 0));
        assert_eq!(session.pool_stats().open, 0);
    }

    /// B10: decoding stays on when the field is set by hand, and goes off when that is asked for.
    fn b10_accept_encoding_by_hand_does_not_turn_decoding_off() {
        let coded = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\xc8\x04\0\xac\x2a\x93\xd8\x02\0\0\0";
        let server = Server::start(|_| Reply::ok(&coded[..]).header("Content-Encoding", "gzip"));
        let session = Session::new();
        let mut response = wait!(session.get(server.url("/")).header("Accept-Encoding", "gzip;q=0.5").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "hi");
        let raw = session.get(server.url("/")).header("Accept-Encoding", "gzip").raw_body();
        assert_eq!(&wait!(wait!(raw.send()).unwrap().bytes()).unwrap()[..], coded);
        wait!(session.get(server.url("/")).without_header("Accept-Encoding").header("Accept", "text/x").send()).unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].header_all("accept-encoding").collect::<Vec<_>>(), ["gzip;q=0.5"]);
        assert_eq!((seen[2].header("accept-encoding"), seen[2].header("accept")), (None, Some("text/x")));
    }

    /// B12: what values may hold, and what is taken off them.
    fn b12_values_are_bytes_trimmed_at_their_ends() {
        let server = server();
        let request = Session::new()
            .get(server.url("/"))
            .header("A", " \tinner  \t space\t ")
            .header("B", "\u{e4}\u{20ac}")
            .header("C", b"\xff\x80")
            .header("D", "")
            .header("!#$%&'*+-.^_`|~09aZ", "token");
        wait!(request.send()).unwrap();
        let seen = server.only_request();
        let value = |name: &str| seen.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_slice());
        assert_eq!(value("A"), Some(&b"inner  \t space"[..]));
        assert_eq!(value("B"), Some("\u{e4}\u{20ac}".as_bytes()));
        assert_eq!(value("C"), Some(&b"\xff\x80"[..]));
        assert_eq!(value("D"), Some(&b""[..]));
        assert_eq!(value("!#$%&'*+-.^_`|~09aZ"), Some(&b"token"[..]));
        for byte in (0..=8).chain(10..=31).chain([127]) {
            let error = wait!(Session::new().get(server.url("/")).header("A", [b'x', byte, b'x']).send()).unwrap_err();
            assert!(error.is_builder(), "{byte}: {error:?}");
        }
        for byte in (0..=32).chain(*b"\"(),/:;<=>?@[\\]{}").chain(127..=255) {
            let name = format!("A{}", char::from(byte));
            let error = wait!(Session::new().get(server.url("/")).header(&name, "x").send()).unwrap_err();
            assert!(error.is_builder(), "{byte}: {error:?}");
        }
        assert_eq!(server.requests().len(), 1);
    }

    /// B14: several fields of one name, among them those of the session.
    fn b14_fields_may_repeat() {
        let server = server();
        let session = Session::builder().header("A", "session").build().unwrap();
        wait!(session.get(server.url("/")).append_header("a", "1").append_header("A", "2").send()).unwrap();
        wait!(session.get(server.url("/")).append_header("a", "1").header("A", "3").send()).unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].header_all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(seen[1].header_all("a").collect::<Vec<_>>(), ["3"]);
    }
}
