//! Content coding: gzip, one member after the other, with a bound on every step of output.

use bytes::Bytes;
#[cfg(feature = "gzip")]
use bytes::{Buf, BytesMut};

use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::proto::{LimitKind, Limits, ProtocolError};

/// The decoders of a body, in the order in which they undo the codings.
#[derive(Debug)]
pub(crate) struct ContentDecoder {
    #[cfg(feature = "gzip")]
    layers: Vec<Gzip>,
    coded_bytes: u64,
    plain_bytes: u64,
    ratio_guard: bool,
}

impl ContentDecoder {
    /// The value of Accept-Encoding that names exactly the decoders there are.
    pub(crate) const ACCEPTED: Option<&'static str> = if cfg!(feature = "gzip") {
        Some("gzip")
    } else {
        None
    };

    /// The decoder for a body with these headers; none when it is not coded or a coding is not known.
    pub(crate) fn of(headers: &Headers, limits: &Limits) -> Result<Option<Self>, Error> {
        let mut count = 0_usize;
        for value in headers.get_all("content-encoding") {
            for coding in crate::proto::list(value) {
                if coding.is_empty() || coding.eq_ignore_ascii_case(b"identity") {
                    continue;
                }
                let gzip =
                    coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip");
                if !gzip || !cfg!(feature = "gzip") {
                    return Ok(None);
                }
                count += 1;
            }
        }
        if count == 0 {
            return Ok(None);
        }
        if count > MAX_CODINGS {
            let error = ProtocolError::limit(LimitKind::ContentCodings, MAX_CODINGS as u64);
            return Err(Error::protocol(error, Phase::Body));
        }
        Ok(Some(Self {
            #[cfg(feature = "gzip")]
            layers: (0..count).map(|_| Gzip::default()).collect(),
            coded_bytes: 0,
            plain_bytes: 0,
            ratio_guard: limits.ratio_guard,
        }))
    }

    /// Gives the decoder more of the coded body.
    #[cfg(feature = "gzip")]
    pub(crate) fn feed(&mut self, data: Bytes) {
        self.coded_bytes = self.coded_bytes.saturating_add(data.len() as u64);
        if let Some(first) = self.layers.first_mut() {
            first.feed(data);
        }
    }

    #[cfg(not(feature = "gzip"))]
    pub(crate) fn feed(&mut self, _: Bytes) {}

    /// Decodes up to 64 KiB; `None` when more of the coded body is needed.
    #[cfg(feature = "gzip")]
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let mut at = self.layers.len() - 1;
        let plain = loop {
            match (self.layers[at].next().map_err(failed)?, at) {
                (None, 0) => return Ok(None),
                (None, _) => at -= 1,
                (Some(data), _) if at + 1 == self.layers.len() => break data,
                (Some(data), _) => {
                    at += 1;
                    self.layers[at].feed(data);
                }
            }
        };
        self.plain_bytes = self.plain_bytes.saturating_add(plain.len() as u64);
        // What was fed but not looked at yet does not excuse what came out.
        let unread = self
            .layers
            .first()
            .map_or(0, |first| first.input.len() as u64);
        let coded = self.coded_bytes.saturating_sub(unread);
        if self.ratio_guard
            && self.plain_bytes > RATIO_FREE_BYTES
            && self.plain_bytes > coded.saturating_mul(MAX_RATIO)
        {
            let error = ProtocolError::limit(LimitKind::CompressionRatio, MAX_RATIO);
            return Err(Error::protocol(error, Phase::Body));
        }
        Ok(Some(plain))
    }

    #[cfg(not(feature = "gzip"))]
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(None)
    }

    /// The coded body ended. An empty one is an empty body.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        #[cfg(feature = "gzip")]
        if self.coded_bytes > 0 && !self.layers.iter().all(Gzip::is_complete) {
            return Err(failed(Corrupt("truncated gzip data")));
        }
        Ok(())
    }
}

#[cfg_attr(
    not(feature = "gzip"),
    expect(dead_code, reason = "only decoders fail")
)]
fn failed(cause: Corrupt) -> Error {
    Error::new(ErrorKind::Decode, Phase::Body)
        .with_message("cannot decode the body")
        .with_source(cause)
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Corrupt(&'static str);

/// Decoder of the gzip format (RFC 1952).
#[cfg(feature = "gzip")]
struct Gzip {
    state: GzipState,
    input: BytesMut,
    inflate: flate2::Decompress,
    check: flate2::Crc,
    members: u64,
}

#[cfg(feature = "gzip")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GzipState {
    /// The ten fixed bytes of a member.
    Fixed,
    /// The optional parts that the flags announce, one after the other.
    Extra {
        flags: u8,
    },
    ExtraData {
        flags: u8,
        left: u16,
    },
    Name {
        flags: u8,
    },
    Comment {
        flags: u8,
    },
    HeaderCheck {
        flags: u8,
    },
    Data,
    Trailer,
}

#[cfg(feature = "gzip")]
impl Default for Gzip {
    fn default() -> Self {
        Self {
            state: GzipState::Fixed,
            input: BytesMut::new(),
            inflate: flate2::Decompress::new(false),
            check: flate2::Crc::new(),
            members: 0,
        }
    }
}

#[cfg(feature = "gzip")]
impl Gzip {
    fn feed(&mut self, data: Bytes) {
        if self.input.is_empty() {
            // Takes the buffer over when nobody else holds it.
            self.input = BytesMut::from(data);
        } else {
            self.input.extend_from_slice(&data);
        }
    }

    fn is_complete(&self) -> bool {
        self.state == GzipState::Fixed && self.input.is_empty() && self.members > 0
    }

    fn next(&mut self) -> Result<Option<Bytes>, Corrupt> {
        loop {
            match self.state {
                GzipState::Data => match self.inflate()? {
                    Some(data) if data.is_empty() => {}
                    data => return Ok(data),
                },
                GzipState::Trailer => {
                    let Some(trailer) = self.input.first_chunk::<8>() else {
                        return Ok(None);
                    };
                    let [a, b, c, d, rest @ ..] = *trailer;
                    let (sum, size) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(rest));
                    if sum != self.check.sum() || size != self.check.amount() {
                        return Err(Corrupt("gzip checksum does not match"));
                    }
                    self.input.advance(8);
                    self.members += 1;
                    self.inflate.reset(false);
                    self.check.reset();
                    self.state = GzipState::Fixed;
                }
                _ => {
                    if !self.header()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// One part of the header. Returns whether it was there.
    fn header(&mut self) -> Result<bool, Corrupt> {
        match self.state {
            GzipState::Fixed => {
                let start = &self.input[..self.input.len().min(GZIP_MAGIC.len())];
                if !GZIP_MAGIC.starts_with(start) {
                    return Err(Corrupt("not gzip data"));
                }
                let Some(fixed) = self.input.first_chunk::<10>() else {
                    return Ok(false);
                };
                let flags = fixed[3];
                if flags & 0b1110_0000 != 0 {
                    return Err(Corrupt("unknown gzip flags"));
                }
                self.input.advance(10);
                self.state = GzipState::Extra { flags };
            }
            GzipState::Extra { flags } if flags & EXTRA == 0 => {
                self.state = GzipState::Name { flags };
            }
            GzipState::Extra { flags } => {
                let Some(length) = self.input.first_chunk::<2>() else {
                    return Ok(false);
                };
                let left = u16::from_le_bytes(*length);
                self.input.advance(2);
                self.state = GzipState::ExtraData { flags, left };
            }
            GzipState::ExtraData { flags, left } => {
                let take = usize::from(left).min(self.input.len());
                self.input.advance(take);
                let left = left - u16::try_from(take).unwrap_or(left);
                if left > 0 {
                    self.state = GzipState::ExtraData { flags, left };
                    return Ok(false);
                }
                self.state = GzipState::Name { flags };
            }
            GzipState::Name { flags } => {
                if flags & NAME != 0 && !self.skip_text() {
                    return Ok(false);
                }
                self.state = GzipState::Comment { flags };
            }
            GzipState::Comment { flags } => {
                if flags & COMMENT != 0 && !self.skip_text() {
                    return Ok(false);
                }
                self.state = GzipState::HeaderCheck { flags };
            }
            GzipState::HeaderCheck { flags } => {
                if flags & HEADER_CHECK != 0 {
                    if self.input.len() < 2 {
                        return Ok(false);
                    }
                    self.input.advance(2);
                }
                self.state = GzipState::Data;
            }
            GzipState::Data | GzipState::Trailer => {}
        }
        Ok(true)
    }

    /// Skips a text up to its zero byte. Returns whether that was there.
    fn skip_text(&mut self) -> bool {
        match memchr::memchr(0, &self.input) {
            Some(end) => {
                self.input.advance(end + 1);
                true
            }
            None => {
                self.input.clear();
                false
            }
        }
    }

    fn inflate(&mut self) -> Result<Option<Bytes>, Corrupt> {
        if self.input.is_empty() {
            return Ok(None);
        }
        // A quarter more than the usual ratio, so that small bodies do not take the whole step.
        let room = self.input.len().saturating_mul(5).clamp(MIN_STEP, MAX_STEP);
        let mut output = Vec::with_capacity(room);
        let (read_before, written_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress_vec(&self.input, &mut output, flate2::FlushDecompress::None)
            .map_err(|_| Corrupt("corrupt gzip data"))?;
        let read = self.inflate.total_in() - read_before;
        let written = self.inflate.total_out() - written_before;
        self.input.advance(
            usize::try_from(read)
                .unwrap_or(usize::MAX)
                .min(self.input.len()),
        );
        self.check.update(&output);
        if status == flate2::Status::StreamEnd {
            self.state = GzipState::Trailer;
        } else if read == 0 && written == 0 {
            return match self.input.is_empty() {
                true => Ok(None),
                false => Err(Corrupt("corrupt gzip data")),
            };
        }
        Ok(Some(Bytes::from(output)))
    }
}

#[cfg(feature = "gzip")]
impl std::fmt::Debug for Gzip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gzip")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// More codings than this are an attack, not a format.
const MAX_CODINGS: usize = 5;
#[cfg(feature = "gzip")]
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
#[cfg(feature = "gzip")]
const HEADER_CHECK: u8 = 2;
#[cfg(feature = "gzip")]
const EXTRA: u8 = 4;
#[cfg(feature = "gzip")]
const NAME: u8 = 8;
#[cfg(feature = "gzip")]
const COMMENT: u8 = 16;
#[cfg(feature = "gzip")]
const MIN_STEP: usize = 1024;
#[cfg(feature = "gzip")]
const MAX_STEP: usize = 64 * 1024;
#[cfg(feature = "gzip")]
const MAX_RATIO: u64 = 1000;
#[cfg(feature = "gzip")]
const RATIO_FREE_BYTES: u64 = 1024 * 1024;

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use std::io::Write;

    use super::*;

    #[expect(clippy::unwrap_used, reason = "writes into memory")]
    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn decoder_of(coding: &str, limits: &Limits) -> Result<Option<ContentDecoder>, Error> {
        let mut headers = Headers::new();
        headers.append("Content-Encoding", coding)?;
        ContentDecoder::of(&headers, limits)
    }

    #[expect(clippy::unwrap_used, reason = "tests name known codings")]
    fn decoder(coding: &str, limits: &Limits) -> ContentDecoder {
        decoder_of(coding, limits).unwrap().unwrap()
    }

    fn decode(coded: &[u8], step: usize, coding: &str) -> Result<Vec<u8>, Error> {
        let mut decoder = decoder(coding, &Limits::default());
        let mut plain = Vec::new();
        for piece in coded.chunks(step) {
            decoder.feed(Bytes::copy_from_slice(piece));
            while let Some(data) = decoder.next()? {
                plain.extend_from_slice(&data);
            }
        }
        decoder.finish()?;
        Ok(plain)
    }

    #[test]
    fn every_split_of_two_members_gives_both() {
        let data: Vec<u8> = (0..3000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let coded = [gzip(&data), gzip(b"more")].concat();
        let expected = [&data[..], b"more"].concat();
        for step in [1, 2, 3, 7, 11, 1000, coded.len()] {
            assert_eq!(
                decode(&coded, step, "gzip").unwrap(),
                expected,
                "step {step}"
            );
        }
    }

    #[test]
    fn codings_applied_twice_are_undone_twice() {
        let coded = gzip(&gzip(b"twice"));
        assert_eq!(decode(&coded, 5, "gzip, X-GZIP").unwrap(), b"twice");
        assert_eq!(decode(&coded, 5, "identity, gzip").unwrap(), gzip(b"twice"));
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_of_the_check_is_an_error() {
        let coded = gzip(b"some text that is long enough to have a body");
        for end in 1..coded.len() {
            let error = decode(&coded[..end], 1000, "gzip").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "cut at {end}");
        }
        for at in coded.len() - 8..coded.len() {
            let mut broken = coded.clone();
            broken[at] ^= 1;
            assert!(decode(&broken, 1000, "gzip").is_err(), "flipped at {at}");
        }
        assert!(decode(&[&coded[..], b"garbage"].concat(), 1000, "gzip").is_err());
        assert!(decode(b"plain text", 1000, "gzip").is_err());
    }

    #[test]
    fn an_empty_body_is_an_empty_body() {
        assert_eq!(decode(b"", 1, "gzip").unwrap(), b"");
    }

    #[test]
    fn a_bomb_stops_early_and_an_explicit_size_limit_lifts_the_ratio_guard() {
        let coded = gzip(&vec![0; 64 * 1024 * 1024]);
        let run = |limits: &Limits| {
            let mut decoder = decoder("gzip", limits);
            decoder.feed(Bytes::copy_from_slice(&coded));
            let mut plain = 0;
            loop {
                match decoder.next() {
                    Ok(Some(data)) => {
                        assert!(data.len() <= MAX_STEP);
                        plain += data.len();
                    }
                    Ok(None) => return Ok(plain),
                    Err(error) => return Err((plain, error)),
                }
            }
        };
        let (plain, error) = run(&Limits::default()).unwrap_err();
        assert!(
            error.is_limit() && plain < 4 * 1024 * 1024,
            "{plain} bytes, then {error}"
        );
        assert_eq!(
            run(&Limits::default().buffered_bytes(1)).unwrap(),
            64 * 1024 * 1024
        );
    }

    #[test]
    fn unknown_codings_pass_through_and_too_many_are_refused() {
        let of = |coding: &str| decoder_of(coding, &Limits::default());
        assert!(of("zstd").unwrap().is_none());
        assert!(of("gzip, br").unwrap().is_none());
        assert!(of("identity").unwrap().is_none());
        assert!(of("gzip,gzip,gzip,gzip,gzip").unwrap().is_some());
        assert!(of("gzip,gzip,gzip,gzip,gzip,gzip").unwrap_err().is_limit());
    }
}
