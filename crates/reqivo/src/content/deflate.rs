use std::fmt;

use bytes::BytesMut;
use flate2::Decompress;

use super::codec::{Codec, Corrupt};
use super::inflate::inflate;

/// Decoder of the coding `deflate`: the zlib format (RFC 1950), or bare deflate data (RFC 1951), which some servers send
/// under that name.
#[derive(Default)]
pub(super) struct Deflate {
    state: Option<Decompress>,
    ended: bool,
}

impl Codec for Deflate {
    fn decode(&mut self, input: &mut BytesMut, output: &mut Vec<u8>) -> Result<(), Corrupt> {
        if self.ended {
            return match input.is_empty() {
                true => Ok(()),
                false => Err(Corrupt("something follows the deflate data")),
            };
        }
        let state = match &mut self.state {
            Some(state) => state,
            empty => {
                let Some(start) = input.first_chunk::<2>() else {
                    return Ok(());
                };
                empty.insert(Decompress::new(is_zlib(*start)))
            }
        };
        self.ended = inflate(state, input, output, "corrupt deflate data")?;
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.ended
    }
}

/// Whether this is the start of the zlib format. Bare deflate data that starts with such a byte would be a stored
/// block whose padding is not zero, which no encoder writes.
fn is_zlib([method, flags]: [u8; 2]) -> bool {
    method & 0x0f == 8
        && method >> 4 <= 7
        && (u16::from(method) << 8 | u16::from(flags)).is_multiple_of(31)
}

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate")
            .field("started", &self.state.is_some())
            .field("ended", &self.ended)
            .finish()
    }
}
