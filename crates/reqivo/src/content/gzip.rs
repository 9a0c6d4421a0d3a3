use bytes::{Buf, Bytes, BytesMut};

/// What is wrong with coded data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Corrupt(pub(super) &'static str);

/// Decoder of the gzip format (RFC 1952).
pub(super) struct Gzip {
    state: GzipState,
    input: BytesMut,
    inflate: flate2::Decompress,
    /// Over the header of a member, then over its data.
    check: flate2::Crc,
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
            input: BytesMut::new(),
            inflate: flate2::Decompress::new(false),
            check: flate2::Crc::new(),
            members: 0,
        }
    }
}

impl Gzip {
    pub(super) fn feed(&mut self, data: Bytes) {
        if self.input.is_empty() {
            // Takes the buffer over when nobody else holds it.
            self.input = BytesMut::from(data);
        } else {
            self.input.extend_from_slice(&data);
        }
    }

    /// What was fed and not looked at yet.
    pub(super) fn unread(&self) -> u64 {
        self.input.len() as u64
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state == GzipState::Fixed && self.input.is_empty() && self.members > 0
    }

    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Corrupt> {
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
                self.take(10);
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
                self.take(2);
                self.state = GzipState::ExtraData { flags, left };
            }
            GzipState::ExtraData { flags, left } => {
                let take = usize::from(left).min(self.input.len());
                self.take(take);
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
                    let Some(sum) = self.input.first_chunk::<2>() else {
                        return Ok(false);
                    };
                    if u32::from(u16::from_le_bytes(*sum)) != self.check.sum() & 0xffff {
                        return Err(Corrupt("gzip header checksum does not match"));
                    }
                    self.input.advance(2);
                }
                self.check.reset();
                self.state = GzipState::Data;
            }
            GzipState::Data | GzipState::Trailer => {}
        }
        Ok(true)
    }

    /// Goes past a part of the header.
    fn take(&mut self, count: usize) {
        self.check.update(&self.input[..count]);
        self.input.advance(count);
    }

    /// Skips a text up to its zero byte. Returns whether that was there.
    fn skip_text(&mut self) -> bool {
        match memchr::memchr(0, &self.input) {
            Some(end) => {
                self.take(end + 1);
                true
            }
            None => {
                self.take(self.input.len());
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

impl std::fmt::Debug for Gzip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
const MIN_STEP: usize = 1024;
const MAX_STEP: usize = 64 * 1024;
