use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cookies::{CookieFile, SameSite};

/// A jar with a clock of its own.
struct Fixture {
    jar: CookieJar,
    now: SystemTime,
}

impl Fixture {
    fn new() -> Self {
        Self {
            jar: CookieJar::new(),
            now: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn set(&self, url: &str, field: &str) -> Result<(), Rejected> {
        let url = Url::parse(url).unwrap();
        self.jar.accept(&url, field.as_bytes(), self.now)
    }

    fn sent(&self, url: &str) -> String {
        let value = self.jar.header(&Url::parse(url).unwrap(), self.now);
        String::from_utf8(value.unwrap_or_default()).unwrap()
    }
}

/// The flow of RFC 6265 3.1: a session, attributes that widen and narrow it, replacement, removal.
#[test]
fn the_examples_of_rfc_6265_3_1_play_out_as_written() {
    let mut it = Fixture::new();
    it.set("https://example.com/", "SID=31d4d96e407aad42")
        .unwrap();
    assert_eq!(it.sent("https://example.com/"), "SID=31d4d96e407aad42");
    assert_eq!(it.sent("https://www.example.com/"), "");

    it.set(
        "https://example.com/",
        "SID=31d4d96e407aad42; Path=/; Domain=example.com",
    )
    .unwrap();
    // The one for the host alone is another cookie.
    assert_eq!(
        it.sent("https://example.com/"),
        "SID=31d4d96e407aad42; SID=31d4d96e407aad42"
    );
    assert_eq!(it.sent("https://www.example.com/"), "SID=31d4d96e407aad42");

    let mut other = Fixture::new();
    other
        .set(
            "https://example.com/",
            "SID=31d4d96e407aad42; Path=/; Secure; HttpOnly",
        )
        .unwrap();
    other
        .set(
            "https://example.com/",
            "lang=en-US; Path=/; Domain=example.com",
        )
        .unwrap();
    assert_eq!(
        other.sent("https://example.com/x"),
        "SID=31d4d96e407aad42; lang=en-US"
    );
    assert_eq!(other.sent("http://example.com/x"), "lang=en-US");
    other.wait(1);
    other
        .set(
            "https://example.com/",
            "lang=en-US; Domain=example.com; Path=/; Expires=Wed, 09 Jun 2024 10:18:14 GMT",
        )
        .unwrap();
    other
        .set(
            "https://example.com/",
            "lang=; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Path=/; Domain=example.com",
        )
        .unwrap();
    assert_eq!(other.sent("https://example.com/"), "SID=31d4d96e407aad42");
    it.wait(0);
}

/// C2: the domain of a cookie (RFC 6265bis 5.1.3, 5.7).
#[test]
fn c2_a_cookie_goes_to_its_host_or_with_domain_also_below() {
    for (host, field, accepted, to, other) in [
        (
            "www.example.com",
            "a=b",
            true,
            "www.example.com",
            "example.com",
        ),
        (
            "www.example.com",
            "a=b; Domain=www.example.com",
            true,
            "x.www.example.com",
            "example.com",
        ),
        (
            "www.example.com",
            "a=b; Domain=example.com",
            true,
            "other.example.com",
            "example.org",
        ),
        (
            "www.example.com",
            "a=b; Domain=.EXAMPLE.com",
            true,
            "example.com",
            "badexample.com",
        ),
        (
            "www.example.com",
            "a=b; Domain=",
            true,
            "www.example.com",
            "x.www.example.com",
        ),
        (
            "www.example.com",
            "a=b; Domain=example.com; Domain=",
            true,
            "www.example.com",
            "example.com",
        ),
        (
            "www.example.com",
            "a=b; Domain=example.com; Domain=www.example.com",
            true,
            "www.example.com",
            "example.com",
        ),
        ("example.com", "a=b; Domain=www.example.com", false, "", ""),
        ("www.example.com", "a=b; Domain=ample.com", false, "", ""),
        (
            "www.example.com",
            "a=b; Domain=other.example.com",
            false,
            "",
            "",
        ),
        (
            "www.example.com",
            "a=b; Domain=..example.com",
            false,
            "",
            "",
        ),
        (
            "www.example.com",
            "a=b; Domain=ex\u{e4}mple.com",
            false,
            "",
            "",
        ),
        ("www.example.com", "a=b; Domain=example.com.", false, "", ""),
        (
            "b\u{fc}cher.example.com",
            "a=b; Domain=xn--bcher-kva.example.com",
            true,
            "xn--bcher-kva.example.com",
            "example.com",
        ),
        (
            "localhost",
            "a=b; Domain=localhost",
            true,
            "localhost",
            "x.localhost",
        ),
    ] {
        let it = Fixture::new();
        let result = it.set(&format!("https://{host}/"), field);
        assert_eq!(result.is_ok(), accepted, "{host} {field}: {result:?}");
        if accepted {
            assert_eq!(
                it.sent(&format!("https://{to}/")),
                "a=b",
                "{host} {field} to {to}"
            );
            assert_eq!(
                it.sent(&format!("https://{other}/")),
                "",
                "{host} {field} to {other}"
            );
        }
    }
}

/// C2: IP addresses are hosts without anything below or above them.
#[test]
fn c2_ip_addresses_never_match_a_domain() {
    for (host, field, accepted) in [
        ("127.0.0.1", "a=b", true),
        ("127.0.0.1", "a=b; Domain=127.0.0.1", true),
        ("127.0.0.1", "a=b; Domain=0.0.1", false),
        ("127.0.0.1", "a=b; Domain=1", false),
        ("[::1]", "a=b", true),
        ("[::1]", "a=b; Domain=[::1]", true),
        ("[::1]", "a=b; Domain=::1", false),
    ] {
        let it = Fixture::new();
        let result = it.set(&format!("http://{host}/"), field);
        assert_eq!(result.is_ok(), accepted, "{host} {field}");
        assert_eq!(
            it.sent(&format!("http://{host}:8080/")).is_empty(),
            !accepted
        );
        assert_eq!(it.sent("http://127.0.0.2/"), "");
    }
}

/// C3: no cookie for a domain that strangers share.
#[test]
fn c3_super_cookies_are_refused() {
    let it = Fixture::new();
    for (host, domain) in [
        ("www.example.com", "com"),
        ("www.example.co.uk", "co.uk"),
        ("me.github.io", "github.io"),
        ("a.b.kawasaki.jp", "b.kawasaki.jp"),
        ("host.internal", "internal"),
        ("www.example.com.", "com."),
        ("www.example.co.uk.", "co.uk."),
    ] {
        let field = format!("a=b; Domain={domain}");
        assert_eq!(
            it.set(&format!("https://{host}/"), &field),
            Err(Rejected::PublicSuffix),
            "{host} {domain}"
        );
    }
    // The site of the suffix itself may have cookies of its own.
    it.set("https://github.io/", "a=b; Domain=github.io")
        .unwrap();
    assert_eq!(it.sent("https://github.io/"), "a=b");
    assert_eq!(it.sent("https://me.github.io/"), "");

    it.jar
        .set_public_suffixes(PublicSuffixes::parse("com\nexample.com\n").unwrap());
    assert_eq!(
        it.set("https://www.example.com/", "a=b; Domain=example.com"),
        Err(Rejected::PublicSuffix)
    );
    it.set("https://www.example.co.uk/", "a=b; Domain=co.uk")
        .unwrap_or_default();
    it.jar
        .set_public_suffixes(PublicSuffixes::from_fn(|domain| domain == "b.c"));
    assert_eq!(
        it.set("https://a.b.c/", "a=b; Domain=b.c"),
        Err(Rejected::PublicSuffix)
    );
    assert_eq!(it.set("https://a.b.c/", "a=b; Domain=c"), Ok(()));
}

/// C2: the path of a cookie (RFC 6265bis 5.1.4).
#[test]
fn c2_paths_match_whole_segments_and_default_to_the_folder() {
    assert!(is_path_within("/a/b", "/a/b") && is_path_within("/a/b/c", "/a/b"));
    assert!(is_path_within("/a/b", "/a/") && is_path_within("/a", "/"));
    assert!(
        !is_path_within("/ab", "/a") && !is_path_within("/a", "/a/") && !is_path_within("/", "/a")
    );
    for (path, folder) in [
        ("/", "/"),
        ("/a", "/"),
        ("/a/", "/a"),
        ("/a/b", "/a"),
        ("/a/b/", "/a/b"),
        ("", "/"),
        ("*", "/"),
    ] {
        assert_eq!(default_path(path), folder, "{path}");
    }
    let it = Fixture::new();
    it.set("http://h.example.com/a/b?x=/y", "default=1")
        .unwrap();
    it.set("http://h.example.com/a/b", "relative=1; Path=c")
        .unwrap();
    it.set("http://h.example.com/a/b", "elsewhere=1; Path=/z")
        .unwrap();
    it.set("http://h.example.com/a/b", "empty=1; Path=/z; Path=")
        .unwrap();
    assert_eq!(
        it.sent("http://h.example.com/a/x"),
        "default=1; relative=1; empty=1"
    );
    assert_eq!(
        it.sent("http://h.example.com/a"),
        "default=1; relative=1; empty=1"
    );
    assert_eq!(it.sent("http://h.example.com/ab"), "");
    assert_eq!(it.sent("http://h.example.com/z/y"), "elsewhere=1");
}

/// C4: longer paths first, then those that came earlier.
#[test]
fn c4_longer_paths_come_first_then_older_cookies() {
    let mut it = Fixture::new();
    for field in [
        "b=1; Path=/",
        "deep=1; Path=/x/y",
        "a=1; Path=/",
        "mid=1; Path=/x",
    ] {
        it.set("https://example.com/", field).unwrap();
    }
    it.set(
        "https://www.example.com/",
        "wide=1; Path=/; Domain=example.com",
    )
    .unwrap();
    assert_eq!(
        it.sent("https://example.com/x/y"),
        "deep=1; mid=1; b=1; a=1; wide=1"
    );
    // A new value keeps the place, and the time of creation.
    it.wait(10);
    it.set("https://example.com/", "b=2; Path=/").unwrap();
    assert_eq!(it.sent("https://example.com/"), "b=2; a=1; wide=1");
    let created = |name: &str| {
        it.jar
            .iter()
            .find(|cookie| cookie.name() == name)
            .unwrap()
            .created()
    };
    assert_eq!(created("b"), created("a"));
    // Removed and set again it is a new one.
    it.set("https://example.com/", "b=; Path=/; Max-Age=0")
        .unwrap();
    it.set("https://example.com/", "b=3; Path=/").unwrap();
    assert_eq!(it.sent("https://example.com/"), "a=1; wide=1; b=3");
}

/// C2: `Secure`, its protection from http, and loopback by option.
#[test]
fn c2_secure_cookies_stay_with_secure_connections() {
    let it = Fixture::new();
    assert_eq!(
        it.set("http://example.com/", "a=b; Secure"),
        Err(Rejected::NotSecure)
    );
    it.set(
        "https://example.com/login/x",
        "a=b; Secure; Path=/login; Domain=example.com",
    )
    .unwrap();
    assert_eq!(it.sent("http://example.com/login"), "");
    assert_eq!(it.sent("https://example.com/login"), "a=b");
    for (url, field, accepted) in [
        ("http://example.com/login", "a=c; Path=/login", false),
        ("http://example.com/login", "a=c; Path=/login/deeper", false),
        (
            "http://www.example.com/login",
            "a=c; Path=/login/deeper",
            false,
        ),
        (
            "http://www.example.com/login",
            "a=c; Path=/login; Domain=example.com",
            false,
        ),
        (
            "http://example.com/login",
            "a=c; Path=/login; Max-Age=0; Domain=example.com",
            false,
        ),
        ("http://example.com/", "a=c; Path=/", true),
        ("http://example.com/", "other=c; Path=/login", true),
        ("http://example.org/", "a=c; Path=/login", true),
        ("https://example.com/", "a=c; Path=/login", true),
    ] {
        let result = it.set(url, field);
        assert_eq!(result.is_ok(), accepted, "{url} {field}: {result:?}");
        assert_eq!(
            it.sent("https://example.com/login").split("; ").next(),
            Some("a=b")
        );
    }

    let it = Fixture::new();
    for host in ["127.0.0.1", "[::1]", "localhost", "app.localhost"] {
        let url = format!("http://{host}/");
        assert_eq!(
            it.set(&url, "a=b; Secure"),
            Err(Rejected::NotSecure),
            "{host}"
        );
    }
    it.jar.trust_loopback();
    for host in [
        "127.0.0.1",
        "127.1.2.3",
        "[::1]",
        "localhost",
        "app.localhost",
    ] {
        let url = format!("http://{host}/");
        it.set(&url, "__Host-a=b; Secure; Path=/").unwrap();
        assert_eq!(it.sent(&url), "__Host-a=b");
    }
    assert_eq!(
        it.set("http://notlocalhost/", "a=b; Secure"),
        Err(Rejected::NotSecure)
    );
}

/// C2: the prefixes of names.
#[test]
fn c2_prefixes_keep_their_promise() {
    for (field, accepted) in [
        ("__Secure-a=b; Secure", true),
        ("__secure-a=b; Secure; Domain=example.com; Path=/x", true),
        ("__Secure-a=b", false),
        ("__Host-a=b; Secure; Path=/", true),
        ("__HOST-a=b; secure; path=/", true),
        ("__Host-a=b; Secure", false),
        ("__Host-a=b; Path=/", false),
        ("__Host-a=b; Secure; Path=/x", false),
        ("__Host-a=b; Secure; Path=/; Path=", false),
        ("__Host-a=b; Secure; Path=/; Domain=www.example.com", false),
        ("=__Host-a=b; Secure; Path=/", false),
        ("__Secure-a; Secure", false),
        ("=__secure-a=b", false),
        ("__Hosta=b", true),
    ] {
        let it = Fixture::new();
        let result = it.set("https://www.example.com/", field);
        assert_eq!(result.is_ok(), accepted, "{field}: {result:?}");
        assert_eq!(it.jar.len(), usize::from(accepted), "{field}");
    }
}

/// C2: `Max-Age` counts before `Expires`, and neither lasts longer than 400 days.
#[test]
fn c2_cookies_end() {
    let mut it = Fixture::new();
    let url = "https://example.com/";
    let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let far = "Expires=Fri, 31 Dec 9999 23:59:59 GMT";
    it.set(url, "session=1").unwrap();
    it.set(url, &format!("age=1; Max-Age=10; {past}")).unwrap();
    it.set(url, &format!("gone=1; Max-Age=0; {far}")).unwrap();
    it.set(url, &format!("gone2=1; {past}")).unwrap();
    it.set(url, "date=1; Expires=Tue, 14 Nov 2023 22:13:40 GMT")
        .unwrap();
    it.set(url, &format!("far=1; {far}")).unwrap();
    it.set(url, "huge=1; Max-Age=99999999999999999999").unwrap();
    it.set(url, "bad=1; Expires=tomorrow; Max-Age=soon")
        .unwrap();
    assert_eq!(
        it.sent(url),
        "session=1; age=1; date=1; far=1; huge=1; bad=1"
    );
    it.wait(10);
    assert_eq!(it.sent(url), "session=1; date=1; far=1; huge=1; bad=1");
    it.wait(10);
    assert_eq!(it.sent(url), "session=1; far=1; huge=1; bad=1");
    assert_eq!(it.jar.len(), 4, "those that were met expired are gone");
    it.wait(400 * 86_400 - 21);
    assert_eq!(it.sent(url), "session=1; far=1; huge=1; bad=1");
    it.wait(1);
    assert_eq!(it.sent(url), "session=1; bad=1");
    // Removing needs name, domain and path.
    it.set(url, "session=; Max-Age=-1; Path=/x").unwrap();
    it.set(url, "session=; Max-Age=-1; Domain=example.com")
        .unwrap();
    assert_eq!(it.sent(url), "session=1; bad=1");
    it.set(url, "session=; Max-Age=-1").unwrap();
    assert_eq!(it.sent(url), "bad=1");
}

/// C2: cookies without a name, and odd ones.
#[test]
fn c2_nameless_and_odd_cookies_are_sent_as_they_came() {
    let it = Fixture::new();
    for field in ["one", "=two", "a=", "q=\"x y\"", "=c=d", "a b=c d"] {
        it.set("https://example.com/", field).unwrap();
    }
    // All without a name are the same one.
    assert_eq!(
        it.sent("https://example.com/"),
        "c=d; a=; q=\"x y\"; a b=c d"
    );
    let url = Url::parse("https://example.com/").unwrap();
    it.jar.accept(&url, b"raw=\xff\xe4", it.now).unwrap();
    assert!(
        it.jar
            .header(&url, it.now)
            .unwrap()
            .ends_with(b"; raw=\xff\xe4")
    );
    assert_eq!(
        it.jar.get("https://example.com/", "raw").as_deref(),
        Some("\u{ff}\u{e4}")
    );
}

/// C2: at most 180 cookies of a domain, insecure ones go first.
#[test]
fn c2_a_domain_has_at_most_180_cookies() {
    let it = Fixture::new();
    let url = "https://example.com/";
    it.set(url, "safe=1; Secure").unwrap();
    it.set(url, "used=1; Path=/used").unwrap();
    for number in 0..178 {
        it.set(url, &format!("n{number}=1; Path=/n")).unwrap();
    }
    assert_eq!(it.jar.len(), 180);
    assert_eq!(it.sent("https://example.com/used"), "used=1; safe=1");
    it.set(url, "new=1; Path=/n").unwrap();
    it.set("https://www.example.com/", "other=1").unwrap();
    assert_eq!(it.jar.len(), 181);
    let names: Vec<String> = it
        .jar
        .iter()
        .map(|cookie| cookie.name().into_owned())
        .collect();
    for (name, kept) in [
        ("safe", true),
        ("used", true),
        ("n0", false),
        ("n1", true),
        ("new", true),
        ("other", true),
    ] {
        assert_eq!(names.iter().any(|it| it == name), kept, "{name}");
    }
    // An insecure one cannot push out 180 secure ones.
    let it = Fixture::new();
    for number in 0..180 {
        it.set(url, &format!("n{number}=1; Secure")).unwrap();
    }
    it.set(url, "weak=1").unwrap();
    assert_eq!(it.jar.len(), 180);
    assert!(!it.sent(url).contains("weak"));
    // Those that have expired make room before any other.
    let mut it = Fixture::new();
    it.set(url, "old=1").unwrap();
    for number in 0..179 {
        it.set(url, &format!("n{number}=1; Max-Age=5")).unwrap();
    }
    it.wait(5);
    it.set(url, "new=1").unwrap();
    assert_eq!(it.sent(url), "old=1; new=1");
}

/// C2: at most 3000 cookies in all; what was not used for longest goes first.
#[test]
fn c2_a_jar_has_at_most_3000_cookies() {
    let it = Fixture::new();
    for host in 0..30 {
        for number in 0..100 {
            it.set(
                &format!("https://h{host}.example.com/"),
                &format!("n{number}=1"),
            )
            .unwrap();
        }
    }
    assert_eq!(it.jar.len(), 3000);
    drop(it.sent("https://h0.example.com/"));
    it.set("https://new.example.com/", "a=1").unwrap();
    it.set("https://new.example.com/", "b=1").unwrap();
    assert_eq!(it.jar.len(), 3000);
    assert_eq!(it.sent("https://new.example.com/"), "a=1; b=1");
    assert_eq!(it.sent("https://h0.example.com/").split("; ").count(), 100);
    assert_eq!(it.sent("https://h1.example.com/").split("; ").count(), 98);
}

/// C1: the jar as a map of names and values.
#[test]
fn c1_cookies_are_set_and_read_by_name() {
    let jar = CookieJar::new();
    jar.set("https://example.com/a/b", "id", "7").unwrap();
    jar.set("http://example.com/", "theme", "dark").unwrap();
    assert_eq!(jar.get("https://example.com/", "id").as_deref(), Some("7"));
    assert_eq!(
        jar.get("https://example.com/x", "theme").as_deref(),
        Some("dark")
    );
    assert_eq!(jar.get("http://example.com/", "id"), None, "set for https");
    assert_eq!(jar.get("https://www.example.com/", "id"), None);
    assert_eq!(jar.get("not a url", "id"), None);
    jar.set("https://example.com/", "id", "8").unwrap();
    assert_eq!(jar.get("https://example.com/", "id").as_deref(), Some("8"));
    assert_eq!(
        (jar.len(), jar.iter().count(), (&jar).into_iter().count()),
        (2, 2, 2)
    );
    for (url, name, value) in [
        ("nowhere", "a", "b"),
        ("https://h/", "a;", "b"),
        ("https://h/", "a=", "b"),
        ("https://h/", "a", "b;c"),
        ("https://h/", "a", "b\r\nc"),
        ("https://h/", "", ""),
        ("http://h/", "__Host-a", "b"),
    ] {
        assert!(
            jar.set(url, name, value).unwrap_err().is_builder(),
            "{url} {name} {value}"
        );
    }
    assert!(
        jar.store("https://h/", "a=b; Domain=example.org")
            .unwrap_err()
            .to_string()
            .contains("not part of")
    );
    assert_eq!(jar.remove("https://example.com/", "id"), 1);
    assert_eq!(jar.remove("https://example.com/", "id"), 0);
    assert_eq!(jar.retain(|cookie| cookie.name() != "theme"), 1);
    assert!(jar.is_empty());
    jar.set("https://example.com/", "id", "s3cret").unwrap();
    let shown = format!("{jar:?} {:?}", jar.matching("https://example.com/"));
    assert!(shown.contains("id") && !shown.contains("s3cret"), "{shown}");
    jar.clear();
    assert_eq!(jar.len(), 0);
}

/// C6: saved and loaded again.
#[test]
fn c6_jars_are_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let jar = CookieJar::new();
    let url = "https://www.example.com/x/";
    for field in [
        "wide=1; Domain=example.com; Max-Age=1000; HttpOnly; SameSite=Strict; Path=/",
        "narrow=\"q; Max-Age=2000; Secure",
        "=nameless; Max-Age=2000",
        "empty=; Max-Age=2000",
        "session=1",
        "tab\tname=1; Max-Age=2000",
    ] {
        jar.store(url, field).unwrap();
    }
    jar.store(url, b"raw=\xff; Max-Age=2000").unwrap();
    let path = folder.path().join("cookies");
    let formats = [CookieFile::netscape(&path), CookieFile::json_lines(&path)];
    for (file, lost) in formats.iter().zip([1, 0]) {
        assert_eq!(file.save(&jar).unwrap(), 6 - lost);
        let loaded = CookieJar::new();
        assert_eq!(file.load(&loaded).unwrap(), 6 - lost);
        let whole = file.clone().with_session_cookies();
        assert_eq!(whole.save(&jar).unwrap(), 7 - lost);
        let loaded = CookieJar::new();
        assert_eq!(whole.load(&loaded).unwrap(), 7 - lost);
        for cookie in loaded.iter() {
            let original = jar.iter().find(|other| other.replaces(&cookie)).unwrap();
            assert_eq!(original.value, cookie.value);
            assert_eq!(
                (original.expires, original.secure, original.http_only),
                (cookie.expires, cookie.secure, cookie.http_only)
            );
        }
        if lost == 0 {
            let wide = loaded.iter().next().unwrap();
            assert_eq!(wide.same_site(), Some(SameSite::Strict));
            assert_eq!(loaded.matching(url).len(), jar.matching(url).len());
            assert_eq!(
                CookieStore::cookies(&loaded, &Url::parse(url).unwrap()),
                CookieStore::cookies(&jar, &Url::parse(url).unwrap())
            );
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o077,
            0
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

/// C6: files of other programs, and malformed ones.
#[test]
fn c6_files_of_other_programs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cookies.txt");
    let text = "# Netscape HTTP Cookie File\r\n# comment\n\n.example.com\tTRUE\t/\tFALSE\t4102444800\ta\tb\r\n\
        #HttpOnly_Www.Example.com\tFALSE\t/x\tTRUE\t0\tc\td\te\nexample.com\tFALSE\t/\tFALSE\t4102444800\tempty\n\
        example.com\tFALSE\t/\tFALSE\t1\told\tgone\n";
    std::fs::write(&path, text).unwrap();
    let (file, jar) = (
        CookieFile::netscape(&path).with_session_cookies(),
        CookieJar::new(),
    );
    assert_eq!(file.load(&jar).unwrap(), 3);
    assert_eq!(
        jar.get("https://sub.example.com/", "a").as_deref(),
        Some("b")
    );
    assert_eq!(
        jar.get("https://www.example.com/x", "c").as_deref(),
        Some("d\te")
    );
    assert_eq!(jar.get("http://example.com/", "empty").as_deref(), Some(""));
    assert_eq!(
        CookieFile::netscape(&path).load(&CookieJar::new()).unwrap(),
        2
    );

    let malformed = |text: &str, file: &CookieFile| {
        std::fs::write(&path, text).unwrap();
        let jar = CookieJar::new();
        let error = file.load(&jar).unwrap_err();
        assert!(
            jar.is_empty() && error.to_string().contains("line 2"),
            "{text:?}: {error}"
        );
        assert!(!error.to_string().contains("s3cret"), "{error}");
    };
    for line in [
        "example.com\tFALSE\t/\tFALSE\tsoon\ta\ts3cret",
        "example.com\tMAYBE\t/\tFALSE\t0\ta\ts3cret",
        "example.com\tFALSE\tx\tFALSE\t0\ta\ts3cret",
        "\tFALSE\t/\tFALSE\t0\ta\ts3cret",
        "example.com\tFALSE\t/\tFALSE\t0\ta\tb\rSet-Cookie: s3cret",
        "s3cret",
    ] {
        malformed(&format!("\n{line}\n"), &file);
    }
    let json = CookieFile::json_lines(&path);
    for line in ["{", "{\"name\":\"s3cret\"}", "[]"] {
        malformed(&format!("\n{line}\n"), &json);
    }
    assert!(
        CookieFile::netscape(folder.path().join("missing"))
            .load(&jar)
            .is_err()
    );
    assert!(
        CookieFile::netscape(folder.path().join("no/folder"))
            .save(&jar)
            .is_err()
    );
}

proptest! {
    /// Whatever a server sends, what goes out is one clean field within the limits.
    #[test]
    fn no_field_breaks_the_jar(
        fields in proptest::collection::vec(
            proptest::collection::vec(proptest::sample::select(vec![
                "; Domain=", "; Path=/", "; Max-Age=", "; Expires=", "; Secure", "__Host-", "a", "=", "b", "1",
                " ", "\t", ".", "example.com", "\u{ff}", ";", "\n", "/x", "07 Aug 2030 08:04:19",
            ]), 0..12).prop_map(|parts| parts.concat().into_bytes()),
            0..20,
        ),
        hosts in proptest::collection::vec(proptest::sample::select(vec![
            "https://www.example.com/x/y", "http://example.com/", "http://127.0.0.1/", "https://example.com./x",
        ]), 20),
    ) {
        let it = Fixture::new();
        for (field, url) in fields.iter().zip(&hosts) {
            let url = Url::parse(url).unwrap();
            let _ = it.jar.accept(&url, field, it.now);
            let value = it.jar.header(&url, it.now).unwrap_or_default();
            prop_assert!(value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control()));
            for cookie in it.jar.iter() {
                prop_assert!(cookie.host_only || !PublicSuffixes::embedded().contains(&cookie.domain));
                prop_assert!(cookie.path.starts_with('/'));
            }
        }
        let copy = it.jar.iter().collect::<Vec<_>>();
        prop_assert!(copy.len() <= it.jar.len() && it.jar.len() <= fields.len());
    }
}

#[test]
fn c3_a_file_brings_no_cookie_that_no_server_could_set() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cookies.txt");
    let lines = [
        ".com\tTRUE\t/\tFALSE\t4000000000\tsuper\tx",
        "example.com\tFALSE\t/\tFALSE\t4000000000\t__Host-open\tx",
        "example.com\tFALSE\t/a\tTRUE\t4000000000\t__Host-below\tx",
        "example.com\tFALSE\t/\tTRUE\t4000000000\t__Host-kept\tx",
        ".example.com\tTRUE\t/\tFALSE\t4000000000\twide\tx",
    ];
    std::fs::write(&path, lines.join("\n")).unwrap();
    let jar = CookieJar::new();
    let count = CookieFile::netscape(&path).load(&jar).unwrap();
    let mut names: Vec<String> = jar
        .iter()
        .map(|cookie| cookie.name().into_owned())
        .collect();
    names.sort();
    assert_eq!(
        (count, names),
        (2, vec!["__Host-kept".to_owned(), "wide".to_owned()])
    );
}
