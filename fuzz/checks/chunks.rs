//! No chunked body makes the decoder panic, hold more than its limits, or depend on how it was split into reads.

use bytes::BytesMut;
use reqivo::proto::{Decoder, Event, Limits, Tolerance, Violation};

type Outcome = (Vec<u8>, usize, Result<bool, Violation>);

fn decode(body: &[u8], step: usize) -> Outcome {
    let limits = Limits::default()
        .trailer_bytes(512)
        .trailer_fields(8)
        .chunk_extension_bytes(64)
        .body_bytes(4096);
    let mut decoder = Decoder::new(&http::Method::GET, &limits, &Tolerance::default());
    let mut input = BytesMut::from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(matches!(
        decoder.decode(&mut input),
        Ok(Some(Event::Head(_)))
    ));
    let (mut data, mut trailers) = (Vec::new(), 0);
    let mut take = |event| match event {
        Event::Data(piece) => {
            assert!(!piece.is_empty());
            data.extend_from_slice(&piece);
        }
        Event::Trailers(fields) => trailers = fields.iter().count(),
        _ => {}
    };
    let mut run = || {
        for piece in body.chunks(step) {
            input.extend_from_slice(piece);
            while !decoder.is_ended() {
                match decoder.decode(&mut input)? {
                    Some(event) => take(event),
                    None => break,
                }
            }
            assert!(decoder.is_ended() || input.len() <= 512 + step);
        }
        if !decoder.is_ended() {
            take(decoder.finish(&mut input)?);
        }
        Ok(decoder.is_reusable())
    };
    let result = run().map_err(|error: reqivo::proto::ProtocolError| error.violation());
    assert!(data.len() <= 4096 && trailers <= 8);
    (data, trailers, result)
}

pub(crate) fn check(body: &[u8]) {
    let whole = decode(body, body.len().max(1));
    for step in [1, 2, body.len() % 13 + 1] {
        assert_eq!(decode(body, step), whole);
    }
}
