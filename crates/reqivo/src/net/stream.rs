use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::memory::Memory;

/// The byte stream of a connection: a socket, TLS over any stream, or what was never sent by anybody.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Self>>),
    Memory(Box<Memory>),
}

impl Stream {
    fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Self::Tcp(socket) => Some(SockRef::from(socket)),
            #[cfg(unix)]
            Self::Unix(socket) => Some(SockRef::from(socket)),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.socket(),
            Self::Memory(_) => None,
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.socket()?.local_addr().ok()?.as_socket()
    }

    /// Whether an idle connection is open and silent.
    ///
    /// The readiness that the runtime remembers is stale when nobody drove it for a while, so this asks the
    /// socket itself. Never waits. On a fresh TLS connection only messages of TLS itself can have arrived.
    #[cfg_attr(
        not(feature = "tls"),
        expect(
            unused_variables,
            reason = "only TLS is polled and has messages of its own"
        )
    )]
    pub(crate) fn is_quiet(&mut self, cx: &mut Context<'_>, fresh: bool) -> bool {
        #[cfg(feature = "tls")]
        if let Self::Tls(stream) = self {
            // Session tickets may lie there unread; the TLS layer takes them without showing any data.
            let mut byte = [0];
            if Pin::new(stream)
                .poll_read(cx, &mut ReadBuf::new(&mut byte))
                .is_ready()
            {
                return false;
            }
        }
        #[cfg(feature = "tls")]
        let messages = fresh && matches!(self, Self::Tls(_));
        #[cfg(not(feature = "tls"))]
        let messages = false;
        let mut byte = [MaybeUninit::uninit()];
        let peeked = self.socket().map(|socket| socket.peek(&mut byte));
        match peeked {
            Some(Ok(count)) => messages && count > 0,
            Some(Err(error)) => error.kind() == io::ErrorKind::WouldBlock,
            None => false,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Memory(memory) => Pin::new(memory).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, buf),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_write(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Memory(memory) => Pin::new(memory).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Memory(memory) => Pin::new(memory).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(socket) => socket.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(socket) => socket.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Memory(_) => false,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // A socket has nothing to flush.
            Self::Tcp(_) => Poll::Ready(Ok(())),
            #[cfg(unix)]
            Self::Unix(_) => Poll::Ready(Ok(())),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Memory(memory) => Pin::new(memory).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Memory(memory) => Pin::new(memory).poll_shutdown(cx),
        }
    }
}
