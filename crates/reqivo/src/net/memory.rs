use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A peer that is not there: its bytes are known beforehand, and what is sent to it is forgotten. Never waits.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) input: Bytes,
    /// How much one read gives at most.
    pub(crate) piece: usize,
    /// How reading fails after the last byte; without it the connection ends in good order.
    pub(crate) fault: Option<io::ErrorKind>,
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let (true, Some(fault)) = (this.input.is_empty(), this.fault) {
            return Poll::Ready(Err(fault.into()));
        }
        let count = this.input.len().min(this.piece.max(1)).min(buf.remaining());
        buf.put_slice(&this.input.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
