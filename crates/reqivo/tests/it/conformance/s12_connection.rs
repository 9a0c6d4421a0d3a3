//! Opening single connections: names, addresses, sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqivo::{
    CachingResolver, ConnectConfig, ErrorKind, KeepAlive, Phase, PoolConfig, Resolve, Resolving,
    TimeLimit, Timeouts, TlsConfig,
};
use testkit::{Authority, Blackhole, Reply, Server, refused_addr};

use super::super::Session;

/// Knows one host, and notes what it is asked.
#[derive(Clone, Default)]
struct Book {
    addresses: Vec<SocketAddr>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Book {
    fn of(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            addresses: addresses.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl Resolve for Book {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.asked.lock().unwrap().push(host.to_owned());
        Box::pin(async move {
            // Not ready at once.
            tokio::task::yield_now().await;
            match host {
                "known.example" => Ok(self.addresses.clone()),
                "empty.example" => Ok(Vec::new()),
                _ => Err(io::Error::new(io::ErrorKind::NotFound, "not in the book")),
            }
        })
    }
}

/// Never answers.
struct Silent;

impl Resolve for Silent {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(std::future::pending())
    }
}

fn any_port(server: &Server) -> SocketAddr {
    SocketAddr::new(server.addr().ip(), 0)
}

scenarios! {
    /// 12: hosts are looked up by a resolver of the caller, addresses and fixed hosts are not; ports come from either.
    fn s12_a_resolver_of_the_callers_is_asked_for_names() {
        let server = Server::start(|_| Reply::ok("found"));
        let port = server.addr().port();
        let book = Book::of([any_port(&server)]);
        let session = Session::builder()
            .resolver(book.clone())
            .resolve("Fixed.Example", [server.addr().ip()])
            .resolve_to("other.example", [server.addr()])
            .build()
            .unwrap();
        for url in [
            format!("http://KNOWN.example:{port}/"),
            format!("http://fixed.example:{port}/"),
            "http://other.example/".to_owned(),
            server.url("/"),
        ] {
            let mut response = wait!(session.get(&url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "found", "{url}");
            assert_eq!(response.remote_addr(), Some(server.addr()));
        }
        assert_eq!(*book.asked.lock().unwrap(), ["known.example"]);
        // The port of the resolver is used where it gives one.
        let session = Session::builder().resolver(Book::of([server.addr()])).build().unwrap();
        assert_eq!(wait!(session.get("http://known.example/").send()).unwrap().status(), 200);
        assert_eq!(server.requests().last().unwrap().header("host"), Some("known.example"));
    }

    /// 12: failures of the resolver are of their own kind, and nothing was sent.
    fn s12_failures_of_the_resolver_are_told() {
        let session = Session::builder().resolver(Book::default()).build().unwrap();
        for (url, text) in [
            ("http://unknown.example/", "not in the book"),
            ("http://empty.example/", "host has no address"),
        ] {
            let error = wait!(session.get(url).send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (ErrorKind::Dns, Phase::Resolve), "{error}");
            assert!(error.is_connect() && error.to_string().contains(text), "{error}");
            assert!(!error.may_have_been_processed());
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    /// 12, T5: a lookup counts for the limit of connecting.
    fn s12_t5_a_lookup_is_limited() {
        let session = Session::builder().resolver(Silent).build().unwrap();
        let short = Duration::from_millis(50);
        for (timeouts, limit) in [
            (Timeouts::none().connect(short), TimeLimit::Connect),
            (Timeouts::none().total(short), TimeLimit::Total),
        ] {
            let error = wait!(session.get("http://known.example/").timeout(timeouts).send()).unwrap_err();
            assert_eq!((error.phase(), error.time_limit()), (Phase::Resolve, Some(limit)), "{error}");
            assert_eq!(session.pool_stats().open, 0);
        }
    }

    /// 12: addresses are looked up for each connection, unless a cache is configured.
    fn s12_addresses_are_cached_only_when_asked_for() {
        let server = Server::start(|_| Reply::ok("x").header("Connection", "close"));
        let url = format!("http://known.example:{}/", server.addr().port());
        let book = Book::of([any_port(&server)]);
        for (cache, asked) in [(false, 3), (true, 1)] {
            let builder = Session::builder();
            let builder = match cache {
                false => builder.resolver(book.clone()),
                true => builder.resolver(CachingResolver::over(book.clone(), Duration::from_secs(60))),
            };
            let session = builder.build().unwrap();
            for _ in 0..3 {
                wait!(wait!(session.get(&url).send()).unwrap().bytes()).unwrap();
            }
            assert_eq!(std::mem::take(&mut *book.asked.lock().unwrap()).len(), asked);
        }
    }

    /// 12: happy eyeballs: IPv6 first, the next address when one refuses at once or stays silent for a while.
    fn s12_happy_eyeballs() {
        let server = Server::start(|_| Reply::ok("x"));
        let hole = Blackhole::open();
        let six = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, refused_addr().port()));
        for addresses in [
            vec![server.addr(), six],
            vec![refused_addr(), server.addr()],
            vec![refused_addr(), hole.addr(), server.addr()],
        ] {
            let session = Session::builder()
                .resolver(Book::of(addresses))
                .connect(ConnectConfig::new().attempt_delay(Duration::from_millis(20)))
                .build()
                .unwrap();
            let response = wait!(session.get("http://known.example/").send()).unwrap();
            assert_eq!(response.remote_addr(), Some(server.addr()));
        }
    }

    /// 12, 18: the failure of every address is kept; the message has their number and the last cause.
    fn s12_all_failed_attempts_are_told() {
        let (refused, six) = (refused_addr(), SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, refused_addr().port())));
        let session = Session::builder().resolver(Book::of([refused, six, refused])).build().unwrap();
        let error = wait!(session.get("http://known.example/").send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Phase::Connect));
        let text = error.to_string();
        assert!(text.contains("failed connecting to any of 3 addresses: ") && text.contains("refused"), "{text}");
        let attempts = std::error::Error::source(&error).unwrap();
        let all = attempts.to_string();
        assert!(all.starts_with(&six.to_string()), "{all}");
        assert_eq!(all.matches(&refused.to_string()).count(), 2, "{all}");
        let last = attempts.source().and_then(|it| it.downcast_ref::<io::Error>()).unwrap();
        assert_eq!(last.kind(), io::ErrorKind::ConnectionRefused);

        let error = wait!(Session::new().get(format!("http://{refused}/")).send()).unwrap_err();
        assert!(error.to_string().contains(&format!("failed connecting to {refused}: ")), "{error}");

        // When time runs out, what failed before is still told.
        let hole = Blackhole::open();
        let session = Session::builder().resolver(Book::of([refused, hole.addr()])).build().unwrap();
        let limit = Timeouts::none().connect(Duration::from_millis(100));
        let error = wait!(session.get("http://known.example/").timeout(limit).send()).unwrap_err();
        assert_eq!((error.phase(), error.time_limit()), (Phase::Connect, Some(TimeLimit::Connect)));
        assert!(error.to_string().contains("refused"), "{error}");
    }

    /// 12: the local address can be chosen; then only addresses of its family are tried.
    fn s12_local_address() {
        let server = Server::start(|_| Reply::ok("x"));
        // All of 127/8 is loopback on Linux.
        let local = match cfg!(target_os = "linux") {
            true => IpAddr::from([127, 0, 0, 2]),
            false => IpAddr::from([127, 0, 0, 1]),
        };
        let session = Session::builder().connect(ConnectConfig::new().local_address(local)).build().unwrap();
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(server.records()[0].peer.unwrap().ip(), local);
        let six = ConnectConfig::new().local_address(IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
        let session = Session::builder().connect(six).build().unwrap();
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("no address to connect to"), "{error}");
    }

    /// 12: the network interface can be chosen.
    #[cfg(target_os = "linux")]
    fn s12_interface() {
        let server = Server::start(|_| Reply::ok("x"));
        let bound = |name: &str| Session::builder().connect(ConnectConfig::new().interface(name)).build().unwrap();
        assert_eq!(wait!(bound("lo").get(server.url("/")).send()).unwrap().status(), 200);
        let error = wait!(bound("no-such-device").get(server.url("/")).send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Phase::Connect), "{error}");
    }

    /// 12: options of sockets do not keep requests from working; a unit test looks at the sockets.
    fn s12_socket_options() {
        let server = Server::start(|request| Reply::ok(request.body.clone()));
        let keep_alive = KeepAlive::after(Duration::from_secs(60)).interval(Duration::from_secs(5)).probes(3);
        let config = ConnectConfig::new().keep_alive(keep_alive).send_buffer(4096).receive_buffer(4096);
        let session = Session::builder().connect(config).build().unwrap();
        let body = vec![b'x'; 300_000];
        let mut response = wait!(session.post(server.url("/")).body(body.clone()).send()).unwrap();
        assert!(wait!(response.bytes()).unwrap() == body);
    }

    /// 12: requests go over a Unix-domain socket, of the session or of the call, with and without TLS.
    #[cfg(unix)]
    fn s12_unix_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let authority = Authority::new();
        let plain = Server::builder().unix(path("plain")).start(|_| Reply::ok("plain"));
        let secure = Server::builder().unix(path("tls")).tls(authority.good()).start(|_| Reply::ok("secure"));
        let tcp = Server::start(|_| Reply::ok("tcp"));
        let session = Session::builder().unix_socket(path("plain")).build().unwrap();
        for _ in 0..2 {
            let mut response = wait!(session.get("http://docker/containers").send()).unwrap();
            assert_eq!((response.remote_addr(), wait!(response.text()).unwrap().as_str()), (None, "plain"));
        }
        assert_eq!(plain.connections().opened, 1);
        assert_eq!(plain.requests()[0].header("host"), Some("docker"));

        let tls = TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let session = Session::builder().tls(tls).build().unwrap();
        let mut response = wait!(session.get(secure.url("/")).unix_socket(path("tls")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "secure");
        assert!(response.tls().is_some());

        // The path is a member of the key: the same origin is reached in two ways.
        for (unix, text) in [(true, "plain"), (false, "tcp"), (true, "plain"), (false, "tcp")] {
            let request = session.get(tcp.url("/"));
            let request = if unix { request.unix_socket(path("plain")) } else { request };
            let mut response = wait!(request.send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), text);
        }
        assert_eq!((plain.connections().opened, tcp.connections().opened), (2, 1));

        let error = wait!(session.get("http://docker/").unix_socket(path("none")).send()).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Phase::Connect), "{error}");
        assert_eq!(session.pool_stats().in_use, 0);
    }

    /// 12: redirects stay on the socket.
    #[cfg(unix)]
    fn s12_redirects_stay_on_the_unix_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let server = Server::builder().unix(&path).start(|request| match request.path() {
            "/end" => Reply::ok(request.header("host").unwrap().to_owned()),
            _ => Reply::empty(302).header("Location", "http://elsewhere.example/end"),
        });
        let session = Session::new();
        let mut response = wait!(session.get("http://here.example/").unix_socket(&path).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "elsewhere.example");
        assert_eq!(server.requests().len(), 2);
    }

    /// 12 FIX: errors of the socket while writing are errors of this library.
    fn s12_write_errors_are_of_the_own_type() {
        let server = Server::builder().raw(|wire| {
            wire.reset_on_close()?;
            wire.read_head().map(|_| ())
        });
        let session = Session::builder().pool(PoolConfig::default().per_origin(1)).build().unwrap();
        let error = wait!(session.post(server.url("/")).body(vec![b'x'; 30_000_000]).send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert!(matches!(error.phase(), Phase::Write | Phase::Head) && error.may_have_been_processed(), "{error}");
        assert_eq!(session.pool_stats().open, 0);
    }
}
