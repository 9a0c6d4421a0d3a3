//! The inputs that the fuzz target keeps, as an ordinary test.

use std::path::Path;

use bytes::BytesMut;
use reqivo::proto::{Decoder, Event, Limits, Tolerance, Violation};

/// What a reply comes to, as far as it must not depend on the splits.
fn decode<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    tolerance: &Tolerance,
) -> (Vec<u8>, Vec<u16>, Result<bool, Violation>) {
    let mut decoder = Decoder::new(&http::Method::GET, &Limits::default(), tolerance);
    let (mut body, mut heads, mut input) = (Vec::new(), Vec::new(), BytesMut::new());
    let mut take = |event| match event {
        Event::Data(data) => body.extend_from_slice(&data),
        Event::Head(head) | Event::Interim(head) => heads.push(head.status()),
        _ => {}
    };
    let run = || {
        for piece in pieces {
            input.extend_from_slice(piece);
            while !decoder.is_ended() {
                match decoder.decode(&mut input)? {
                    Some(event) => take(event),
                    None => break,
                }
            }
        }
        if !decoder.is_ended() {
            take(decoder.finish(&mut input)?);
        }
        Ok(decoder.is_reusable())
    };
    let result = run().map_err(|error: reqivo::proto::ProtocolError| error.violation());
    (body, heads, result)
}

#[test]
fn the_corpus_gives_the_same_at_every_split() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/reply");
    let mut count = 0;
    let joining = Tolerance::default()
        .join_folded_lines()
        .read_unknown_coding_to_close();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let reply = std::fs::read(&path).unwrap();
        for tolerance in [&Tolerance::default(), &joining] {
            let whole = decode(std::iter::once(&reply[..]), tolerance);
            assert_eq!(
                decode(reply.chunks(1), tolerance),
                whole,
                "{}",
                path.display()
            );
            for at in 0..reply.len().min(2000) {
                let (a, b) = reply.split_at(at);
                assert_eq!(
                    decode([a, b].into_iter(), tolerance),
                    whole,
                    "{} at {at}",
                    path.display()
                );
            }
        }
        count += 1;
    }
    assert!(count >= 20, "only {count} inputs");
}

/// The claims of the target `proxy_rules`.
#[test]
fn lists_of_hosts_and_addresses_of_proxies_hold_what_the_target_claims() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/proxy_rules");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        let mut lines = input.splitn(3, '\n');
        let mut line = || lines.next().unwrap_or_default();
        let (list, proxy, url) = (line(), line(), line());
        let each = list.split(|at: char| at == ',' || at.is_whitespace());
        let each: Vec<_> = each.map(reqivo::NoProxy::new).collect();
        let all = reqivo::NoProxy::new(list);
        assert_eq!(all.is_ok(), each.iter().all(Result::is_ok), "{path:?}");
        if let (Ok(all), Ok(url)) = (all, reqivo::Url::parse(url)) {
            let any = each.iter().flatten().any(|entry| entry.matches(&url));
            assert_eq!(all.matches(&url), any, "{path:?}");
            let again = reqivo::NoProxy::new(&all.to_string()).unwrap();
            assert_eq!(again.matches(&url), any, "{path:?}");
        }
        drop(reqivo::Proxy::all(proxy));
        let environment = [("http_proxy", proxy), ("no_proxy", list)];
        let session = reqivo::Session::builder().environment(environment);
        assert!(session.build().is_ok(), "{path:?}");
        count += 1;
    }
    assert!(count >= 10, "only {count} inputs");
}

/// The claims of the target `set_cookie`.
#[test]
fn fields_that_set_cookies_hold_what_the_target_claims() {
    use reqivo::{CookieJar, CookieStore, PublicSuffixes, Url};

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/set_cookie");
    let other = Url::parse("https://other.invalid/").unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let mut lines = input.split(|&byte| byte == b'\n');
        let url = std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
        let url = Url::parse(url).or_else(|_| Url::parse("https://www.example.co.uk/a/b"));
        let (url, jar) = (url.unwrap(), CookieJar::new());
        jar.set_cookies(&url, &mut lines);
        let sent = jar.cookies(&url).unwrap_or_default();
        let clean = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
        assert!(sent.iter().all(clean), "{path:?}");
        for cookie in &jar {
            let suffix = PublicSuffixes::embedded().contains(cookie.domain());
            assert!(cookie.is_host_only() || !suffix, "{path:?} {cookie:?}");
            assert!(
                !cookie.is_secure() || url.scheme() == "https",
                "{path:?} {cookie:?}"
            );
        }
        assert!(
            jar.len() <= 180 && jar.cookies(&other).is_none(),
            "{path:?}"
        );
        count += 1;
    }
    assert!(count >= 15, "only {count} inputs");
}

#[path = "../../../../fuzz/checks/chunks.rs"]
mod chunks;
#[path = "../../../../fuzz/checks/content.rs"]
mod content;
#[path = "../../../../fuzz/checks/text.rs"]
mod text;
#[path = "../../../../fuzz/checks/url_join.rs"]
mod url_join;

/// Runs a target over the inputs that it keeps.
fn replay(target: &str, least: usize, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(folder.join(target)).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        check(&std::fs::read(path).unwrap());
        count += 1;
    }
    assert!(count >= least, "only {count} inputs");
}

#[test]
fn chunked_bodies_hold_what_the_target_claims() {
    replay("chunks", 20, chunks::check);
}

#[test]
fn coded_bodies_hold_what_the_target_claims() {
    replay("content", 35, content::check);
}

#[test]
fn texts_hold_what_the_target_claims() {
    replay("text", 12, text::check);
}

#[test]
fn addresses_hold_what_the_target_claims() {
    replay("url_join", 10, url_join::check);
}
