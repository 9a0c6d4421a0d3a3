use std::fmt;

use bytes::{Buf, BytesMut};
use flate2::{Crc, Decompress};

use super::codec::{Codec, Corrupt};
use super::inflate::inflate;

/// Decoder of the gzip format (RFC 1952).
pub(super) struct Gzip {
    state: GzipState,
    inflate: Decompress,
    /// Over the header of a member, then over its data.
    check: Crc,
    members: u64,
}

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

impl Default for Gzip {
    fn default() -> Self {
        Self {
            state: GzipState::Fixed,
            inflate: Decompress::new(false),
            check: Crc::new(),
            members: 0,
        }
    }
}

impl Codec for Gzip {
    fn decode(&mut self, input: &mut BytesMut, output: &mut Vec<u8>) -> Result<(), Corrupt> {
        match self.state {
            GzipState::Data => {
                let ended = inflate(&mut self.inflate, input, output, "corrupt gzip data")?;
                self.check.update(output);
                if ended {
                    self.state = GzipState::Trailer;
                }
            }
            GzipState::Trailer => {
                let Some(trailer) = input.first_chunk::<8>() else {
                    return Ok(());
                };
                let [a, b, c, d, rest @ ..] = *trailer;
                let (sum, size) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(rest));
                if sum != self.check.sum() || size != self.check.amount() {
                    return Err(Corrupt("gzip checksum does not match"));
                }
                input.advance(8);
                self.members += 1;
                self.inflate.reset(false);
                self.check.reset();
                self.state = GzipState::Fixed;
            }
            // Parts of the header that are not there use nothing up, so all of them are gone through here.
            _ => while self.in_header() && self.header(input)? {},
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.state == GzipState::Fixed && self.members > 0
    }
}

impl Gzip {
    fn in_header(&self) -> bool {
        !matches!(self.state, GzipState::Data | GzipState::Trailer)
    }

    /// One part of the header. Returns whether it was there.
    fn header(&mut self, input: &mut BytesMut) -> Result<bool, Corrupt> {
        match self.state {
            GzipState::Fixed => {
                let start = &input[..input.len().min(GZIP_MAGIC.len())];
                if !GZIP_MAGIC.starts_with(start) {
                    return Err(Corrupt("not gzip data"));
                }
                let Some(fixed) = input.first_chunk::<10>() else {
                    return Ok(false);
                };
                let flags = fixed[3];
                if flags & 0b1110_0000 != 0 {
                    return Err(Corrupt("unknown gzip flags"));
                }
                self.take(input, 10);
                self.state = GzipState::Extra { flags };
            }
            GzipState::Extra { flags } if flags & EXTRA == 0 => {
                self.state = GzipState::Name { flags };
            }
            GzipState::Extra { flags } => {
                let Some(length) = input.first_chunk::<2>() else {
                    return Ok(false);
                };
                let left = u16::from_le_bytes(*length);
                self.take(input, 2);
                self.state = GzipState::ExtraData { flags, left };
            }
            GzipState::ExtraData { flags, left } => {
                let take = usize::from(left).min(input.len());
                self.take(input, take);
                let left = left - u16::try_from(take).unwrap_or(left);
                if left > 0 {
                    self.state = GzipState::ExtraData { flags, left };
                    return Ok(false);
                }
                self.state = GzipState::Name { flags };
            }
            GzipState::Name { flags } => {
                if flags & NAME != 0 && !self.skip_text(input) {
                    return Ok(false);
                }
                self.state = GzipState::Comment { flags };
            }
            GzipState::Comment { flags } => {
                if flags & COMMENT != 0 && !self.skip_text(input) {
                    return Ok(false);
                }
                self.state = GzipState::HeaderCheck { flags };
            }
            GzipState::HeaderCheck { flags } => {
                if flags & HEADER_CHECK != 0 {
                    let Some(sum) = input.first_chunk::<2>() else {
                        return Ok(false);
                    };
                    if u32::from(u16::from_le_bytes(*sum)) != self.check.sum() & 0xffff {
                        return Err(Corrupt("gzip header checksum does not match"));
                    }
                    input.advance(2);
                }
                self.check.reset();
                self.state = GzipState::Data;
            }
            GzipState::Data | GzipState::Trailer => {}
        }
        Ok(true)
    }

    /// Goes past a part of the header.
    fn take(&mut self, input: &mut BytesMut, count: usize) {
        self.check.update(&input[..count]);
        input.advance(count);
    }

    /// Skips a text up to its zero byte. Returns whether that was there.
    fn skip_text(&mut self, input: &mut BytesMut) -> bool {
        match memchr::memchr(0, input) {
            Some(end) => {
                self.take(input, end + 1);
                true
            }
            None => {
                self.take(input, input.len());
                false
            }
        }
    }
}

impl fmt::Debug for Gzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gzip")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const HEADER_CHECK: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
