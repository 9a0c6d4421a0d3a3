//! Requests without a session: a connection is opened, used once and closed.

use reqivo::Method;
use testkit::{Reply, Server};

use super::super::face;

scenarios! {
    /// 2.4: each function opens a connection, uses it for one request and closes it.
    fn s02_4_one_shot_functions_open_use_once_and_close() {
        let server = Server::start(|request| Reply::ok(request.text()).header("Connection", "keep-alive"));
        for call in 1..=3 {
            let mut response = wait!(face::post(server.url("/")).body("echo").send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "echo");
            server.wait_until(|view| view.connections.closed == call);
        }
        assert_eq!(server.connections().opened, 3);
    }

    /// 2.1, 2.4: one function for each method, and one for any.
    fn s02_4_one_shot_functions_send_their_method() {
        let server = Server::start(|_| Reply::ok("x"));
        let url = || server.url("/path?q");
        wait!(face::get(url()).send()).unwrap();
        wait!(face::head(url()).send()).unwrap();
        wait!(face::options(url()).send()).unwrap();
        wait!(face::post(url()).send()).unwrap();
        wait!(face::put(url()).send()).unwrap();
        wait!(face::patch(url()).send()).unwrap();
        wait!(face::delete(url()).send()).unwrap();
        wait!(face::request(Method::from_bytes(b"PURGE").unwrap(), url()).send()).unwrap();
        let seen: Vec<String> = server.requests().into_iter().map(|it| it.method).collect();
        assert_eq!(seen, ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"]);
        assert!(server.requests().iter().all(|it| it.target == "/path?q"));
    }

    /// 2.4: no hidden shared state: what one call is told, the next does not know.
    fn s02_4_one_shot_functions_share_nothing() {
        let server = Server::start(|request| match request.path() {
            "/login" => Reply::empty(302).header("Location", "/home").header("Set-Cookie", "id=1"),
            _ => Reply::ok("x").header("Set-Cookie", "other=2"),
        });
        let url = server.url("/login").replace("http://", "http://user:password@");
        wait!(face::get(url).send()).unwrap();
        wait!(face::get(server.url("/home")).send()).unwrap();
        let requests = server.requests();
        let field = |at: usize, name: &str| requests[at].header(name).map(str::to_owned);
        // Within the call with its redirect the cookie is there, beyond it nothing is.
        assert_eq!((field(1, "cookie").as_deref(), field(2, "cookie")), (Some("id=1"), None));
        assert!(field(0, "authorization").is_some() && field(2, "authorization").is_none());
        assert_eq!(server.connections().opened, 3);
    }

    /// 2.4, N4: mistakes are typed errors before any IO.
    fn s02_4_one_shot_functions_refuse_bad_urls() {
        for url in ["/relative", "ftp://a.example/", "http://", "nonsense"] {
            let error = wait!(face::get(url).send()).unwrap_err();
            assert!(error.is_builder() && !error.may_have_been_processed(), "{url}: {error}");
        }
    }
}
