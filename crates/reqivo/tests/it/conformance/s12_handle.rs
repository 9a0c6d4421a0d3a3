//! Single connections in the hands of the user.

use reqivo::ErrorKind;
use testkit::{Authority, Gate, Reply, Script, Server, refused_addr};

use super::super::{Connection, Session};

scenarios! {
    /// 12: open, send, close; nothing else is opened.
    fn s12_a_connection_carries_one_request_after_the_other() {
        let server = Server::start(|request| Reply::ok(request.target.clone()));
        let connection = wait!(Connection::open(server.url("/ignored?by=opening"))).unwrap();
        assert_eq!(connection.url().as_str(), server.url("/"));
        assert_eq!(connection.remote_addr(), Some(server.addr()));
        assert!(connection.local_addr().is_some_and(|it| it.ip().is_loopback() && it.port() != 0));
        assert!(connection.is_usable() && !connection.is_tls());
        for path in ["/one", "/two?a=b"] {
            let mut response = wait!(connection.get(path).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), path);
        }
        let mut response = wait!(connection.post(server.url("/three")).body("x").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/three");
        assert_eq!(connection.requests(), 3);
        assert_eq!(server.connections().opened, 1);
        drop(connection);
        server.wait_until_idle();
    }

    /// 12: close is idempotent and never fails; afterwards nothing is sent.
    fn s12_closing_is_idempotent_and_final() {
        let server = Server::start(|_| Reply::ok("x"));
        let connection = wait!(Connection::open(server.url("/"))).unwrap();
        connection.close();
        connection.close();
        server.wait_until(|view| view.connections.closed == 1);
        assert!(!connection.is_usable());
        let error = wait!(connection.get("/").send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert!(error.is_safe_to_retry() && error.to_string().ends_with("the connection is closed"), "{error}");
        assert_eq!((server.requests().len(), server.connections().opened), (0, 1));
    }

    /// 12: is_usable is false at the end of the stream and after unexpected bytes, and it never waits.
    fn s12_is_usable_notices_an_end_and_unasked_bytes() {
        let (close, speak) = (Gate::new(), Gate::new());
        let server = Server::builder().connections([
            vec![Script::from(Reply::ok("x")).wait(&close).close()],
            vec![Script::from(Reply::ok("x")).wait(&speak).write("HTTP/1.1 408 Too Slow\r\n\r\n").stall()],
        ]);
        let ended = wait!(Connection::open(server.url("/"))).unwrap();
        wait!(ended.get("/").send()).unwrap();
        assert!(ended.is_usable());
        close.open();
        testkit::eventually("the end is noticed", || !ended.is_usable());
        let spoken_to = wait!(Connection::open(server.url("/"))).unwrap();
        wait!(spoken_to.get("/").send()).unwrap();
        assert!(spoken_to.is_usable());
        speak.open();
        testkit::eventually("the bytes are noticed", || !spoken_to.is_usable());
        let error = wait!(spoken_to.get("/").send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    }

    /// 12: a connection whose response is being read is not usable, and says so instead of waiting.
    fn s12_a_connection_in_use_is_refused_at_once_and_usable_again_at_the_end() {
        let server = Server::start(|request| match request.path() {
            "/large" => Reply::ok(vec![b'x'; 200_000]),
            _ => Reply::ok("small"),
        });
        let connection = wait!(Connection::open(server.url("/"))).unwrap();
        let mut response = wait!(connection.get("/large").send()).unwrap();
        assert!(!connection.is_usable());
        let error = wait!(connection.get("/").send()).unwrap_err();
        assert!(error.is_builder() && error.to_string().contains("in use"), "{error}");
        assert_eq!(wait!(response.bytes()).unwrap().len(), 200_000);
        assert!(connection.is_usable());
        wait!(connection.get("/").send()).unwrap();
        // Closed at the end of what is being read.
        let mut response = wait!(connection.get("/large").send()).unwrap();
        connection.close();
        assert_eq!(wait!(response.bytes()).unwrap().len(), 200_000);
        assert!(!connection.is_usable());
        server.wait_until_idle();
        assert_eq!(server.connections().opened, 1);
    }

    /// 12, P6: what does not persist is closed after its response.
    fn s12_a_response_that_ends_the_connection_ends_it() {
        let server = Server::replies([Reply::ok("x").header("Connection", "close")]);
        let connection = wait!(Connection::open(server.url("/"))).unwrap();
        wait!(connection.get("/").send()).unwrap();
        assert!(!connection.is_usable());
        assert!(wait!(connection.get("/").send()).unwrap_err().is_network());
    }

    /// 12: a request is not repeated, and no other connection is opened in its place.
    fn s12_a_connection_that_breaks_is_not_replaced() {
        let server = Server::builder().connections([vec![Script::from(Reply::ok("x")), Script::new().reset()]]);
        let connection = wait!(Connection::open(server.url("/"))).unwrap();
        wait!(connection.get("/").send()).unwrap();
        let error = wait!(connection.get("/").send()).unwrap_err();
        assert!(error.is_network() && error.may_have_been_processed(), "{error}");
        assert!(!connection.is_usable());
        assert_eq!(server.connections().opened, 1);
    }

    /// 2.1: an explicit connection is ignored when its host or port differ from the URL's.
    fn s02_1_an_explicit_connection_serves_only_its_own_server() {
        let (first, second) = (Server::start(|_| Reply::ok("first")), Server::start(|_| Reply::ok("second")));
        let session = Session::builder().header("X-Session", "1").build().unwrap();
        let connection = wait!(session.connect(first.url("/"))).unwrap();
        let mut response = wait!(session.get(first.url("/")).on(&connection).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "first");
        let mut response = wait!(session.get(second.url("/")).on(&connection).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "second");
        let mut response = wait!(session.get(first.localhost_url("/")).on(&connection).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "first");
        assert_eq!(connection.requests(), 1);
        assert_eq!((first.connections().opened, second.connections().opened), (2, 1));
        assert_eq!(session.pool_stats().created, 2);
        assert_eq!(first.requests()[0].header("x-session"), Some("1"));
    }

    /// 2.1, F10: a redirect goes on over the connection, or over the pool when the server closed it.
    fn s02_1_redirects_stay_on_an_explicit_connection_while_it_lasts() {
        let server = Server::start(|request| match request.path() {
            "/a" => Reply::empty(302).header("Location", "/b"),
            "/b" => Reply::empty(302).header("Location", "/c").header("Connection", "close"),
            path => Reply::ok(path.to_owned()),
        });
        let session = Session::new();
        let connection = wait!(session.connect(server.url("/"))).unwrap();
        let mut response = wait!(session.get(server.url("/a")).on(&connection).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/c");
        assert_eq!(connection.requests(), 2);
        assert_eq!(server.requests().iter().map(|it| it.connection).collect::<Vec<_>>(), [0, 0, 1]);
    }

    /// 12: TLS is spoken with https, and a failed handshake closes the socket.
    fn s12_tls_is_part_of_opening() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good()).start(|_| Reply::ok("secure"));
        let error = wait!(Connection::open(server.url("/"))).unwrap_err();
        assert!(error.is_tls(), "{error}");
        assert_eq!(error.url().map(|url| url.as_str().to_owned()), Some(server.url("/")));
        server.wait_until(|view| view.connections.closed == 1);
        let tls = reqivo::TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let session = Session::builder().tls(tls).build().unwrap();
        let connection = wait!(session.connect(server.url("/"))).unwrap();
        assert!(connection.is_tls() && connection.is_usable());
        assert!(connection.tls().is_some());
        let mut response = wait!(connection.get("/").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "secure");
        assert_eq!(session.pool_stats().open, 0);
    }

    /// 12: what cannot be connected to is an error that names it without its credentials.
    fn s12_opening_fails_with_a_typed_error() {
        let url = format!("http://user:s3cret@{}/", refused_addr());
        let error = wait!(Connection::open(&url)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.is_connect() && !error.may_have_been_processed());
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("127.0.0.1") && !shown.contains("s3cret"), "{shown}");
        for url in ["ftp://127.0.0.1/", "not a url", "/relative"] {
            assert!(wait!(Connection::open(url)).unwrap_err().is_builder(), "{url}");
        }
    }
}
