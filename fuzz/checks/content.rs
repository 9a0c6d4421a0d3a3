//! No coded body makes the decoders panic, give more at once than they say, or depend on how it was split.
//!
//! The first byte says which codings, the rest is the body.

use bytes::Bytes;
use reqivo::content::ContentDecoder;
use reqivo::{Headers, Limits};

const CODINGS: [&str; 9] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, gzip",
    "deflate, br",
    "br, zstd",
    "zstd, deflate, gzip",
    "gzip, br, zstd, deflate, br",
];

/// More of a body than this is not looked at.
const ENOUGH: usize = 2 * 1024 * 1024;

/// What came out, and whether the body was whole; nothing when a limit or the end of patience was met.
fn decode(coding: &str, body: &[u8], step: usize) -> Option<(Vec<u8>, bool)> {
    let mut headers = Headers::new();
    headers.append("Content-Encoding", coding).expect("a field");
    let decoder = ContentDecoder::new(&headers, &Limits::default());
    let mut decoder = decoder.expect("few codings").expect("known ones");
    let mut plain = Vec::new();
    for piece in body.chunks(step) {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            match decoder.decode() {
                Ok(Some(data)) => {
                    assert!(!data.is_empty() && data.len() <= 64 * 1024);
                    plain.extend_from_slice(&data);
                }
                Ok(None) => break,
                Err(error) if error.is_limit() => return None,
                Err(error) => {
                    assert!(error.is_decode(), "{error}");
                    return Some((Vec::new(), false));
                }
            }
            if plain.len() > ENOUGH {
                return None;
            }
        }
    }
    match decoder.finish() {
        Ok(()) => Some((plain, true)),
        Err(_) => Some((Vec::new(), false)),
    }
}

pub(crate) fn check(input: &[u8]) {
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let coding = CODINGS[usize::from(*first) % CODINGS.len()];
    let whole = decode(coding, body, body.len().max(1));
    if body.is_empty() {
        assert_eq!(whole, Some((Vec::new(), true)));
    }
    for step in [1, body.len() % 13 + 2] {
        let split = decode(coding, body, step);
        if let (Some(whole), Some(split)) = (&whole, &split) {
            assert!(whole == split, "{coding} in steps of {step}");
        }
    }
}
