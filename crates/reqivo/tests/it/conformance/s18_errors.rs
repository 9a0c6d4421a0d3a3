//! Errors.

use std::error::Error as _;
use std::time::Duration;

use reqivo::{Error, ErrorKind, Phase, RedirectPolicy, RedirectProblem, TimeLimit, Timeouts};
use testkit::{Authority, Gate, Identity, Reply, Script, Server, refused_addr};

use super::super::{Response, Session};

/// What every error answers.
#[derive(Debug, PartialEq)]
struct Facts {
    kind: ErrorKind,
    phase: Phase,
    sent: bool,
    safe: bool,
}

fn facts(error: &Error) -> Facts {
    Facts {
        kind: error.kind(),
        phase: error.phase(),
        sent: error.may_have_been_processed(),
        safe: error.is_safe_to_retry(),
    }
}

/// Which of the predicates that exclude each other hold.
fn predicates(error: &Error) -> Vec<&'static str> {
    let all = [
        ("builder", error.is_builder()),
        ("connect", error.is_connect()),
        ("dns", error.is_dns()),
        ("tls", error.is_tls()),
        ("proxy", error.is_proxy()),
        ("timeout", error.is_timeout()),
        ("protocol", error.is_protocol()),
        ("limit", error.is_limit()),
        ("incomplete", error.is_incomplete_body()),
        ("decode", error.is_decode()),
        ("body", error.is_body()),
        ("status", error.is_status()),
        ("redirect", error.is_redirect()),
        ("custom", error.is_custom()),
        ("cancelled", error.is_cancelled()),
    ];
    all.into_iter()
        .filter(|(_, holds)| *holds)
        .map(|(name, _)| name)
        .collect()
}

/// One line, lower case, no period, the URL without secrets, and the innermost cause.
fn check_text(error: &Error) {
    let text = error.to_string();
    assert!(
        !text.contains(['\n', '\r']) && !text.ends_with('.'),
        "{text}"
    );
    let mut cause = error.source();
    while let Some(next) = cause.and_then(|it| it.source()) {
        cause = Some(next);
    }
    if let Some(cause) = cause {
        assert!(
            text.contains(cause.to_string().trim_end_matches('.')),
            "{text} lacks {cause}"
        );
    }
    let shown = format!("{text} {error:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

fn with_password(url: &str) -> String {
    url.replace("://", "://user:s3cret@")
}

scenarios! {
    /// 18: what fails before any IO.
    fn s18_builder_errors() {
        let session = Session::new();
        for error in [
            wait!(session.get("nonsense").send()).unwrap_err(),
            wait!(session.get("http://").send()).unwrap_err(),
            wait!(session.get("gopher://a.example/").send()).unwrap_err(),
            wait!(session.get("http://a.example/").header("a b", "c").send()).unwrap_err(),
            wait!(session.get("http://a.example/").header("a", "b\r\nc: d").send()).unwrap_err(),
            wait!(session.get("http://a.example/").timeout(Duration::ZERO).send()).unwrap_err(),
        ] {
            let expected = Facts { kind: ErrorKind::Builder, phase: Phase::Build, sent: false, safe: true };
            assert_eq!((facts(&error), predicates(&error)), (expected, vec!["builder"]), "{error}");
            check_text(&error);
        }
    }

    /// 18: no connection comes about: lookup, connect, TLS.
    fn s18_connect_dns_and_tls_errors() {
        let url = with_password(&format!("http://{}/a?b#c", refused_addr()));
        let error = wait!(Session::new().post(&url).send()).unwrap_err();
        let expected = Facts { kind: ErrorKind::Connect, phase: Phase::Connect, sent: false, safe: true };
        assert_eq!((facts(&error), predicates(&error)), (expected, vec!["connect"]), "{error}");
        assert_eq!((error.url().unwrap().path(), error.url().unwrap().fragment()), ("/a", None));
        assert_eq!(error.method().map(|it| it.as_str()), Some("POST"));
        assert!(error.is_network() && error.source().is_some());
        check_text(&error);

        // Names below this one do not exist (RFC 6761).
        let error = wait!(Session::new().get(with_password("http://host.invalid/")).send()).unwrap_err();
        let expected = Facts { kind: ErrorKind::Dns, phase: Phase::Resolve, sent: false, safe: true };
        assert_eq!((facts(&error), predicates(&error)), (expected, vec!["connect", "dns"]), "{error}");
        check_text(&error);

        let server = Server::builder().tls(Identity::self_signed()).start(|_| Reply::ok("never"));
        let error = wait!(Session::new().get(with_password(&server.url("/"))).send()).unwrap_err();
        let expected = Facts { kind: ErrorKind::Tls, phase: Phase::Tls, sent: false, safe: true };
        assert_eq!((facts(&error), predicates(&error)), (expected, vec!["connect", "tls"]), "{error}");
        assert!(error.tls_problem().is_some());
        check_text(&error);
        drop(Authority::new());
    }

    /// 18, T3: each time limit has its name, its phase, and its predicate.
    fn s18_timeout_errors() {
        let gate = Gate::new();
        let (head, body) = (gate.clone(), gate.clone());
        let server = Server::start(move |request| match request.path() {
            "/head" => Reply::ok("late").hold(&head),
            _ => Reply::ok(vec![b'x'; 100_000]).hold_body(10, &body),
        });
        let session = Session::new();
        let short = Duration::from_millis(30);
        let read = Timeouts::none().read(short);
        let error = wait!(session.get(server.url("/head")).timeout(read.clone()).send()).unwrap_err();
        let expected = Facts { kind: ErrorKind::Timeout, phase: Phase::Head, sent: true, safe: true };
        assert_eq!((facts(&error), error.time_limit()), (expected, Some(TimeLimit::Read)), "{error}");
        assert!(error.is_read_timeout() && !error.is_connect_timeout() && !error.is_pool_timeout());
        assert!(error.to_string().ends_with("read timeout of 30ms expired waiting for the response"), "{error}");
        check_text(&error);
        let mut response: Response = wait!(session.post(server.url("/body")).timeout(read).send()).unwrap();
        let error = wait!(response.bytes()).unwrap_err();
        let expected = Facts { kind: ErrorKind::Timeout, phase: Phase::Body, sent: true, safe: false };
        assert_eq!(facts(&error), expected, "{error}");
        assert!(error.is_read_timeout());
        let total = Timeouts::none().total(short);
        let error = wait!(session.get(server.url("/head")).timeout(total).send()).unwrap_err();
        assert_eq!(error.time_limit(), Some(TimeLimit::Total), "{error}");
        assert_eq!(predicates(&error), ["timeout"]);
        gate.open();
    }

    /// 18: the connection breaks, the reply breaks the rules, a limit, or ends too early.
    fn s18_network_protocol_limit_and_body_errors() {
        let session = Session::new();
        let server = Server::replies([
            Script::new().reset(),
            Script::new().close(),
            Script::from(Reply::raw("HTTP/1.1 2000 OK\r\n\r\n")),
            Script::from(Reply::ok("x").header("X-Large", vec![b'x'; 70_000])),
        ]);
        for (kind, names) in [
            (ErrorKind::Network, vec![]),
            (ErrorKind::Network, vec![]),
            (ErrorKind::Protocol, vec!["protocol"]),
            (ErrorKind::Limit, vec!["protocol", "limit"]),
        ] {
            let error = wait!(session.post(with_password(&server.url("/"))).send()).unwrap_err();
            assert_eq!((error.kind(), predicates(&error)), (kind, names), "{error}");
            assert!(error.may_have_been_processed() && !error.is_safe_to_retry(), "{error}");
            check_text(&error);
        }
        let server = Server::start(|request| match request.path() {
            "/short" => Reply::ok("0123456789").truncated(3),
            "/coded" => Reply::ok("no gzip").header("Content-Encoding", "gzip"),
            _ => Reply::ok("[1, {]"),
        });
        let mut response = wait!(session.get(server.url("/short")).send()).unwrap();
        let error = wait!(response.bytes()).unwrap_err();
        assert_eq!((error.phase(), predicates(&error)), (Phase::Body, vec!["incomplete"]), "{error}");
        check_text(&error);
        let again = wait!(response.bytes()).unwrap_err();
        assert_eq!(predicates(&again), ["body"], "{again}");
        let mut response = wait!(session.get(server.url("/coded")).send()).unwrap();
        let error = wait!(response.bytes()).unwrap_err();
        assert_eq!((error.kind(), predicates(&error)), (ErrorKind::Decode, vec!["decode"]), "{error}");
        check_text(&error);
        let mut response = wait!(session.get(server.url("/json")).send()).unwrap();
        let error = wait!(response.json::<Vec<u32>>()).unwrap_err();
        assert_eq!((error.kind(), predicates(&error)), (ErrorKind::Json, vec!["decode"]), "{error}");
        assert_eq!(error.url().map(|it| it.as_str().to_owned()), Some(server.url("/json")));
        check_text(&error);
    }

    /// 18: a status is an error when that is asked for, with what the server said.
    fn s18_status_errors_carry_the_response() {
        let server = Server::start(|_| Reply::ok("why not").status(403).header("X-Id", "7"));
        let response: Response = wait!(Session::new().get(with_password(&server.url("/"))).send()).unwrap();
        let error = wait!(response.error_for_status()).unwrap_err();
        assert_eq!(predicates(&error), ["status"], "{error}");
        assert_eq!(error.status().map(|it| it.as_u16()), Some(403));
        assert_eq!(error.headers().and_then(|it| it.get("x-id")).as_deref(), Some("7"));
        assert_eq!(error.body().map(|it| &it[..]), Some(&b"why not"[..]));
        assert!(error.to_string().ends_with("server answered 403 (forbidden)"), "{error}");
        check_text(&error);
    }

    /// 18, F3, F4: redirects that are not followed say why.
    fn s18_redirect_errors_say_why() {
        let server = Server::start(|request| {
            let to = match request.path() {
                "/loop" => "/loop2".to_owned(),
                "/loop2" => "/loop".to_owned(),
                "/odd" => "ftp://a.example/".to_owned(),
                path => format!("{path}x"),
            };
            Reply::empty(302).header("Location", to)
        });
        let session = Session::new();
        let three = RedirectPolicy::limited(3);
        for (path, problem) in [
            ("/many", RedirectProblem::TooMany),
            ("/loop", RedirectProblem::Loop),
            ("/odd", RedirectProblem::Malformed),
        ] {
            let request = session.get(with_password(&server.url(path))).redirects(three.clone());
            let error = wait!(request.send()).unwrap_err();
            assert_eq!(error.redirect_problem(), Some(problem), "{error}");
            assert_eq!(error.is_too_many_redirects(), problem == RedirectProblem::TooMany);
            assert_eq!(error.is_redirect_loop(), problem == RedirectProblem::Loop);
            assert_eq!((predicates(&error), error.phase()), (vec!["redirect"], Phase::Redirect));
            assert_eq!(error.status().map(|it| it.as_u16()), Some(302));
            check_text(&error);
        }
    }

    /// 18: what the caller's own code fails with belongs to the same type, and keeps its cause.
    fn s18_custom_errors_keep_their_cause() {
        let session = Session::builder()
            .pre_request_hook(|_| Err(Error::custom(std::io::Error::other("disk is full"))))
            .build()
            .unwrap();
        let error = wait!(session.get(with_password("http://a.example/")).send()).unwrap_err();
        assert_eq!(predicates(&error), ["custom"], "{error}");
        assert!(error.source().unwrap().downcast_ref::<std::io::Error>().is_some());
        assert!(error.to_string().ends_with("disk is full") && !error.may_have_been_processed(), "{error}");
        check_text(&error);
    }
}
