use bytes::{Buf, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};

use super::codec::Corrupt;

/// Inflates some of the input (RFC 1951, or RFC 1950 when the state was made for that). Returns whether the data ended.
pub(super) fn inflate(
    state: &mut Decompress,
    input: &mut BytesMut,
    output: &mut Vec<u8>,
    corrupt: &'static str,
) -> Result<bool, Corrupt> {
    let (read_before, written_before) = (state.total_in(), state.total_out());
    let status = state
        .decompress_vec(input, output, FlushDecompress::None)
        .map_err(|_| Corrupt(corrupt))?;
    let read = state.total_in() - read_before;
    let stuck = read == 0 && state.total_out() == written_before;
    let read = usize::try_from(read).unwrap_or(usize::MAX);
    input.advance(read.min(input.len()));
    match status {
        Status::StreamEnd => Ok(true),
        _ if stuck && !input.is_empty() => Err(Corrupt(corrupt)),
        _ => Ok(false),
    }
}
