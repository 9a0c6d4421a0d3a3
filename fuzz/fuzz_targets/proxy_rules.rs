//! No list of hosts and no address of a proxy makes their parsers panic; a list is the union of its entries, and means
//! the same after it was printed; no password shows.
//!
//! An input is a list, the address of a proxy, and a URL, each on a line.
//! The corpus is run as an ordinary test by `crates/reqivo/tests/it`.

#![cfg_attr(fuzzing, no_main)]

use reqivo::{NoProxy, Proxy, Url};

fn check(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = input.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (list, proxy, url) = (line(), line(), line());
    let url = Url::parse(url).or_else(|_| Url::parse("http://a.example:81/"));
    let entries: Vec<_> = list
        .split(|at: char| at == ',' || at.is_whitespace())
        .map(NoProxy::new)
        .collect();
    let all = NoProxy::new(list);
    assert_eq!(all.is_ok(), entries.iter().all(Result::is_ok));
    if let (Ok(all), Ok(url)) = (&all, &url) {
        let any = entries.iter().flatten().any(|entry| entry.matches(url));
        assert_eq!(all.matches(url), any);
        let again = NoProxy::new(&all.to_string()).expect("a printed list is a list");
        assert_eq!(again.to_string(), all.to_string());
        assert_eq!(again.matches(url), any);
    }
    if let Ok(proxy) = Proxy::all(proxy) {
        let secret = proxy.clone().basic_auth("user", "pass-word-42");
        assert!(!format!("{secret:?}").contains("pass-word-42"));
        let _ = reqivo::Session::builder().proxy(proxy).build();
    }
    let _ = reqivo::Session::builder()
        .environment([("http_proxy", proxy), ("no_proxy", list)])
        .build();
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
