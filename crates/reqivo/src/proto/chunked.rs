use bytes::{Buf, Bytes, BytesMut};

use super::head::{Scanner, is_text};
use super::{LimitKind, Limits, ProtocolError, Tolerance, Violation, count_work};
use crate::headers::Headers;

/// Decoder of the chunked transfer coding (RFC 9112 7.1).
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// The sizes of all chunks so far.
    seen: u64,
    extension_bytes: usize,
    max_extension_bytes: usize,
}

#[derive(Debug)]
enum State {
    Size {
        digits: u8,
        size: u64,
    },
    /// White space after the size, which only an extension may follow.
    SizeBlank {
        size: u64,
    },
    Extension {
        size: u64,
    },
    SizeLineFeed {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataReturn,
    DataLineFeed,
    Trailers(Box<Scanner>),
}

pub(super) enum Piece {
    Data(Bytes),
    Trailers(Headers),
}

impl Chunked {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size { digits: 0, size: 0 },
            seen: 0,
            extension_bytes: 0,
            max_extension_bytes: limits.chunk_extension_bytes,
        }
    }

    /// Takes the next piece off the front of the input, or `None` when more input is needed.
    pub(super) fn decode(
        &mut self,
        input: &mut BytesMut,
        limits: &Limits,
        tolerance: &Tolerance,
    ) -> Result<Option<Piece>, ProtocolError> {
        loop {
            match &mut self.state {
                State::Data { left } => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let take = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(input.len());
                    *left -= take as u64;
                    if *left == 0 {
                        self.state = State::DataReturn;
                    }
                    return Ok(Some(Piece::Data(input.split_to(take).freeze())));
                }
                State::Trailers(scanner) => {
                    return Ok(scanner.take_trailers(input)?.map(Piece::Trailers));
                }
                _ => {
                    if !self.step_line(input, limits, tolerance)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Walks over the bytes between pieces of data. Returns whether it got through.
    fn step_line(
        &mut self,
        input: &mut BytesMut,
        limits: &Limits,
        tolerance: &Tolerance,
    ) -> Result<bool, ProtocolError> {
        let mut used = 0;
        for &byte in input.iter() {
            used += 1;
            match &mut self.state {
                State::Size { digits, size } => match (byte, hex(byte)) {
                    (_, Some(digit)) => {
                        if *digits == MAX_SIZE_DIGITS {
                            return Err(Violation::ChunkSize.into());
                        }
                        *digits += 1;
                        *size = (*size << 4) | u64::from(digit);
                    }
                    _ if *digits == 0 => return Err(Violation::ChunkSize.into()),
                    (b'\r', _) => self.state = State::SizeLineFeed { size: *size },
                    (b';', _) => {
                        let size = *size;
                        self.count_extension()?;
                        self.state = State::Extension { size };
                    }
                    (b' ' | b'\t', _) => {
                        let size = *size;
                        self.count_extension()?;
                        self.state = State::SizeBlank { size };
                    }
                    _ => return Err(Violation::ChunkSize.into()),
                },
                State::SizeBlank { size } => {
                    let size = *size;
                    self.count_extension()?;
                    match byte {
                        b' ' | b'\t' => {}
                        b';' => self.state = State::Extension { size },
                        _ => return Err(Violation::ChunkSize.into()),
                    }
                }
                State::Extension { size } => {
                    let size = *size;
                    if byte == b'\r' {
                        self.state = State::SizeLineFeed { size };
                        continue;
                    }
                    if byte == b'\n' {
                        return Err(Violation::LineEnd.into());
                    }
                    if !is_text(byte) {
                        return Err(Violation::ChunkExtension.into());
                    }
                    self.count_extension()?;
                }
                State::SizeLineFeed { size } => {
                    if byte != b'\n' {
                        return Err(Violation::LineEnd.into());
                    }
                    self.state = match *size {
                        0 => State::Trailers(Box::new(Scanner::trailers(limits, tolerance))),
                        left => {
                            self.seen = self.seen.saturating_add(left);
                            if let Some(limit) = limits.body_bytes
                                && self.seen > limit
                            {
                                return Err(ProtocolError::limit(LimitKind::BodyBytes, limit));
                            }
                            State::Data { left }
                        }
                    };
                    break;
                }
                State::DataReturn => {
                    if byte != b'\r' {
                        return Err(Violation::ChunkEnd.into());
                    }
                    self.state = State::DataLineFeed;
                }
                State::DataLineFeed => {
                    if byte != b'\n' {
                        return Err(Violation::ChunkEnd.into());
                    }
                    self.state = State::Size { digits: 0, size: 0 };
                }
                State::Data { .. } | State::Trailers(_) => {
                    used -= 1;
                    break;
                }
            }
        }
        count_work(used);
        input.advance(used);
        Ok(matches!(
            self.state,
            State::Data { .. } | State::Trailers(_)
        ))
    }

    fn count_extension(&mut self) -> Result<(), ProtocolError> {
        self.extension_bytes += 1;
        if self.extension_bytes > self.max_extension_bytes {
            let limit = self.max_extension_bytes as u64;
            return Err(ProtocolError::limit(LimitKind::ChunkExtensionBytes, limit));
        }
        Ok(())
    }
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

const MAX_SIZE_DIGITS: u8 = 16;
