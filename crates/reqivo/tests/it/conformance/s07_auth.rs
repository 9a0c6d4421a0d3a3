//! Credentials of a session (RFC 7617, RFC 6750) and of URLs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use reqivo::middleware::Reply as Answer;
use reqivo::{AuthRequest, AuthScheme, Body, Headers, RedirectPolicy};
use testkit::{Reply, Request, Server};

use super::super::Session;
use super::anywhere::Anywhere;

/// Answers challenges with a counted token.
#[derive(Clone, Default)]
struct Answering {
    answers: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl AuthScheme for Answering {
    fn authorize(&self, _: &AuthRequest<'_>) -> Option<String> {
        match self.answers.load(Ordering::SeqCst) {
            0 => None,
            count => Some(format!("Counted {count}")),
        }
    }

    fn answer(&self, request: &AuthRequest<'_>, challenge: &Headers) -> Option<String> {
        let asked = format!(
            "{} {} {}",
            request.method(),
            request.url().path(),
            challenge.get("www-authenticate")?
        );
        self.asked.lock().unwrap().push(asked);
        let count = self.answers.fetch_add(1, Ordering::SeqCst) + 1;
        Some(format!("Counted {count}"))
    }
}

/// Goes where the path says: `/to/http://host/path` redirects there.
fn redirecting() -> Anywhere {
    Anywhere::new(|seen| match seen.url.split_once("/to/") {
        Some((_, target)) => Answer::redirect(307, target),
        None => Answer::ok(""),
    })
}

scenarios! {
    /// Section 7: one kind of credentials replaces the other, also later.
    fn basic_and_bearer_replace_each_other() {
        let server = Server::start(|_| Reply::ok(""));
        let url = server.url("/");
        let session = Session::builder().basic_auth("user", "p\u{e4}ss").bearer_auth("first").build().unwrap();
        wait!(session.get(&url).send()).unwrap();
        session.set_basic_auth("user", "p\u{e4}ss:word").unwrap();
        wait!(session.get(&url).send()).unwrap();
        session.set_bearer_auth("second").unwrap();
        wait!(session.get(&url).send()).unwrap();
        session.set_basic_auth("a:b", "c").unwrap_err();
        session.set_bearer_auth("a\r\nb").unwrap_err();
        wait!(session.get(&url).send()).unwrap();
        session.clear_auth();
        wait!(session.get(&url).send()).unwrap();
        let sent: Vec<_> = server.requests().iter().map(|seen| seen.header("authorization").unwrap_or("-").to_owned()).collect();
        assert_eq!(sent, ["Bearer first", "Basic dXNlcjpww6Rzczp3b3Jk", "Bearer second", "Bearer second", "-"]);
        for builder in [Session::builder().basic_auth("a", "\n"), Session::builder().basic_auth("a:b", "c"), Session::builder().bearer_auth("\u{7f}")] {
            assert!(builder.build().unwrap_err().is_builder());
        }
    }

    /// N7: a URL whose scheme was forgotten reads as one with the user name as its scheme.
    fn n7_credentials_of_a_url_without_its_scheme_are_not_shown() {
        for url in ["user:s3cret@127.0.0.1/", "user:s3cret@127.0.0.1:80/a@b", "user:s3cret@", "user:/s3cret@host/", "user://name:s3cret@host/"] {
            let request = Session::new().get(url);
            let shown = format!("{request:?}");
            let error = wait!(request.send()).unwrap_err();
            assert!(error.is_builder(), "{error}");
            let shown = format!("{shown} {error} {error:?} {:?}", error.url());
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    /// N7: a user name and password in a URL.
    fn n7_credentials_of_a_url_become_basic_and_are_not_seen() {
        let server = Server::start(|request: &Request| match request.path() {
            "/away" => Reply::empty(302).header("Location", "http://user:other@localhost:1/"),
            "/here" => Reply::empty(302).header("Location", "/end"),
            _ => Reply::ok(""),
        });
        let url = |path: &str| server.url(path).replace("//", "//us%40er:p%3Ass@");
        let session = Session::builder().bearer_auth("session").build().unwrap();
        let request = session.get(url("/here"));
        assert!(!format!("{request:?}").contains("ss@"), "{request:?}");
        let response = wait!(request.send()).unwrap();
        assert!(!response.url().as_str().contains('@') && !response.history()[0].url().as_str().contains('@'));
        assert!(!format!("{response:?}").contains("p%3Ass"));
        for seen in server.requests() {
            assert_eq!(seen.header("authorization"), Some("Basic dXNAZXI6cDpzcw=="));
            assert!(!seen.target.contains('@') && !seen.header("host").unwrap().contains('@'));
        }
        let error = wait!(session.get(url("/away")).send()).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.url());
        assert!(error.is_connect() && !shown.contains("other") && !shown.contains("p%3Ass"), "{shown}");
        // A field of the call's own is preferred.
        wait!(session.get(url("/")).header("Authorization", "own").send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().header("authorization"), Some("own"));
        let session = Session::builder().base_url(url("/base/")).build().unwrap();
        assert!(!format!("{session:?} {:?}", Session::builder().base_url(url("/"))).contains("p%3Ass"));
        wait!(session.get("x").send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().header("authorization"), Some("Basic dXNAZXI6cDpzcw=="));
        let error = wait!(session.get("http://a%3Ab:c@127.0.0.1/").send()).unwrap_err();
        assert!(error.is_builder() && !error.to_string().contains("a%3Ab"), "{error}");
    }

    /// N8: the credentials of a session go to the origin that a call begins with.
    fn n8_credentials_stay_with_the_first_origin() {
        let net = redirecting();
        let session = Session::builder().transport(net.clone()).bearer_auth("t").build().unwrap();
        for (url, sent) in [
            ("http://a.example/to//end", vec![true, true]),
            ("http://a.example/to/http://b.example/", vec![true, false]),
            ("http://a.example/to/https://a.example/", vec![true, false]),
            ("http://a.example/to/http://a.example:8080/", vec![true, false]),
            ("http://a.example/to/http://A.example:80/", vec![true, true]),
            ("http://a.example/to/http://b.example/to/http://a.example/", vec![true, false, true]),
            ("http://b.example/", vec![true]),
        ] {
            wait!(session.get(url).send()).unwrap();
            let seen: Vec<_> = net.took("authorization").iter().map(|value| value == "Bearer t").collect();
            assert_eq!(seen, sent, "{url}");
        }
        let policy = RedirectPolicy::default().keep_authorization_on_upgrade();
        for (url, sent) in [
            ("http://a.example/to/https://a.example/to//x", vec![true, true, true]),
            ("http://a.example/to/https://b.example/", vec![true, false]),
            ("http://a.example:81/to/https://a.example/", vec![true, false]),
            ("http://a.example/to/https://a.example:444/", vec![true, false]),
        ] {
            wait!(session.get(url).redirects(policy.clone()).send()).unwrap();
            let seen: Vec<_> = net.took("authorization").iter().map(|value| value == "Bearer t").collect();
            assert_eq!(seen, sent, "{url}");
        }
    }

    /// N8: or to those that are listed.
    fn n8_credentials_go_to_listed_origins_only() {
        let net = redirecting();
        let session = Session::builder()
            .transport(net.clone())
            .basic_auth("u", "p")
            .auth_origins(["https://api.example/any", "https://files.example:8443"])
            .build()
            .unwrap();
        for (url, sent) in [
            ("https://api.example/to/https://files.example:8443/", vec![true, true]),
            ("https://api.example/to/https://files.example/", vec![true, false]),
            ("http://api.example/", vec![false]),
            ("https://other.example/to/https://api.example/", vec![false, true]),
        ] {
            wait!(session.get(url).send()).unwrap();
            let seen: Vec<_> = net.took("authorization").iter().map(|value| !value.is_empty()).collect();
            assert_eq!(seen, sent, "{url}");
        }
        assert!(Session::builder().auth_origins(["nowhere"]).build().unwrap_err().is_builder());
    }

    /// The seam for challenge schemes: one answer to a 401, with the same request.
    fn a_scheme_answers_a_challenge_once() {
        let server = Server::start(|request: &Request| {
            let challenge = |reply: Reply| reply.header("WWW-Authenticate", "Counted realm=x");
            match (request.path(), request.header("authorization")) {
                ("/challenged", Some("mine")) => challenge(Reply::ok("no").status(401)),
                ("/never", _) => challenge(Reply::ok("no").status(401)),
                ("/plain", _) => Reply::ok("no").status(401),
                ("/moved", Some(_)) => Reply::empty(307).header("Location", "/never"),
                (_, Some(_)) => Reply::ok(request.text()),
                _ => challenge(Reply::ok("who are you").status(401)),
            }
        });
        let scheme = Answering::default();
        let session = Session::builder().auth(scheme.clone()).build().unwrap();
        let mut response = wait!(session.post(server.url("/")).body("text").send()).unwrap();
        assert_eq!((response.status().as_u16(), wait!(response.text()).unwrap().as_str()), (200, "text"));
        assert!(response.history().is_empty());
        let seen = server.requests();
        assert_eq!((seen.len(), seen[1].header("authorization"), seen[1].text().as_str()), (2, Some("Counted 1"), "text"));
        assert_eq!(session.pool_stats().created, 1, "the connection of the challenge is used again");
        // Then it knows.
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(server.requests().len(), 3);
        for path in ["/never", "/plain"] {
            let before = server.requests().len();
            let mut response = wait!(session.get(server.url(path)).send()).unwrap();
            assert_eq!((response.status().as_u16(), wait!(response.text()).unwrap().as_str()), (401, "no"));
            let expected = if path == "/never" { 2 } else { 1 };
            assert_eq!(server.requests().len() - before, expected, "{path}");
        }
        let response = wait!(session.get(server.url("/moved")).send()).unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(scheme.asked.lock().unwrap().as_slice(), ["POST / Counted realm=x", "GET /never Counted realm=x", "GET /never Counted realm=x"]);
        // A hook that leaves the fields alone does not stand in the way, whoever put `Authorization` there.
        for field in ["X-Plain", "Authorization"] {
            let session = Session::builder()
                .header(field, "mine")
                .auth(Answering::default())
                .pre_request_hook(Ok)
                .build()
                .unwrap();
            let response = wait!(session.get(server.url("/challenged")).send()).unwrap();
            assert_eq!(response.status().as_u16(), 200, "{field}");
        }
        // A body that cannot be sent again is not; nor is anything with credentials of the call's own.
        let session = Session::builder().auth(Answering::default()).build().unwrap();
        let once = Body::iter(["a", "b"]);
        assert_eq!(wait!(session.post(server.url("/")).body(once).send()).unwrap().status(), 401);
        assert_eq!(wait!(session.get(server.url("/never")).bearer_auth("own").send()).unwrap().status(), 401);
        assert_eq!(server.requests().pop().unwrap().header("authorization"), Some("Bearer own"));
    }
}
