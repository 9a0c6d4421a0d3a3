//! No `Set-Cookie` field makes the jar panic or send what it must not: control characters, cookies of other hosts,
//! cookies of public suffixes; and no number of them makes it hold more than its limits.
//!
//! An input is the address of the server on the first line, and a field on each other line.
//! The corpus is run as an ordinary test by `crates/reqivo/tests/it`.

#![cfg_attr(fuzzing, no_main)]

use reqivo::{CookieJar, CookieStore, PublicSuffixes, Url};

fn check(input: &[u8]) {
    let mut lines = input.split(|&byte| byte == b'\n');
    let url = std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let url = match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => Url::parse("https://www.example.co.uk/a/b").expect("a plain url"),
    };
    let (jar, suffixes) = (CookieJar::new(), PublicSuffixes::embedded());
    jar.set_cookies(&url, &mut lines);
    let sent = jar.cookies(&url).unwrap_or_default();
    assert!(
        sent.iter()
            .all(|&byte| byte == b'\t' || !byte.is_ascii_control())
    );
    assert_eq!(sent.is_empty(), jar.matching(&url).is_empty());
    assert!(jar.len() <= 3000);
    let host = url.host_str().unwrap_or_default();
    for cookie in &jar {
        assert!(host.ends_with(cookie.domain()) && cookie.path().starts_with('/'));
        assert!(cookie.is_host_only() || !suffixes.contains(cookie.domain()));
        assert!(!cookie.is_secure() || url.scheme() == "https");
        assert!(cookie.name().len() + cookie.value_bytes().len() <= 2 * 4096);
        let prefixed = |prefix: &str| cookie.name().to_ascii_lowercase().starts_with(prefix);
        assert!(!prefixed("__secure-") || cookie.is_secure());
        assert!(!prefixed("__host-") || (cookie.is_host_only() && cookie.path() == "/"));
    }
    let other = Url::parse("https://other.invalid/").expect("a plain url");
    assert!(host == "other.invalid" || jar.cookies(&other).is_none());
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));

/// Without the engine: runs the files that are named.
#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        check(&std::fs::read(path)?);
    }
    Ok(())
}
