//! Cookies (RFC 6265bis) on the wire; the rules of the jar itself are tested beside it.

use std::sync::{Arc, Mutex};

use reqivo::middleware::Reply as Answer;
use reqivo::{CookieFile, CookieJar, CookieStore, PublicSuffixes, RedirectPolicy, Url};
use testkit::{Reply, Request, Server};

use super::super::Session;
use super::anywhere::Anywhere;

/// Sets what the query says, `;` written as `|` and several cookies apart by `&`; redirects to what follows `/to/`.
fn setting() -> Anywhere {
    Anywhere::new(|seen| {
        let url: Url = seen.url.parse().unwrap();
        let mut reply = match url.path().split_once("/to/") {
            Some((_, target)) => Answer::redirect(302, target),
            None => Answer::ok(""),
        };
        for cookie in url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|it| !it.is_empty())
        {
            reply = reply.header("Set-Cookie", cookie.replace('|', "; "));
        }
        reply
    })
}

/// A store that keeps whole fields and sends one value.
#[derive(Clone, Default)]
struct Own(Arc<Mutex<Vec<String>>>);

impl CookieStore for Own {
    fn set_cookies(&self, url: &Url, fields: &mut dyn Iterator<Item = &[u8]>) {
        for field in fields {
            let field = String::from_utf8_lossy(field);
            self.0
                .lock()
                .unwrap()
                .push(format!("{} {field}", url.path()));
        }
    }

    fn cookies(&self, url: &Url) -> Option<Vec<u8>> {
        match url.path() {
            "/none" => None,
            "/bad" => Some(b"a=1\r\nX-Bad: 1".to_vec()),
            _ => Some(b"own=1".to_vec()),
        }
    }
}

scenarios! {
    /// C1: by name, for a URL, through the session.
    fn c1_cookies_are_set_and_read_by_name() {
        let server = Server::start(|request: &Request| match request.path() {
            "/a/b" => Reply::ok("").header("Set-Cookie", "from=server; HttpOnly"),
            _ => Reply::ok(""),
        });
        let session = Session::new();
        let jar = session.cookies().unwrap();
        jar.set(server.url("/any"), "mine", "1").unwrap();
        wait!(session.get(server.url("/a/b")).send()).unwrap();
        assert_eq!(jar.get(server.url("/a/"), "from").as_deref(), Some("server"));
        assert_eq!(jar.get(server.url("/"), "from"), None, "its path is /a");
        wait!(session.get(server.url("/a/c")).send()).unwrap();
        wait!(session.get(server.url("/")).send()).unwrap();
        let sent: Vec<_> = server.requests().iter().map(|seen| seen.header("cookie").map(str::to_owned)).collect();
        assert_eq!(sent, [Some("mine=1".into()), Some("from=server; mine=1".into()), Some("mine=1".into())]);
        assert_eq!(jar.remove(server.url("/"), "mine"), 1);
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().header("cookie"), None);
    }

    /// C2: hosts, domains, paths, secure cookies, ends, prefixes, odd cookies.
    fn c2_cookies_go_where_they_belong() {
        let net = setting();
        for (set, then) in [
            ("http://www.site.example/?a=1", vec![("http://www.site.example:8080/x", "a=1"), ("http://site.example/", ""), ("http://x.www.site.example/", "")]),
            ("http://www.site.example/?a=1|Domain=site.example", vec![("http://site.example/", "a=1"), ("https://x.y.site.example/", "a=1"), ("http://website.example/", "")]),
            ("http://www.site.example/?a=1|Domain=other.example", vec![("http://www.site.example/", ""), ("http://other.example/", "")]),
            ("http://site.example/p/q?a=1", vec![("http://site.example/p/x", "a=1"), ("http://site.example/px", "")]),
            ("http://site.example/?a=1|Path=/p", vec![("http://site.example/p", "a=1"), ("http://site.example/p/", "a=1"), ("http://site.example/pq", ""), ("http://site.example/", "")]),
            ("https://site.example/?a=1|Secure", vec![("https://site.example/", "a=1"), ("http://site.example/", "")]),
            ("http://site.example/?a=1|Secure", vec![("https://site.example/", "")]),
            ("http://127.0.0.1/?a=1|Domain=0.0.1", vec![("http://127.0.0.1/", "")]),
            ("http://127.0.0.1/?a=1", vec![("http://127.0.0.1:81/", "a=1"), ("http://127.0.0.2/", "")]),
            ("http://site.example/?a=1|Max-Age=60|Expires=Thu,%2001%20Jan%201970%2000:00:00%20GMT", vec![("http://site.example/", "a=1")]),
            ("http://site.example/?a=1&a=2|Max-Age=0", vec![("http://site.example/", "")]),
            ("http://site.example/?a=1&a=2&b=3", vec![("http://site.example/", "a=2; b=3")]),
            ("https://site.example/?__Host-a=1|Secure|Path=/&__Host-b=1|Secure&__Secure-c=1", vec![("https://site.example/", "__Host-a=1")]),
            ("http://site.example/?nameless&=also&=last", vec![("http://site.example/", "last")]),
            ("http://site.example/?=", vec![("http://site.example/", "")]),
        ] {
            let session = Session::builder().transport(net.clone()).build().unwrap();
            // Spaces came percent-encoded.
            let set = set.replace("%20", "-");
            wait!(session.get(&set).send()).unwrap();
            drop(net.take());
            for (url, expected) in then {
                wait!(session.get(url).send()).unwrap();
                assert_eq!(net.took("cookie"), [expected], "{set} then {url}");
            }
        }
    }

    /// C2: what a field may hold, and how much.
    fn c2_malformed_and_oversized_cookies_are_refused() {
        let long = "v".repeat(4095);
        let fields = [
            format!("fits={}", &long[4..]),
            format!("large={}", &long[..4092]),
            "after=1".to_owned(),
        ];
        let server = Server::start(move |_| {
            let mut reply = Reply::ok("");
            for field in &fields {
                reply = reply.header("Set-Cookie", field);
            }
            reply.header("Set-Cookie", b"raw=\xff\xfe".as_slice())
        });
        let session = Session::new();
        wait!(session.get(server.url("/")).send()).unwrap();
        let names: Vec<_> = session.cookies().unwrap().iter().map(|cookie| cookie.name().into_owned()).collect();
        assert_eq!(names, ["fits", "after", "raw"]);
    }

    /// L10: at most 180 cookies of a domain, and 3000 in all.
    fn l10_jars_are_bounded() {
        let server = Server::start(|request: &Request| {
            let fields = (0..100).map(|number| format!("{}{number}=1", &request.path()[1..]));
            fields.fold(Reply::ok(""), |reply, field| reply.header("Set-Cookie", field))
        });
        let session = Session::new();
        let jar = session.cookies().unwrap();
        for (path, number) in [("/a", 100), ("/b", 180)] {
            wait!(session.get(server.url(path)).send()).unwrap();
            assert_eq!(jar.len(), number);
        }
        for number in 0..2900 {
            jar.set(format!("http://host{number}.example/").as_str(), "a", "1").unwrap();
        }
        assert_eq!(jar.len(), 3000);
    }

    /// C2: http to this machine counts as secure only by option.
    fn c2_loopback_is_trusted_by_option() {
        let server = Server::start(|_| Reply::ok("").header("Set-Cookie", "a=1; Secure"));
        let session = Session::new();
        let cookie = || server.requests().pop().unwrap().header("cookie").map(str::to_owned);
        for _ in 0..2 {
            wait!(session.get(server.url("/")).send()).unwrap();
            assert_eq!(cookie(), None);
        }
        session.cookies().unwrap().trust_loopback();
        wait!(session.get(server.url("/")).send()).unwrap();
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(cookie().as_deref(), Some("a=1"));
    }

    /// C3: no cookie for a whole public suffix, by the list that is compiled in or by another.
    fn c3_super_cookies_are_refused() {
        let net = setting();
        let session = Session::builder().transport(net).build().unwrap();
        wait!(session.get("http://www.site.co.uk/?a=1|Domain=co.uk&b=1|Domain=uk&c=1|Domain=site.co.uk").send()).unwrap();
        wait!(session.get("http://me.github.io/?d=1|Domain=github.io").send()).unwrap();
        let cookies: Vec<_> = session.cookies().unwrap().iter().map(|cookie| cookie.name().into_owned()).collect();
        assert_eq!(cookies, ["c"]);
        session.cookies().unwrap().set_public_suffixes(PublicSuffixes::parse("uk\nsite.co.uk").unwrap());
        wait!(session.get("http://www.site.co.uk/?e=1|Domain=co.uk&f=1|Domain=site.co.uk").send()).unwrap();
        let cookies: Vec<_> = session.cookies().unwrap().iter().map(|cookie| cookie.name().into_owned()).collect();
        assert_eq!(cookies, ["c", "e"]);
    }

    /// C4: longer paths first, then older ones; one field.
    fn c4_cookies_are_sent_in_order() {
        let net = setting();
        let session = Session::builder().transport(net.clone()).build().unwrap();
        wait!(session.get("http://site.example/?b=1&deep=1|Path=/x/y&a=1&mid=1|Path=/x&b=2").send()).unwrap();
        drop(net.take());
        wait!(session.get("http://site.example/x/y/z").send()).unwrap();
        let seen = net.take();
        let fields: Vec<_> = seen[0].headers.get_all("cookie").collect();
        assert_eq!(fields, [b"deep=1; mid=1; b=2; a=1"]);
    }

    /// C5: each hop stores its cookies and gets those that are for it.
    fn c5_every_hop_has_cookies_of_its_own() {
        let net = setting();
        let session = Session::builder().transport(net.clone()).header("Cookie", "given=1").build().unwrap();
        let jar = session.cookies().unwrap();
        jar.set("http://b.example/", "b", "old").unwrap();
        wait!(session.get("http://a.example/to/http://b.example/to/http://a.example/end?a=1|Path=/").send()).unwrap();
        // The query went along to the first address only: what was set there comes back there.
        assert_eq!(net.took("cookie"), ["given=1", "b=old", "a=1"][..].to_vec());
        assert_eq!(jar.len(), 2);
        // Stored also when the redirect is not followed, or refused.
        wait!(session.get("http://c.example/to/http://d.example/?c=1").redirects(RedirectPolicy::none()).send()).unwrap();
        wait!(session.get("http://d.example/to/ftp://d.example/?d=1").send()).unwrap_err();
        assert_eq!(jar.get("http://c.example/to/http://d.example/", "c").as_deref(), Some("1"));
        assert_eq!(jar.get("http://d.example/to/ftp://d.example/", "d").as_deref(), Some("1"));
    }

    /// C6: shared, off for a session or a call, saved and loaded, cleared, replaced.
    fn c6_jars_are_shared_turned_off_saved_and_replaced() {
        let server = Server::start(|request: &Request| {
            let seen = request.header("cookie").unwrap_or("-").to_owned();
            Reply::ok(seen).header("Set-Cookie", "a=1; Max-Age=1000")
        });
        let url = server.url("/");
        let jar = CookieJar::new();
        let one = Session::builder().cookie_jar(jar.clone()).build().unwrap();
        let two = Session::builder().cookie_jar(jar.clone()).build().unwrap();
        wait!(one.get(&url).without_cookies().send()).unwrap();
        assert!(jar.is_empty());
        wait!(one.get(&url).send()).unwrap();
        let mut response = wait!(two.get(&url).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "a=1");
        let mut response = wait!(two.get(&url).without_cookies().header("Cookie", "own=1").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "own=1");

        let off = Session::builder().without_cookies().build().unwrap();
        assert!(off.cookies().is_none());
        for _ in 0..2 {
            let mut response = wait!(off.get(&url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "-");
        }

        let folder = tempfile::tempdir().unwrap();
        for file in [CookieFile::json_lines(folder.path().join("j")), CookieFile::netscape(folder.path().join("n"))] {
            assert_eq!(file.save(&jar).unwrap(), 1);
            let loaded = CookieJar::new();
            assert_eq!(file.load(&loaded).unwrap(), 1);
            let session = Session::builder().cookie_jar(loaded).build().unwrap();
            let mut response = wait!(session.get(&url).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), "a=1");
        }
        jar.clear();
        let mut response = wait!(two.get(&url).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "-");

        let own = Own::default();
        let session = Session::builder().cookie_store(own.clone()).build().unwrap();
        assert!(session.cookies().is_none());
        for (path, sent) in [("/", "own=1"), ("/none", "-"), ("/bad", "-")] {
            let mut response = wait!(session.get(server.url(path)).send()).unwrap();
            assert_eq!(wait!(response.text()).unwrap(), sent, "{path}");
        }
        assert_eq!(own.0.lock().unwrap()[1], "/none a=1; Max-Age=1000");
        assert_eq!(server.requests().pop().unwrap().header("x-bad"), None);
    }

    /// The values of cookies are not shown.
    fn cookies_are_not_shown() {
        let server = Server::start(|_| Reply::ok("").header("Set-Cookie", "a=s3cret"));
        let session = Session::new();
        wait!(session.get(server.url("/")).send()).unwrap();
        let jar = session.cookies().unwrap();
        let response = wait!(session.get(server.url("/")).send()).unwrap();
        let shown = format!("{session:?} {jar:?} {response:?} {:?}", jar.iter().collect::<Vec<_>>());
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
