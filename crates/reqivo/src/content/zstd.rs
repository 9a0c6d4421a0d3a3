use std::fmt;

use bytes::{Buf, BytesMut};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::codec::{Codec, Corrupt};

/// Decoder of the zstd format (RFC 8878), one frame after the other.
pub(super) struct Zstd {
    context: DCtx<'static>,
    in_frame: bool,
    frames: u64,
}

impl Default for Zstd {
    fn default() -> Self {
        let mut context = DCtx::create();
        // Cannot fail: the value is within the bounds of the parameter.
        let _ = context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX));
        Self {
            context,
            in_frame: false,
            frames: 0,
        }
    }
}

impl Codec for Zstd {
    fn decode(&mut self, input: &mut BytesMut, output: &mut Vec<u8>) -> Result<(), Corrupt> {
        // The first call for a frame must have something of it.
        if input.is_empty() && !self.in_frame {
            return Ok(());
        }
        let mut source = InBuffer::around(input);
        let result = self
            .context
            .decompress_stream(&mut OutBuffer::around(output), &mut source);
        let used = source.pos();
        let hint = result.map_err(|code| Corrupt(zstd_safe::get_error_name(code)))?;
        input.advance(used);
        self.in_frame = hint > 0;
        self.frames += u64::from(hint == 0);
        Ok(())
    }

    fn is_complete(&self) -> bool {
        !self.in_frame && self.frames > 0
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd")
            .field("in_frame", &self.in_frame)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

/// Windows of up to 8 MiB, which is all that a sender may use (RFC 9659).
const WINDOW_LOG_MAX: u32 = 23;
