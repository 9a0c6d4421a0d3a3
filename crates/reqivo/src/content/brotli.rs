use std::fmt;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use bytes::{Buf, BytesMut};

use super::codec::{Codec, Corrupt};

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Decoder of the brotli format (RFC 7932).
pub(super) struct Brotli {
    state: Box<State>,
    ended: bool,
}

impl Default for Brotli {
    fn default() -> Self {
        // Strict: windows of at most 16 MiB, as the standard has them.
        let new = || {
            State::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            )
        };
        Self {
            state: Box::new(new()),
            ended: false,
        }
    }
}

impl Codec for Brotli {
    fn decode(&mut self, input: &mut BytesMut, output: &mut Vec<u8>) -> Result<(), Corrupt> {
        if self.ended {
            return match input.is_empty() {
                true => Ok(()),
                false => Err(Corrupt("something follows the brotli data")),
            };
        }
        let room = output.capacity();
        output.resize(room, 0);
        let (mut in_left, mut used) = (input.len(), 0);
        let (mut out_left, mut written, mut total) = (room, 0, 0);
        let result = BrotliDecompressStream(
            &mut in_left,
            &mut used,
            input,
            &mut out_left,
            &mut written,
            output,
            &mut total,
            &mut self.state,
        );
        output.truncate(written);
        input.advance(used.min(input.len()));
        match result {
            BrotliResult::ResultSuccess => self.ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Err(Corrupt("corrupt brotli data")),
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.ended
    }
}

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brotli")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
