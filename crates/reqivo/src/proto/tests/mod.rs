//! Every rule about replies, as tables of raw bytes that are fed at every split.

use bytes::BytesMut;
use http::Method;

use super::*;

mod bodies;
mod heads;
mod work;

thread_local! {
    /// The bytes that were looked at on this thread.
    pub(super) static WORK: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// What a reply came to: the final head, the body, what followed it, or the error.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    interims: usize,
    status: Option<u16>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
    result: Result<bool, Violation>,
    left_over: usize,
}

struct Setup {
    method: Method,
    limits: Limits,
    tolerance: Tolerance,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            method: Method::GET,
            limits: Limits::default(),
            tolerance: Tolerance::default(),
        }
    }
}

fn fields(headers: &crate::Headers) -> Vec<(String, Vec<u8>)> {
    headers
        .iter_bytes()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect()
}

/// Feeds the pieces one after the other, then the end of the connection.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, setup: &Setup) -> Outcome {
    let mut decoder = Decoder::new(&setup.method, &setup.limits, &setup.tolerance);
    let mut outcome = Outcome {
        interims: 0,
        status: None,
        headers: Vec::new(),
        body: Vec::new(),
        trailers: Vec::new(),
        result: Ok(false),
        left_over: 0,
    };
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => take(&mut outcome, event),
                Err(error) => {
                    outcome.result = Err(error.violation());
                    return outcome;
                }
            }
            if decoder.is_ended() {
                break;
            }
        }
    }
    if !decoder.is_ended() {
        match decoder.finish(&mut input) {
            Ok(event) => take(&mut outcome, event),
            Err(error) => {
                outcome.result = Err(error.violation());
                return outcome;
            }
        }
    }
    outcome.left_over = input.len();
    outcome.result = Ok(decoder.is_reusable() && input.is_empty());
    outcome
}

fn take(outcome: &mut Outcome, event: Event) {
    match event {
        Event::Interim(_) => outcome.interims += 1,
        Event::Head(head) => {
            outcome.status = Some(head.status());
            outcome.headers = fields(head.headers());
        }
        Event::Data(data) => {
            assert!(!data.is_empty(), "data is never empty");
            outcome.body.extend_from_slice(&data);
        }
        Event::Trailers(trailers) => outcome.trailers = fields(&trailers),
        Event::End => {}
    }
}

/// The outcome of a reply, which must be the same for the whole, every split in two, and single bytes.
fn at_every_split(reply: &[u8], setup: &Setup) -> Outcome {
    let whole = run([reply], setup);
    let shown = String::from_utf8_lossy(&reply[..reply.len().min(200)]);
    let single = run(reply.chunks(1), setup);
    assert_eq!(single, whole, "byte by byte: {shown:?}");
    if reply.len() <= 2000 {
        for at in 0..=reply.len() {
            let (a, b) = reply.split_at(at);
            assert_eq!(run([a, b], setup), whole, "split at {at}: {shown:?}");
        }
    }
    for step in [2, 3, 7, 64, 1000] {
        assert_eq!(
            run(reply.chunks(step), setup),
            whole,
            "steps of {step}: {shown:?}"
        );
    }
    whole
}

fn get(reply: impl AsRef<[u8]>) -> Outcome {
    at_every_split(reply.as_ref(), &Setup::default())
}

#[track_caller]
fn accepted(reply: impl AsRef<[u8]>, status: u16, body: &[u8], reusable: bool) {
    let reply = reply.as_ref();
    let outcome = get(reply);
    let shown = String::from_utf8_lossy(reply);
    assert_eq!(outcome.result, Ok(reusable), "{shown:?}");
    assert_eq!(outcome.status, Some(status), "{shown:?}");
    assert_eq!(outcome.body, body, "{shown:?}");
}

#[track_caller]
fn refused(reply: impl AsRef<[u8]>, violation: Violation) {
    let reply = reply.as_ref();
    assert_eq!(
        get(reply).result,
        Err(violation),
        "{:?}",
        String::from_utf8_lossy(reply)
    );
}

fn limit(kind: LimitKind, limit: u64) -> Violation {
    Violation::Limit { kind, limit }
}

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = Decoder::new(&Method::GET, &Limits::default(), &Tolerance::default());
    let mut input = BytesMut::from("nonsense\r\n");
    assert!(decoder.decode(&mut input).is_err());
    input = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert!(decoder.decode(&mut input).is_err());
    assert!(decoder.finish(&mut input).is_err());
    assert!(!decoder.is_reusable());
}

proptest::proptest! {
    #[test]
    fn no_input_panics_and_every_split_gives_the_same(
        reply in reply_like(),
        cuts in proptest::collection::vec(0_usize..400, 0..6),
    ) {
        let setup = Setup::default();
        let whole = run([&reply[..]], &setup);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(reply.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&reply[from..cut]);
            from = cut;
        }
        pieces.push(&reply[from..]);
        proptest::prop_assert_eq!(run(pieces, &setup), whole);
    }
}

/// Parts of replies in any order, with some noise.
fn reply_like() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let part = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.0 304 \r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Just(b"Content-Length: 7\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Connection: close\r\n".to_vec()),
        Just(b" folded\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"0;ext\r\n".to_vec()),
        Just(b"fffffffffffffff\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    let start = prop_oneof![
        4 => Just(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        4 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        1 => Just(Vec::new()),
    ];
    (start, proptest::collection::vec(part, 0..12))
        .prop_map(|(start, parts)| [start, parts.concat()].concat())
}
