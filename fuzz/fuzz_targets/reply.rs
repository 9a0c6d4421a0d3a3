//! No reply makes the decoder panic, hold more than it may, or depend on how it was split into reads.
//!
//! The corpus is plain replies; `crates/reqivo/tests/it` runs it as ordinary tests.

#![cfg_attr(fuzzing, no_main)]

use bytes::BytesMut;
use reqivo::proto::{Decoder, Event, Limits, ProtocolError, Tolerance};

type Outcome = (Vec<u8>, Vec<u16>, Result<bool, ProtocolError>);

fn decode(reply: &[u8], step: usize, method: &http::Method, tolerance: &Tolerance) -> Outcome {
    let limits = Limits::default()
        .head_bytes(2048)
        .line_bytes(512)
        .fields(16)
        .trailer_bytes(2048)
        .trailer_fields(16)
        .chunk_extension_bytes(64)
        .interim_responses(4)
        .body_bytes(4096);
    let mut decoder = Decoder::new(method, &limits, tolerance);
    let (mut body, mut heads, mut input) = (Vec::new(), Vec::new(), BytesMut::new());
    let mut take = |event| match event {
        Event::Data(data) => {
            assert!(!data.is_empty());
            body.extend_from_slice(&data);
        }
        Event::Head(head) | Event::Interim(head) => heads.push(head.status()),
        _ => {}
    };
    let mut run = || {
        for piece in reply.chunks(step) {
            input.extend_from_slice(piece);
            while !decoder.is_ended() {
                match decoder.decode(&mut input)? {
                    Some(event) => take(event),
                    None => break,
                }
            }
            assert!(decoder.is_ended() || input.len() <= 2048 + step);
        }
        if !decoder.is_ended() {
            take(decoder.finish(&mut input)?);
        }
        Ok(decoder.is_reusable())
    };
    let result = run();
    assert!(body.len() <= 4096);
    (body, heads, result)
}

fn check(reply: &[u8]) {
    let strict = Tolerance::default();
    let joining = Tolerance::default().join_folded_lines();
    let lenient = joining.clone().read_unknown_coding_to_close();
    let step = reply.len() % 13 + 1;
    for method in [http::Method::GET, http::Method::HEAD] {
        for tolerance in [&strict, &joining, &lenient] {
            let whole = decode(reply, reply.len().max(1), &method, tolerance);
            assert_eq!(decode(reply, 1, &method, tolerance), whole);
            assert_eq!(decode(reply, step, &method, tolerance), whole);
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|reply: &[u8]| check(reply));

/// Without the engine: runs the files that are named.
#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        check(&std::fs::read(path)?);
    }
    Ok(())
}
