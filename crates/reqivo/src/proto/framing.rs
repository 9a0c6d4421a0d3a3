use super::{Head, ProtocolError, Tolerance, Violation};

/// How the end of a body is known (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    Empty,
    /// The body has so many bytes.
    Known(u64),
    /// The body is chunked.
    Chunked,
    /// The body ends with the connection.
    UntilClose,
}

/// What the head of a final reply says about its body and its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    pub(super) length: BodyLength,
    /// Whether the connection may carry another exchange after this one.
    pub(super) persistent: bool,
    /// Whether Content-Length lost to Transfer-Encoding.
    pub(super) drop_content_length: bool,
}

impl Framing {
    pub(super) fn of(
        head: &Head,
        method: &http::Method,
        tolerance: &Tolerance,
    ) -> Result<Self, ProtocolError> {
        let mut content_length = None;
        let mut codings = Codings::default();
        let mut close = false;
        let mut keep_alive = false;
        for value in head.headers.values(b"connection") {
            for token in list(value) {
                close |= token.eq_ignore_ascii_case(b"close");
                keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        for value in head.headers.values(b"content-length") {
            lengths(value, &mut content_length);
        }
        for value in head.headers.values(b"transfer-encoding") {
            codings.add(value);
        }
        let mut persistent = !close && (!head.is_http_10() || keep_alive);
        let status = head.status();
        let tunnel = *method == http::Method::CONNECT && (200..300).contains(&status);
        if *method == http::Method::HEAD || matches!(status, 100..=199 | 204 | 304) || tunnel {
            // A server that announces a body here may well send one (RFC 9110 8.6).
            let announces_body =
                status == 204 && (codings.seen || !matches!(content_length, None | Some(Ok(0))));
            return Ok(Self {
                length: BodyLength::Empty,
                persistent: persistent && !tunnel && !announces_body,
                drop_content_length: false,
            });
        }
        let content_length = content_length.transpose()?;
        let mut drop_content_length = false;
        let length = if codings.seen {
            if head.is_http_10() {
                return Err(Violation::TransferEncoding.into());
            }
            if content_length.is_some() {
                if tolerance.refuse_length_with_chunked {
                    return Err(Violation::LengthWithTransferEncoding.into());
                }
                drop_content_length = true;
                persistent = false;
            }
            if codings.is_chunked() {
                BodyLength::Chunked
            } else if codings.is_single_unknown() && tolerance.unknown_coding_to_close {
                BodyLength::UntilClose
            } else {
                return Err(Violation::TransferEncoding.into());
            }
        } else {
            match content_length {
                Some(0) => BodyLength::Empty,
                Some(length) => BodyLength::Known(length),
                None => BodyLength::UntilClose,
            }
        };
        persistent &= length != BodyLength::UntilClose;
        Ok(Self {
            length,
            persistent,
            drop_content_length,
        })
    }
}

/// The transfer codings of a reply, over all its fields.
#[derive(Default)]
struct Codings {
    seen: bool,
    total: usize,
    chunked: usize,
    malformed: bool,
}

impl Codings {
    fn add(&mut self, value: &[u8]) {
        self.seen = true;
        for coding in list(value) {
            self.total = self.total.saturating_add(1);
            self.malformed |= coding.is_empty();
            if coding.eq_ignore_ascii_case(b"chunked") {
                self.chunked = self.chunked.saturating_add(1);
            }
        }
    }

    /// Exactly one coding, and that is `chunked`: no other coding is known.
    fn is_chunked(&self) -> bool {
        !self.malformed && self.total == 1 && self.chunked == 1
    }

    fn is_single_unknown(&self) -> bool {
        !self.malformed && self.total == 1 && self.chunked == 0
    }
}

/// Adds the values of a Content-Length field to what was seen before.
fn lengths(value: &[u8], seen: &mut Option<Result<u64, ProtocolError>>) {
    for item in list(value) {
        let length = parse_length(item);
        match (&*seen, length) {
            (Some(Err(_)), _) => return,
            (None, length) => *seen = Some(length),
            (Some(Ok(before)), Ok(length)) if *before == length => {}
            (Some(Ok(_)), Ok(_)) => *seen = Some(Err(Violation::ConflictingLengths.into())),
            (Some(Ok(_)), Err(error)) => *seen = Some(Err(error)),
        }
    }
}

fn parse_length(digits: &[u8]) -> Result<u64, ProtocolError> {
    if digits.is_empty() {
        return Err(Violation::ContentLength.into());
    }
    let mut length: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(Violation::ContentLength.into());
        }
        length = length
            .checked_mul(10)
            .and_then(|length| length.checked_add(u64::from(digit - b'0')))
            .filter(|length| *length <= MAX_LENGTH)
            .ok_or(Violation::ContentLength)?;
    }
    Ok(length)
}

/// The items of a comma-separated list, without surrounding spaces and tabs; empty ones included.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Lengths fit 63 bits, so that no peer's signed arithmetic disagrees.
const MAX_LENGTH: u64 = i64::MAX as u64;
