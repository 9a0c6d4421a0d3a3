//! JSON, forms, queries and bodies of several parts.

use std::collections::BTreeMap;
use std::io;

use reqivo::multipart::{Form, Part};
use reqivo::{Body, Method};
use testkit::{Reply, Request, Server};

use super::super::Session;
use crate::multipart::{Parsed, parse};

fn server() -> Server {
    Server::start(|_| Reply::ok("x"))
}

/// The parts of a request, by a parser that shares nothing with the writer.
fn parts(request: &Request) -> Vec<Parsed> {
    let content_type = request.header("content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    assert_eq!(request.header_all("content-type").count(), 1);
    parse(&request.body, boundary.trim_matches('"')).unwrap()
}

#[derive(serde::Serialize)]
struct Search<'a> {
    text: &'a str,
    page: u32,
    strict: Option<bool>,
}

const SEARCH: Search<'_> = Search {
    text: "a b&\u{e4}",
    page: 2,
    strict: None,
};

scenarios! {
    /// D6: a value as JSON.
    fn d6_json_bodies_have_their_type_unless_another_is_set() {
        let server = server();
        let session = Session::new();
        let value = BTreeMap::from([("a", 1)]);
        wait!(session.post(server.url("/")).json(&value).send()).unwrap();
        let own = session.post(server.url("/")).header("content-type", "text/x").json(&value);
        wait!(own.send()).unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].text(), r#"{"a":1}"#);
        assert_eq!(seen[0].header("content-type"), Some("application/json"));
        assert_eq!(seen[0].header("content-length"), Some("7"));
        assert_eq!(seen[1].header_all("content-type").collect::<Vec<_>>(), ["text/x"]);
        let unwritable = BTreeMap::from([((1, 2), 3)]);
        let error = wait!(session.post(server.url("/")).json(&unwritable).send()).unwrap_err();
        assert!(error.is_builder(), "{error:?}");
    }

    /// D7: pairs as the WHATWG URL standard writes them; keys repeat.
    fn d7_forms_are_urlencoded() {
        let server = server();
        let session = Session::new();
        let pairs = [("a", "1 2"), ("b", "&=+%"), ("a", "\u{e4}\u{20ac}"), ("", ""), ("*-._~", "'()!")];
        wait!(session.post(server.url("/")).form(pairs).send()).unwrap();
        wait!(session.post(server.url("/")).form([("a", "b"); 0]).send()).unwrap();
        wait!(session.post(server.url("/")).header("Content-Type", "text/x").form([("a", "b")]).send()).unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].text(), "a=1+2&b=%26%3D%2B%25&a=%C3%A4%E2%82%AC&=&*-._%7E=%27%28%29%21");
        assert_eq!(seen[0].header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!((seen[1].text().as_str(), seen[1].header("content-length")), ("", Some("0")));
        assert_eq!(seen[2].header_all("content-type").collect::<Vec<_>>(), ["text/x"]);
    }

    /// D7, D9: the fields of a value.
    fn d7_d9_values_become_forms_and_queries() {
        let server = server();
        let session = Session::new();
        wait!(session.post(server.url("/?own=1")).query_from(&SEARCH).form_from(&SEARCH).send()).unwrap();
        let seen = server.requests().pop().unwrap();
        assert_eq!(seen.text(), "text=a+b%26%C3%A4&page=2");
        assert_eq!(seen.query(), "own=1&text=a+b%26%C3%A4&page=2");
        assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
        let pairs = [("a", 1), ("b", 2), ("a", 3)];
        wait!(session.get(server.url("/")).query_from(&pairs).send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().target, "/?a=1&b=2&a=3");
        wait!(session.get(server.url("/")).query_from(&[("a", 1); 0]).send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().target, "/");
        for request in [session.get(server.url("/")).query_from(&1), session.get(server.url("/")).form_from(&[[1]])] {
            assert!(wait!(request.send()).unwrap_err().is_builder());
        }
    }

    /// D9: pairs are added behind the URL's own query, in order, and keys repeat.
    fn d9_query_pairs_are_added_in_order_and_may_repeat() {
        let server = server();
        let request = Session::new()
            .get(server.url("/?own=1"))
            .query([("a", "1 2"), ("b", "&="), ("a", "\u{e4}")])
            .query([("c", "")]);
        wait!(request.send()).unwrap();
        assert_eq!(server.only_request().query(), "own=1&a=1+2&b=%26%3D&a=%C3%A4&c=");
        let request = Session::new().get(server.url("/")).query([("a", "b"); 0]);
        wait!(request.send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().target, "/");
    }

    /// D8: the bytes of a small form.
    fn d8_a_form_is_written_as_the_rfc_says() {
        let server = server();
        let form = Form::new()
            .with_boundary("XX")
            .text("title", "holi\r\nday")
            .part("file", Part::bytes("<p>").file_name("a.html"))
            .part("raw", Part::bytes(&b"\0\xff"[..]).file_name("b.unknown-kind"))
            .part("typed", Part::text("{}").content_type("application/json").header("X-Extra", "1"));
        wait!(Session::new().post(server.url("/")).multipart(form).send()).unwrap();
        let seen = server.only_request();
        let expected: &[u8] = b"--XX\r\n\
            Content-Disposition: form-data; name=\"title\"\r\n\r\nholi\r\nday\r\n--XX\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a.html\"\r\nContent-Type: text/html\r\n\r\n<p>\r\n--XX\r\n\
            Content-Disposition: form-data; name=\"raw\"; filename=\"b.unknown-kind\"\r\nContent-Type: application/octet-stream\r\n\r\n\0\xff\r\n--XX\r\n\
            Content-Disposition: form-data; name=\"typed\"\r\nContent-Type: application/json\r\nX-Extra: 1\r\n\r\n{}\r\n--XX--\r\n";
        assert_eq!(String::from_utf8_lossy(&seen.body), String::from_utf8_lossy(expected));
        assert!(seen.body == expected);
        assert_eq!(seen.header("content-type"), Some("multipart/form-data; boundary=XX"));
        assert_eq!(seen.header("content-length"), Some(expected.len().to_string().as_str()));
    }

    /// D8: the length is sent when that of every part is known, and chunks otherwise.
    fn d8_forms_have_a_length_when_all_their_parts_have() {
        let server = server();
        let session = Session::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.jpg");
        let content = vec![b'p'; 300_000];
        std::fs::write(&path, &content).unwrap();
        let known = || {
            Form::new()
                .text("text", "value")
                .file("file", &path)
                .part("bytes", Part::bytes(content.clone()))
                .part("reader", Part::new(Body::reader(io::Cursor::new(content.clone())).with_length(300_000)))
        };
        let unknown = || known().part("stream", Part::new(Body::iter(["a", "b"])).file_name("s.txt"));
        for (form, length) in [(known(), true), (unknown(), false)] {
            wait!(session.post(server.url("/")).multipart(form).send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert_eq!(seen.header("content-length").is_some(), length);
            assert_eq!(seen.header("transfer-encoding").is_some(), !length);
            let parts = parts(&seen);
            assert_eq!((parts[0].name.as_str(), &parts[0].content[..], &parts[0].content_type), ("text", &b"value"[..], &None));
            assert_eq!(parts[1].file_name.as_deref(), Some("photo.jpg"));
            assert_eq!(parts[1].content_type.as_deref(), Some("image/jpeg"));
            assert!(parts[1..4].iter().all(|part| part.content == content));
            if !length {
                assert_eq!((parts[4].content_type.as_deref(), &parts[4].content[..]), (Some("text/plain"), &b"ab"[..]));
            }
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    /// D8: no name can end its quotes or its line.
    fn d8_names_are_escaped() {
        let server = server();
        for name in ["plain", "with \"quotes\"", "line\r\nX-Evil: 1", "\u{e4}\u{20ac}", "back\\slash; a=b", ""] {
            let form = Form::new().part(name, Part::text("x").file_name(name));
            wait!(Session::new().post(server.url("/")).multipart(form).send()).unwrap();
            let seen = server.requests().pop().unwrap();
            let parts = parts(&seen);
            assert_eq!((parts[0].name.as_str(), parts[0].file_name.as_deref()), (name, Some(name)));
            assert_eq!(parts[0].fields, 2, "{}", seen.text());
        }
        let form = Form::new().with_boundary("X").text("a\"\r\n", "x");
        wait!(Session::new().post(server.url("/")).multipart(form).send()).unwrap();
        assert!(server.requests().pop().unwrap().text().contains("name=\"a%22%0D%0A\"\r\n"));
    }

    /// D8: what is malformed is told before any connection.
    fn d8_malformed_forms_fail_before_any_connection() {
        let server = server();
        for form in [
            Form::new().part("a", Part::text("x").content_type("text/plain\r\nX-Evil: 1")),
            Form::new().part("a", Part::text("x").header("a b", "c")),
            Form::new().part("a", Part::text("x").header("content-disposition", "form-data; name=\"b\"")),
            Form::new().part("a", Part::new(Body::from("x").with_trailer("Host", || "x"))),
            Form::new().part("a", Part::new(Body::from("x").with_length(2))),
            Form::new().file("a", "/no/such/file"),
            Form::new().with_boundary(""),
            Form::new().with_boundary("a\r\nb"),
            Form::new().with_boundary("x".repeat(71)),
        ] {
            let error = wait!(Session::new().post(server.url("/")).multipart(form).send()).unwrap_err();
            assert!(error.is_builder() && !error.may_have_been_processed(), "{error:?}");
        }
        assert_eq!(server.connections().opened, 0);
    }

    /// D8, D5: a part that does not keep to its length.
    fn d8_a_part_of_another_length_than_declared_fails_the_call() {
        for part in ["too long", "shrt"] {
            let server = Server::builder().tolerate_malformed().start(|_| Reply::ok("x"));
            let form = Form::new().part("a", Part::new(Body::iter([part]).with_length(6))).text("b", "c");
            let error = wait!(Session::new().post(server.url("/")).multipart(form).send()).unwrap_err();
            assert!(error.is_request_body(), "{error:?}");
            server.wait_until_idle();
            assert!(server.requests().iter().all(|request| !request.complete));
        }
    }

    /// D8, F5: a form is sent again when all its parts can be.
    fn d8_forms_follow_redirects_when_their_parts_can_be_replayed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "content").unwrap();
        for (form, replayed) in [
            (Form::new().text("a", "b"), true),
            (Form::new().text("a", "b").file("c", &path).part("d", Part::bytes(vec![b'x'; 100_000])), true),
            (Form::new().text("a", "b").part("c", Part::reader(&b"content"[..])), false),
        ] {
            assert_eq!(form.content_type(), format!("multipart/form-data; boundary={}", form.boundary()));
            let server = Server::start(|request| match request.path() {
                "/end" => Reply::ok("x"),
                _ => Reply::empty(308).header("Location", "/end"),
            });
            let outcome = wait!(Session::new().request(Method::PUT, server.url("/")).multipart(form).send());
            let seen = server.requests();
            if replayed {
                assert_eq!(outcome.unwrap().status(), 200);
                assert!(seen[0].body == seen[1].body && !seen[0].body.is_empty());
                assert_eq!(seen[0].header("content-type"), seen[1].header("content-type"));
            } else {
                assert!(outcome.unwrap_err().is_redirect());
                assert_eq!(seen.len(), 1);
            }
        }
    }

    /// D8, D12: a form that was not begun is whole for the next hop.
    fn d8_a_form_that_was_not_begun_follows_the_redirect() {
        let server = Server::builder()
            .on_head(|request| {
                let reply = Reply::empty(307).header("Location", "/end");
                (request.path() != "/end").then(|| testkit::Script::from(reply).stall())
            })
            .start(|_| Reply::ok("x"));
        let form = Form::new().part("c", Part::reader(&b"content"[..])).text("a", "b");
        let request = Session::new().post(server.url("/")).multipart(form);
        wait!(request.expect_continue_within(std::time::Duration::from_secs(60)).send()).unwrap();
        let seen = server.requests().pop().unwrap();
        assert_eq!(parts(&seen).len(), 2);
    }

    /// D8: the type of the form replaces what a session sends otherwise.
    fn d8_the_content_type_of_a_form_is_its_own() {
        let server = server();
        let session = Session::builder().header("content-type", "application/json").build().unwrap();
        let form = Form::new().with_boundary("a:b").text("a", "b");
        wait!(session.post(server.url("/")).multipart(form).send()).unwrap();
        let seen = server.only_request();
        assert_eq!(seen.header_all("content-type").collect::<Vec<_>>(), ["multipart/form-data; boundary=\"a:b\""]);
        assert_eq!(parts(&seen).len(), 1);
        // As a plain body, for other types of several parts.
        let form = Form::new().with_boundary("XX").text("a", "b");
        let request = session.post(server.url("/")).header("Content-Type", "multipart/mixed; boundary=XX").body(form);
        wait!(request.send()).unwrap();
        assert!(server.requests().pop().unwrap().text().starts_with("--XX\r\n"));
    }
}
