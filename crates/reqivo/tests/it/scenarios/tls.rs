//! Requests over TLS.

use reqivo::TlsConfig;
use testkit::{Action, Authority, Reply, Script, Server};

use super::Session;

fn session(authority: &Authority) -> Session {
    let tls = TlsConfig::new()
        .add_roots_pem(authority.pem())
        .unwrap()
        .only_added_roots();
    Session::builder().tls(tls).build().unwrap()
}

scenarios! {
    fn requests_go_over_tls_and_connections_are_kept() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good()).start(|request| Reply::ok(request.target.clone()));
        let session = session(&authority);
        for call in 0..5 {
            let url = if call < 3 { server.url("/x") } else { server.localhost_url("/x") };
            let mut response = wait!(session.get(url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "/x");
        }
        assert_eq!(session.pool_stats().created, 2);
        assert_eq!(server.records()[0].alpn, None);
    }

    fn a_large_body_goes_both_ways() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good()).start(|request| Reply::ok(request.body.clone()));
        let body = vec![b'x'; 3_000_000];
        let mut response = wait!(session(&authority).post(server.url("/")).body(body.clone()).send()).unwrap();
        assert!(wait!(response.bytes()).unwrap() == body);
    }

    fn a_body_to_the_end_of_the_connection_needs_the_closing_message() {
        let authority = Authority::new();
        let head = "HTTP/1.1 200 OK\r\n\r\nbody";
        let server = Server::builder().tls(authority.good()).replies([
            Script::new().write(head).then(Action::Close),
            Script::new().write(head).then(Action::Cut),
            Script::new().write(head).then(Action::Cut),
        ]);
        let strict = session(&authority);
        let mut response = wait!(strict.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "body");
        let mut response = wait!(strict.get(server.url("/")).send()).unwrap();
        assert!(wait!(response.bytes()).unwrap_err().is_incomplete_body());
        let tls = TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let lenient = Session::builder()
            .tls(tls)
            .tolerance(reqivo::Tolerance::default().accept_unclean_tls_close())
            .build()
            .unwrap();
        let mut response = wait!(lenient.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "body");
    }

    fn names_can_be_given_addresses() {
        let authority = Authority::new();
        let identity = authority.for_hosts(&["device.example"]);
        let server = Server::builder().tls(identity).start(|_| Reply::ok("named"));
        let tls = TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let session = Session::builder()
            .tls(tls)
            .resolve("Device.Example", [server.addr().ip()])
            .build()
            .unwrap();
        let url = format!("https://device.example:{}/", server.addr().port());
        let mut response = wait!(session.get(url).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "named");
        assert_eq!(server.only_request().header("host"), Some(format!("device.example:{}", server.addr().port()).as_str()));
    }

    fn downgrades_can_be_refused() {
        let authority = Authority::new();
        let plain = Server::start(|_| Reply::ok("plain"));
        let location = plain.url("/");
        let server = Server::builder()
            .tls(authority.good())
            .start(move |_| Reply::empty(302).header("Location", location.as_str()));
        let session = session(&authority);
        let policy = reqivo::RedirectPolicy::default().refuse_downgrade();
        let error = wait!(session.get(server.url("/")).redirects(policy).send()).unwrap_err();
        assert!(error.is_redirect() && plain.requests().is_empty(), "{error}");
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "plain");
    }
}
