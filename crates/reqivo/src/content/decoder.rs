use bytes::Bytes;

use super::gzip::{Corrupt, Gzip};
use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::proto::{LimitKind, Limits, ProtocolError};

/// The decoders of a body, in the order in which they undo the codings.
#[derive(Debug)]
pub(crate) struct ContentDecoder {
    layers: Vec<Gzip>,
    coded_bytes: u64,
    plain_bytes: u64,
    ratio_guard: bool,
}

impl ContentDecoder {
    /// The value of Accept-Encoding that names exactly the decoders there are.
    pub(crate) const ACCEPTED: Option<&'static str> = Some("gzip");

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
                if !gzip {
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
            layers: (0..count).map(|_| Gzip::default()).collect(),
            coded_bytes: 0,
            plain_bytes: 0,
            ratio_guard: limits.ratio_guard,
        }))
    }

    /// Gives the decoder more of the coded body.
    pub(crate) fn feed(&mut self, data: Bytes) {
        self.coded_bytes = self.coded_bytes.saturating_add(data.len() as u64);
        if let Some(first) = self.layers.first_mut() {
            first.feed(data);
        }
    }

    /// Decodes up to 64 KiB; `None` when more of the coded body is needed.
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
        let unread = self.layers.first().map_or(0, Gzip::unread);
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

    /// The coded body ended. An empty one is an empty body.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.coded_bytes > 0 && !self.layers.iter().all(Gzip::is_complete) {
            return Err(failed(Corrupt("truncated gzip data")));
        }
        Ok(())
    }
}

fn failed(cause: Corrupt) -> Error {
    Error::new(ErrorKind::Decode, Phase::Body)
        .with_message("cannot decode the body")
        .with_source(cause)
}

/// More codings than this are an attack, not a format.
const MAX_CODINGS: usize = 5;
const MAX_RATIO: u64 = 1000;
const RATIO_FREE_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

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
    fn optional_header_parts_are_skipped_and_their_checksum_is_checked() {
        let plain = gzip(b"hello");
        let length = 10 + 2 + 3 + "name\0".len() + "comment\0".len();
        let mut header = plain[..length].to_vec();
        header[3] |= 2;
        let mut check = flate2::Crc::new();
        check.update(&header);
        let sum = check.sum().to_le_bytes();
        let with = |sum: [u8; 2]| [&header[..], &sum, &plain[length..]].concat();
        let (good, bad) = (with([sum[0], sum[1]]), with([sum[0] ^ 1, sum[1]]));
        for step in [1, 3, 1000] {
            assert_eq!(decode(&good, step, "gzip").unwrap(), b"hello");
            let error = decode(&bad, step, "gzip").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "steps of {step}");
        }
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
                        assert!(data.len() <= 64 * 1024);
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
