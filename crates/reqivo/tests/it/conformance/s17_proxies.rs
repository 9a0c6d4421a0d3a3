//! Proxies.

use std::time::Duration;

use reqivo::{ErrorKind, Method, NoProxy, Phase, Proxy, TimeLimit, TlsConfig, TlsProblem};
use testkit::{
    Authority, Blackhole, Proxy as TestProxy, Reply, Request, Script, Server, refused_addr,
};

use super::super::Session;

/// A session with one proxy for everything.
fn through(proxy: &str) -> Session {
    Session::builder()
        .proxy(Proxy::all(proxy).unwrap())
        .build()
        .unwrap()
}

fn trust(authority: &Authority) -> TlsConfig {
    TlsConfig::new()
        .add_root_der(authority.der())
        .only_added_roots()
}

/// A session that also trusts an authority.
fn trusting(authority: &Authority, proxy: Proxy) -> Session {
    Session::builder()
        .proxy(proxy)
        .tls(trust(authority))
        .build()
        .unwrap()
}

/// An https server for a name that only the proxy can reach.
fn hidden(authority: &Authority) -> (Server, String) {
    let identity = authority.for_hosts(&["hidden.example"]);
    let server = Server::builder()
        .tls(identity)
        .start(|request: &Request| Reply::ok(format!("{} {}", request.target, request.text())));
    let url = format!("https://hidden.example:{}/path?q=1", server.addr().port());
    (server, url)
}

scenarios! {
    fn x1_plain_requests_are_handed_to_the_proxy_in_absolute_form() {
        let proxy = Server::start(|request: &Request| Reply::ok(request.text()));
        let session = through(&proxy.url("").replace("//", "//user:pa%20ss@"));
        for (method, url, target, host) in [
            ("GET", "http://a.example/x?y=1#z", "http://a.example/x?y=1", "a.example"),
            ("POST", "http://a.example:80", "http://a.example/", "a.example"),
            ("DELETE", "http://a.example:8080/%20", "http://a.example:8080/%20", "a.example:8080"),
            ("GET", "http://[::1]:81/", "http://[::1]:81/", "[::1]:81"),
            ("OPTIONS", "http://127.0.0.1/", "http://127.0.0.1/", "127.0.0.1"),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let mut response = wait!(session.request(method.clone(), url).body("text").send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "text");
            assert_eq!(response.remote_addr(), Some(proxy.addr()));
            let seen = proxy.requests().pop().unwrap();
            assert_eq!((seen.method.as_str(), seen.target.as_str()), (method.as_str(), target));
            let hosts: Vec<_> = seen.header_all("host").collect();
            assert_eq!(hosts, [host]);
            assert_eq!(seen.header("proxy-authorization"), Some("Basic dXNlcjpwYSBzcw=="));
            assert!(seen.header("authorization").is_none());
        }
    }

    fn x1_the_connection_to_the_proxy_is_kept() {
        let proxy = Server::start(|_| Reply::ok("kept"));
        let session = through(&proxy.url(""));
        for _ in 0..5 {
            let mut response = wait!(session.get("http://a.example/").send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "kept");
        }
        assert_eq!(proxy.connections().opened, 1);
        assert_eq!(session.pool_stats().reused, 4);
    }

    /// X1: a refusal of a request that the proxy reads is an answer like any other.
    fn x1_what_the_proxy_answers_is_the_response() {
        let proxy = Server::start(|_| Reply::ok("who?").status(407).header("Proxy-Authenticate", "Basic"));
        let mut response = wait!(through(&proxy.url("")).get("http://a.example/").send()).unwrap();
        assert_eq!(response.status(), 407);
        assert_eq!(wait!(response.text()).unwrap(), "who?");
    }

    fn x1_a_forwarding_proxy_brings_requests_and_bodies_to_the_origin() {
        let server = Server::start(|request: &Request| Reply::ok(request.text()));
        let proxy = TestProxy::http().login("user", "secret").start();
        let session = through(&proxy.url().replace("//", "//user:secret@"));
        let url = format!("http://origin.example:{}/x", server.addr().port());
        let mut response = wait!(session.post(&url).body("to the origin").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "to the origin");
        assert_eq!(server.only_request().target, "/x");
        assert_eq!((proxy.only_visit().by.as_str(), proxy.only_visit().target), ("post", url));
    }

    fn x2_https_goes_through_a_tunnel_that_is_kept() {
        let authority = Authority::new();
        let (server, url) = hidden(&authority);
        let proxy = TestProxy::http().login("user", "secret").start();
        let rule = Proxy::all(proxy.url()).unwrap().basic_auth("user", "secret");
        let session = trusting(&authority, rule.header("X-For-Proxy", "p").unwrap());
        for body in ["one", "two"] {
            let request = session.post(&url).body(body).bearer_auth("token").header("Cookie", "a=b");
            let mut response = wait!(request.send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), format!("/path?q=1 {body}"));
        }
        let visit = proxy.only_visit();
        let authority = format!("hidden.example:{}", server.addr().port());
        assert_eq!((visit.by.as_str(), &visit.target), ("connect", &authority));
        assert_eq!(visit.header("host"), Some(authority.as_str()));
        assert_eq!(visit.header("proxy-authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
        assert_eq!(visit.header("x-for-proxy"), Some("p"));
        for name in ["authorization", "cookie", "content-length", "accept"] {
            assert_eq!(visit.header(name), None, "{name}");
        }
        // TLS from the first byte on.
        assert_eq!(visit.carried[0], 22);
        assert_eq!(server.requests().len(), 2);
        assert_eq!(server.connections().opened, 1);
        assert_eq!(server.requests()[0].header("host"), Some(authority.as_str()));
        assert_eq!(server.records()[0].server_name.as_deref(), Some("hidden.example"));
    }

    fn x2_refusals_are_proxy_errors_with_status_fields_and_body() {
        let authority = Authority::new();
        let (server, url) = hidden(&authority);
        let guarded = TestProxy::http().login("user", "secret").start();
        for wrong in ["", "user:wrong@"] {
            let rule = Proxy::all(guarded.url().replace("//", &format!("//{wrong}"))).unwrap();
            let session = trusting(&authority, rule);
            let error = wait!(session.post(&url).body("x").send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Phase::Proxy), "{error}");
            assert!(error.is_proxy() && error.is_connect() && !error.is_status());
            assert_eq!(error.status().unwrap().as_u16(), 407);
            assert_eq!(&error.body().unwrap()[..], b"who are you?");
            let offered = error.headers().unwrap().get("proxy-authenticate").unwrap().into_owned();
            assert_eq!(offered, "Basic realm=\"test\"");
            assert!(error.is_safe_to_retry() && !error.may_have_been_processed());
            assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
            assert_eq!(session.pool_stats().open, 0);
        }
        let long = format!("HTTP/1.1 503 Full\r\n\r\n{}", "x".repeat(100_000));
        for (answer, status, body) in [
            ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", Some(403), 2),
            ("HTTP/1.1 302 Go\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n", Some(302), 0),
            ("HTTP/1.0 502 Bad\r\n\r\nreason", Some(502), 6),
            (long.as_str(), Some(503), 65536),
            ("220 smtp.example ready\r\n", None, 0),
            ("HTTP/1.1 200 OK\r\n\r\nunasked", None, 0),
            ("HTTP/1.1 101 Switching\r\n\r\n", None, 0),
            ("HTTP/1.1 2", None, 0),
            ("", None, 0),
        ] {
            let proxy = TestProxy::http().answer(answer.to_owned()).start();
            let session = trusting(&authority, Proxy::all(proxy.url()).unwrap());
            let error = wait!(session.get(&url).send()).unwrap_err();
            assert!(error.is_proxy(), "{error}");
            assert_eq!(error.status().map(|status| status.as_u16()), status, "{error}");
            assert_eq!(error.body().map_or(0, |body| body.len()), body, "{error}");
            assert!(error.is_safe_to_retry() && error.to_string().contains(&proxy.url()), "{error}");
        }
        assert_eq!(server.requests().len(), 0);
    }

    /// X2: a length in the answer to CONNECT means nothing.
    fn x2_a_tunnel_has_no_body_before_it() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good()).start(|_| Reply::ok("behind"));
        let addr = server.addr();
        let proxy = Server::raw(move |wire| {
            wire.read_head()?;
            let upstream = std::net::TcpStream::connect(addr)?;
            std::io::Write::write_all(
                wire,
                b"HTTP/1.1 103 Wait\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 700\r\nTransfer-Encoding: chunked\r\n\r\n",
            )?;
            wire.tunnel(&upstream, |_| {})
        });
        let session = trusting(&authority, Proxy::all(proxy.url("")).unwrap());
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "behind");
    }

    fn x2_a_bad_certificate_behind_the_tunnel_is_a_tls_error() {
        let server = Server::builder().tls(Authority::new().good()).start(|_| Reply::ok("never"));
        let proxy = TestProxy::http().start();
        let session = trusting(&Authority::new(), Proxy::all(proxy.url()).unwrap());
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert_eq!(error.tls_problem(), Some(TlsProblem::Untrusted));
        assert!(proxy.only_visit().admitted && !error.is_proxy());
    }

    fn x3_the_way_to_the_proxy_itself_may_be_tls() {
        let authority = Authority::new();
        let (server, url) = hidden(&authority);
        let plain = Server::start(|request: &Request| Reply::ok(request.text()));
        let proxy = TestProxy::http().tls(authority.good()).login("u", "p").start();
        let session = trusting(&authority, Proxy::all(proxy.url()).unwrap().basic_auth("u", "p"));
        let mut response = wait!(session.post(plain.url("/x")).body("plain").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "plain");
        let mut response = wait!(session.post(&url).body("tls in tls").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/path?q=1 tls in tls");
        let visits = proxy.visits();
        assert_eq!((visits[0].by.as_str(), visits[0].target.clone()), ("post", plain.url("/x")));
        assert_eq!((visits[1].by.as_str(), visits[1].carried[0]), ("connect", 22));
        assert_eq!(server.requests().len(), 1);
    }

    fn x3_large_bodies_pass_tls_in_tls_both_ways() {
        let authority = Authority::new();
        let server = Server::builder()
            .tls(authority.good())
            .start(|request: &Request| Reply::ok(request.body.clone()));
        let proxy = TestProxy::http().tls(authority.good()).start();
        let session = trusting(&authority, Proxy::all(proxy.url()).unwrap());
        let body: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
        for _ in 0..2 {
            let mut response = wait!(session.post(server.url("/")).body(body.clone()).send()).unwrap();
            assert!(wait!(response.bytes()).unwrap() == body);
        }
        assert_eq!(proxy.visits().len(), 1);
    }

    fn x3_the_proxy_may_have_tls_settings_of_its_own() {
        let (inner, outer) = (Authority::new(), Authority::new());
        let server = Server::builder().tls(inner.good()).start(|_| Reply::ok("both"));
        let proxy = TestProxy::http().tls(outer.good()).start();
        let rule = || Proxy::all(proxy.url()).unwrap();
        let session = trusting(&inner, rule().tls(trust(&outer)));
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "both");
        let error = wait!(trusting(&inner, rule()).get(server.url("/")).send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Phase::Tls), "{error}");
        assert_eq!(error.tls_problem(), Some(TlsProblem::Untrusted));
        assert_eq!(proxy.visits().len(), 1);
    }

    /// X3, X7: what servers are shown is not for the proxy, unless it is told.
    fn x3_a_client_certificate_is_shown_to_servers_and_not_to_the_proxy() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good().require_client(&authority)).start(|_| Reply::ok("known"));
        let client = authority.client("me");
        let tls = || trust(&authority).client_certificate_pem(client.pem(), client.key_pem()).unwrap();
        let strict = TestProxy::http().tls(authority.good().require_client(&authority)).start();
        let easy = TestProxy::http().tls(authority.good()).start();
        for (rule, good) in [
            (Proxy::all(easy.url()).unwrap(), true),
            (Proxy::all(strict.url()).unwrap(), false),
            (Proxy::all(strict.url()).unwrap().tls(tls()), true),
        ] {
            let session = Session::builder().tls(tls()).proxy(rule).build().unwrap();
            match wait!(session.get(server.url("/")).send()) {
                Ok(mut response) => assert!(good && wait!(response.text()).unwrap() == "known"),
                Err(error) => assert!(!good && error.is_proxy(), "{error}"),
            }
        }
        assert_eq!(strict.visits().len(), 1);
    }

    fn x4_names_are_looked_up_by_the_proxy_or_here_as_the_scheme_says() {
        let server = Server::start(|request: &Request| Reply::ok(request.target.clone()));
        let port = server.addr().port();
        let url = format!("http://hidden.example:{port}/x");
        for (scheme, by, host) in [
            ("socks4", "socks4", "127.0.0.1"),
            ("socks4a", "socks4a", "hidden.example"),
            ("socks5", "socks5", "127.0.0.1"),
            ("socks5h", "socks5", "hidden.example"),
        ] {
            let proxy = TestProxy::socks().start();
            let session = Session::builder()
                .proxy(Proxy::all(proxy.url_as(scheme)).unwrap())
                .resolve("hidden.example", [[127, 0, 0, 1].into()])
                .build()
                .unwrap();
            for _ in 0..2 {
                let mut response = wait!(session.get(&url).send()).unwrap();
                assert_eq!(wait!(response.text()).unwrap(), "/x", "{scheme}");
            }
            let visit = proxy.only_visit();
            assert_eq!((visit.by.as_str(), visit.target), (by, format!("{host}:{port}")), "{scheme}");
            // Behind it the request is one for the origin.
            assert!(visit.carried.starts_with(b"GET /x HTTP/1.1\r\n"));
            let mut response = wait!(session.get(server.url("/address")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "/address");
            assert_eq!(proxy.visits()[1].target, server.addr().to_string(), "{scheme}");
        }
    }

    fn x4_socks_carries_tls() {
        let authority = Authority::new();
        let (_server, url) = hidden(&authority);
        for scheme in ["socks4a", "socks5h"] {
            let proxy = TestProxy::socks().start();
            let session = trusting(&authority, Proxy::https(proxy.url_as(scheme)).unwrap());
            let mut response = wait!(session.get(&url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "/path?q=1 ");
            assert_eq!(proxy.only_visit().carried[0], 22);
        }
    }

    fn x4_logins() {
        let server = Server::start(|_| Reply::ok("in"));
        let proxy = TestProxy::socks().login("us:er", "pa ss").start();
        let good = Proxy::all(proxy.url().replace("//", "//us%3Aer:pa%20ss@")).unwrap();
        let set = Proxy::all(proxy.url()).unwrap().basic_auth("us:er", "pa ss");
        let four = Proxy::all(proxy.url_as("socks4a")).unwrap().basic_auth("us:er", "");
        for rule in [good, set, four] {
            let session = Session::builder().proxy(rule).build().unwrap();
            let mut response = wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "in");
            assert_eq!(proxy.visits().pop().unwrap().login.unwrap().0, "us:er");
        }
        let wrong = |scheme: &str, login: &str| proxy.url_as(scheme).replace("//", &format!("//{login}"));
        for (url, text) in [
            (wrong("socks5", "us%3Aer:wrong@"), "refused the user name or password"),
            (wrong("socks5h", ""), "wants a user name and password"),
            (wrong("socks4", "wrong@"), "identd"),
        ] {
            let error = wait!(through(&url).get(server.url("/")).send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Phase::Proxy));
            let shown = format!("{error} {error:?}");
            assert!(error.to_string().contains(text) && !shown.contains("wrong"), "{shown}");
            assert!(error.is_safe_to_retry());
        }
        assert_eq!(server.requests().len(), 3);
    }

    fn x4_refusals_say_what_the_proxy_said() {
        for (scheme, code, text) in [
            ("socks5h", 1, "general failure"),
            ("socks5h", 2, "not allowed"),
            ("socks5", 4, "host unreachable"),
            ("socks5", 5, "connection refused"),
            ("socks5", 99, "socks reply 99"),
            ("socks4", 0x5b, "rejected"),
        ] {
            let proxy = TestProxy::socks().code(code).start();
            let session = through(&proxy.url_as(scheme));
            let error = wait!(session.get("http://127.0.0.1:9/").send()).unwrap_err();
            assert!(error.is_proxy() && error.to_string().contains(text), "{error}");
            assert_eq!(session.pool_stats().open, 0);
            assert_eq!(proxy.visits().len(), 1);
        }
        let http = Server::builder().tolerate_malformed().start(|_| Reply::ok("x"));
        for scheme in ["socks4", "socks5"] {
            let url = http.url("").replace("http", scheme);
            let error = wait!(through(&url).get("http://127.0.0.1:9/").send()).unwrap_err();
            assert!(error.is_proxy(), "{error}");
        }
        let proxy = TestProxy::socks().start();
        let error = wait!(through(&proxy.url_as("socks4")).get("http://[fd00::1]/").send()).unwrap_err();
        assert!(error.is_proxy() && error.to_string().contains("ipv4"), "{error}");
    }

    /// X4: with the addresses looked up here, the proxy is asked for the next one when one fails.
    fn x4_every_address_of_a_host_is_tried() {
        let server = Server::start(|_| Reply::ok("found"));
        let proxy = TestProxy::socks().unreachable(4).start();
        let session = Session::builder()
            .proxy(Proxy::all(proxy.url_as("socks5")).unwrap())
            .resolve("two.example", ["fd00::1".parse().unwrap(), [127, 0, 0, 1].into()])
            .build()
            .unwrap();
        let url = format!("http://two.example:{}/", server.addr().port());
        let mut response = wait!(session.get(&url).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "found");
        let asked: Vec<_> = proxy.visits().into_iter().map(|visit| visit.admitted).collect();
        assert_eq!(asked, [false, true]);
    }

    fn x5_the_environment_names_proxies() {
        let direct = Server::start(|_| Reply::ok("direct"));
        let proxy = Server::start(|_| Reply::ok("proxy"));
        let port = direct.addr().port();
        let named = format!("http://named.example:{port}/");
        let builder = || Session::builder().resolve("named.example", [[127, 0, 0, 1].into()]);
        let environment = |more: &[(&str, &str)]| {
            let mut all = vec![("http_proxy".to_owned(), proxy.url(""))];
            all.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            all
        };
        let upper = vec![("HTTP_PROXY", proxy.url(""))];
        let mut cgi = upper.clone();
        cgi.push(("REQUEST_METHOD", "GET".to_owned()));
        let here = proxy.url("");
        let at_port = format!("named.example:{port}");
        for (session, url, whose) in [
            (builder().environment(environment(&[])), &named, "proxy"),
            (builder().environment(environment(&[("no_proxy", ".example")])), &named, "direct"),
            (builder().environment(environment(&[("NO_PROXY", at_port.as_str())])), &named, "direct"),
            (builder().environment(environment(&[("no_proxy", "named.example:1")])), &named, "proxy"),
            (builder().environment(environment(&[("no_proxy", "*")])), &named, "direct"),
            (builder().environment(upper), &named, "proxy"),
            (builder().environment(cgi), &named, "direct"),
            (builder().environment([("all_proxy", here.as_str())]), &named, "proxy"),
            (builder().environment([("https_proxy", here.as_str())]), &named, "direct"),
            (builder().environment(environment(&[])).ignore_environment(), &named, "direct"),
            (builder().environment(environment(&[])).no_proxy(), &named, "direct"),
            (builder().environment(environment(&[])), &direct.url("/"), "direct"),
            (builder().environment(environment(&[])), &direct.localhost_url("/"), "direct"),
            (builder().environment(environment(&[])).proxy_loopback(), &direct.url("/"), "proxy"),
        ] {
            let mut response = wait!(session.build().unwrap().get(url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), whose, "{url}");
        }
        // What code says comes first, and then nothing of the environment is used.
        let session = builder()
            .environment(environment(&[]))
            .proxy(Proxy::https("http://127.0.0.1:9").unwrap())
            .build()
            .unwrap();
        let mut response = wait!(session.get(&named).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "direct");
    }

    fn x5_a_variable_that_names_no_proxy_fails_and_nothing_goes_directly() {
        let server = Server::start(|_| Reply::ok("direct"));
        let session = Session::builder()
            .environment([("http_proxy", "gopher://u:secret@x")])
            .resolve("named.example", [[127, 0, 0, 1].into()])
            .build()
            .unwrap();
        let error = wait!(session.get(format!("http://named.example:{}/", server.addr().port())).send()).unwrap_err();
        assert!(error.is_proxy() && error.to_string().contains("http_proxy"), "{error}");
        assert!(!format!("{error:?} {session:?}").contains("secret"));
        assert_eq!(server.requests().len(), 0);
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "direct");
    }

    /// X5: the environment of the process itself, in a process that has one.
    fn x5_a_plain_session_reads_the_environment_of_its_process() {
        let url = "http://named.invalid/";
        if std::env::var_os("REQIVO_TEST_CHILD").is_some() {
            let mut response = wait!(Session::new().get(url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "proxied");
            return;
        }
        let proxy = Server::start(|_| Reply::ok("proxied"));
        let (_, module) = module_path!().split_once("::").unwrap();
        let test = format!("{module}::x5_a_plain_session_reads_the_environment_of_its_process");
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([&test, "--exact", "--nocapture"])
            .env("REQIVO_TEST_CHILD", "1")
            .env_remove("REQUEST_METHOD")
            .env("http_proxy", proxy.url(""))
            .env("no_proxy", "other.invalid")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        assert_eq!(proxy.only_request().target, url);
    }

    fn x6_rules_by_scheme_host_and_callback_and_per_call() {
        let answer = |name: &'static str| Server::start(move |_| Reply::ok(name));
        let (one, two, three, direct) = (answer("one"), answer("two"), answer("three"), answer("direct"));
        let third = three.url("");
        let session = Session::builder()
            .resolve("free.example", [[127, 0, 0, 1].into()])
            .proxy(Proxy::http(one.url("")).unwrap().only_for("one.example").unwrap())
            .proxy(Proxy::custom(move |url| (url.path() == "/three").then(|| third.clone())))
            .proxy(Proxy::https("http://127.0.0.1:9").unwrap())
            .proxy(Proxy::all(two.url("")).unwrap().no_proxy(NoProxy::new("free.example").unwrap()))
            .build()
            .unwrap();
        let free = format!("http://free.example:{}/", direct.addr().port());
        for (url, whose) in [
            ("http://one.example/three", "one"),
            ("http://sub.one.example/", "one"),
            ("http://other.example/three", "three"),
            ("http://other.example/", "two"),
            (free.as_str(), "direct"),
        ] {
            let mut response = wait!(session.get(url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), whose, "{url}");
        }
        // A call may choose for itself.
        let request = session.get("http://one.example/").proxy(Proxy::all(two.url("")).unwrap());
        let mut response = wait!(request.send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "two");
        let mut response = wait!(session.get(direct.url("/three")).no_proxy().send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "direct");
        let elsewhere = Proxy::https(two.url("")).unwrap();
        let mut response = wait!(session.get(direct.url("/")).proxy(elsewhere).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "direct");
    }

    fn x6_a_callback_that_names_no_proxy_fails_the_call() {
        let server = Server::start(|_| Reply::ok("direct"));
        let session = Session::builder().proxy(Proxy::custom(|_| Some("nonsense://"))).build().unwrap();
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert!(error.is_proxy() && error.is_safe_to_retry(), "{error}");
        assert_eq!(server.requests().len(), 0);
        for bad in ["", "http://", "gopher://x", "http://a b"] {
            assert!(Proxy::all(bad).unwrap_err().is_builder(), "{bad}");
        }
        let unsendable = Proxy::all("http://x").unwrap().basic_auth("a:b", "c");
        assert!(Session::builder().proxy(unsendable).build().unwrap_err().is_builder());
    }

    fn x7_credentials_stay_on_their_side() {
        let authority = Authority::new();
        let (server, url) = hidden(&authority);
        let plain = Server::start(|_| Reply::ok("plain"));
        let proxy = TestProxy::http().login("user", "secret").start();
        let rule = Proxy::https(proxy.url()).unwrap().basic_auth("user", "secret");
        let session = trusting(&authority, rule);
        for url in [url, plain.url("/")] {
            let request = session.get(&url).basic_auth("me", "origin-secret").header("Proxy-Authorization", "Basic stray");
            wait!(request.send()).unwrap();
        }
        let (tunnel, inside, direct) = (proxy.only_visit(), server.only_request(), plain.only_request());
        assert_eq!(tunnel.header("authorization"), None);
        // What a call sets is neither for the tunnel nor for the origin.
        assert!(!tunnel.head.contains("stray"), "{}", tunnel.head);
        for request in [inside, direct] {
            assert!(request.header("authorization").is_some());
            assert_eq!(request.header("proxy-authorization"), None);
        }
    }

    /// X7: also what a session says to every proxy that reads its requests is for proxies only.
    fn x7_a_field_for_proxies_in_a_session_reaches_no_origin() {
        let direct = Server::start(|_| Reply::ok("direct"));
        let proxy = Server::start(|_| Reply::ok("proxy"));
        let session = Session::builder()
            .header("Proxy-Authorization", "Custom abc")
            .proxy(Proxy::http(proxy.url("")).unwrap().no_proxy(NoProxy::new("127.0.0.1").unwrap()))
            .build()
            .unwrap();
        wait!(session.get(direct.url("/")).send()).unwrap();
        wait!(session.get(direct.url("/")).header("Accept", "x/y").send()).unwrap();
        wait!(session.get("http://a.example/").send()).unwrap();
        assert!(direct.requests().iter().all(|request| request.header("proxy-authorization").is_none()));
        assert_eq!(proxy.only_request().header("proxy-authorization"), Some("Custom abc"));
    }

    fn x7_a_redirect_away_from_the_proxy_takes_no_credentials_along() {
        let direct = Server::start(|_| Reply::ok("end"));
        let location = direct.url("/end");
        let proxy = Server::start(move |_| Reply::empty(302).header("Location", location.as_str()));
        let rule = Proxy::all(proxy.url("").replace("//", "//user:secret@")).unwrap();
        let rule = rule.header("X-For-Proxy", "p").unwrap();
        let session = Session::builder()
            .proxy(rule.no_proxy(NoProxy::new("127.0.0.0/8").unwrap()))
            .build()
            .unwrap();
        let mut response = wait!(session.get("http://start.example/").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "end");
        let (first, second) = (proxy.only_request(), direct.only_request());
        assert_eq!(first.target, "http://start.example/");
        assert!(first.header("proxy-authorization").is_some() && first.header("x-for-proxy").is_some());
        assert_eq!((second.target.as_str(), second.header("host")), ("/end", Some(direct.addr().to_string().as_str())));
        assert!(second.header("proxy-authorization").is_none() && second.header("x-for-proxy").is_none());
    }

    /// X6: each hop has its own way.
    fn x6_redirects_choose_the_proxy_anew() {
        let authority = Authority::new();
        let (_server, secure) = hidden(&authority);
        let tunnels = TestProxy::http().start();
        let reader = Server::start(move |request: &Request| match request.target.as_str() {
            "http://a.example/" => Reply::empty(307).header("Location", "http://b.example/x"),
            _ => Reply::empty(307).header("Location", secure.as_str()),
        });
        let session = Session::builder()
            .tls(trust(&authority))
            .proxy(Proxy::http(reader.url("")).unwrap())
            .proxy(Proxy::https(tunnels.url()).unwrap())
            .build()
            .unwrap();
        let mut response = wait!(session.post("http://a.example/").body("kept").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/path?q=1 kept");
        assert_eq!(response.history().len(), 2);
        let targets: Vec<_> = reader.requests().into_iter().map(|request| request.target).collect();
        assert_eq!(targets, ["http://a.example/", "http://b.example/x"]);
        assert!(tunnels.only_visit().target.starts_with("hidden.example:"));
    }

    /// P7: connections through different proxies, or with different credentials, are not shared.
    fn p7_connections_are_kept_apart_by_proxy_and_credentials() {
        let server = Server::start(|_| Reply::ok("x"));
        let proxy = TestProxy::socks().start();
        let other = TestProxy::socks().start();
        let session = Session::builder().no_proxy().build().unwrap();
        let rules = || {
            [
                Proxy::all(proxy.url()).unwrap(),
                Proxy::all(proxy.url_as("socks5")).unwrap(),
                Proxy::all(proxy.url_as("socks4")).unwrap(),
                Proxy::all(proxy.url_as("socks4")).unwrap().basic_auth("a", ""),
                Proxy::all(proxy.url_as("socks4")).unwrap().basic_auth("b", ""),
                Proxy::all(other.url()).unwrap(),
            ]
        };
        for _ in 0..2 {
            wait!(session.get(server.url("/")).send()).unwrap();
            for rule in rules() {
                wait!(session.get(server.url("/")).proxy(rule).send()).unwrap();
            }
        }
        let stats = session.pool_stats();
        assert_eq!((stats.created, stats.reused), (7, 7), "{stats:?}");
        assert_eq!((proxy.visits().len(), other.visits().len()), (5, 1));
    }

    /// X2, T1, T3: the whole set-up is within the limit for connecting, and the error names the phase.
    fn x2_set_up_is_within_the_time_for_connecting() {
        let silent = Server::builder().tolerate_malformed().raw(|wire| {
            std::io::Read::read_to_end(wire, &mut Vec::new()).map(drop)
        });
        let black = Blackhole::open();
        let limits = reqivo::Timeouts::none().connect(Duration::from_millis(60));
        for (proxy, url, phase) in [
            (silent.url(""), "https://a.example/", Phase::Proxy),
            (silent.url("").replace("http", "socks5h"), "http://a.example/", Phase::Proxy),
            (silent.url("").replace("http", "socks4a"), "http://a.example/", Phase::Proxy),
            (silent.url("").replace("http", "https"), "http://a.example/", Phase::Tls),
            (black.url(""), "http://a.example/", Phase::Connect),
        ] {
            let session = Session::builder().proxy(Proxy::all(&proxy).unwrap()).timeout(limits.clone()).build().unwrap();
            let error = wait!(session.get(url).send()).unwrap_err();
            assert!(error.is_timeout() && error.is_connect(), "{proxy}: {error}");
            assert_eq!((error.phase(), error.time_limit()), (phase, Some(TimeLimit::Connect)), "{proxy}");
            assert!(error.is_safe_to_retry());
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    fn x2_a_proxy_that_is_not_there_is_a_proxy_error() {
        for scheme in ["http", "https", "socks4", "socks5h"] {
            let session = through(&format!("{scheme}://user@{}", refused_addr()).replace("socks5h://user@", "socks5h://"));
            let error = wait!(session.get("http://127.0.0.1:9/").send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Phase::Connect), "{error}");
            assert!(error.is_connect() && error.to_string().contains(&refused_addr().to_string()), "{error}");
        }
        let error = wait!(through("http://proxy.invalid").get("http://127.0.0.1:9/").send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Phase::Resolve), "{error}");
    }

    /// P9: a kept connection that the proxy closed is replaced.
    fn x1_a_kept_connection_that_the_proxy_closed_is_replaced() {
        let proxy = Server::builder().connections([
            vec![Script::from(Reply::ok("first")).close()],
            vec![Script::from(Reply::ok("second"))],
        ]);
        let session = through(&proxy.url(""));
        for text in ["first", "second"] {
            let mut response = wait!(session.get("http://a.example/").send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), text);
            proxy.wait_until(|view| text == "second" || view.connections.open() == 0);
        }
    }

    fn a_unix_domain_socket_leaves_no_room_for_a_proxy_of_the_session() {
        let session = Session::builder()
            .proxy(Proxy::all("http://127.0.0.1:9").unwrap())
            .unix_socket("/nowhere/socket")
            .build()
            .unwrap();
        let error = wait!(session.get("http://a.example/").send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    }
}
