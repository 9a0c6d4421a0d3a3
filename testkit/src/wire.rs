//! One open connection, seen from the server.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    sync::Arc,
    time::Duration,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::Socket;

use crate::{Gate, state::Shared};

/// One open connection, for scripts that speak bytes.
///
/// Reads and writes go through TLS when the server has it. Writes are sent at once.
pub struct Wire {
    stream: Stream,
    buffer: Vec<u8>,
    start: usize,
    index: usize,
    shared: Arc<Shared>,
}

pub(crate) enum Stream {
    Plain(Handle),
    Tls(Box<StreamOwned<ServerConnection, Handle>>),
    Gone,
}

impl Wire {
    pub(crate) fn new(socket: Arc<Socket>, index: usize, shared: Arc<Shared>) -> Self {
        Self {
            stream: Stream::Plain(Handle(socket)),
            buffer: Vec::new(),
            start: 0,
            index,
            shared,
        }
    }

    /// Returns the number of the connection, counted from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Reads up to and including a blank line, and returns what was read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnexpectedEof`] when the client closes before it.
    pub fn read_head(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let found = self
                .buffered()
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(at) = found {
                let head = self.buffered()[..at + 4].to_vec();
                self.consume(at + 4);
                return Ok(head);
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits at a gate.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConnectionAborted`] when the server is being dropped.
    pub fn wait(&mut self, gate: &Gate) -> io::Result<()> {
        if self.shared.wait_at(gate) {
            Ok(())
        } else {
            Err(ErrorKind::ConnectionAborted.into())
        }
    }

    /// Makes the coming close a TCP reset.
    ///
    /// # Errors
    ///
    /// When the socket option cannot be set.
    pub fn reset_on_close(&self) -> io::Result<()> {
        match self.socket() {
            Some(socket) => socket.set_linger(Some(Duration::ZERO)),
            None => Ok(()),
        }
    }

    /// Makes the receive buffer of the kernel small, so that a client that writes much is held back.
    ///
    /// # Errors
    ///
    /// When the socket option cannot be set.
    pub fn shrink_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        match self.socket() {
            Some(socket) => socket.set_recv_buffer_size(bytes),
            None => Ok(()),
        }
    }

    /// Returns the protocol chosen by ALPN, when there is TLS and one was chosen.
    pub fn alpn(&self) -> Option<&[u8]> {
        match &self.stream {
            Stream::Tls(tls) => tls.conn.alpn_protocol(),
            _ => None,
        }
    }

    /// Returns the host name the client asked for by SNI.
    pub fn server_name(&self) -> Option<&str> {
        match &self.stream {
            Stream::Tls(tls) => tls.conn.server_name(),
            _ => None,
        }
    }

    pub(crate) fn tls(&self) -> Option<&ServerConnection> {
        match &self.stream {
            Stream::Tls(tls) => Some(&tls.conn),
            _ => None,
        }
    }

    pub(crate) fn start_tls(&mut self, config: Arc<ServerConfig>) -> Result<(), String> {
        let Stream::Plain(mut socket) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err("TLS has been started already".to_owned());
        };
        let mut conn = ServerConnection::new(config).map_err(|error| error.to_string())?;
        while conn.is_handshaking() {
            if let Err(error) = conn.complete_io(&mut socket) {
                // What is left to send is the alert that tells the client why.
                while conn.wants_write() && conn.write_tls(&mut socket).is_ok() {}
                self.stream = Stream::Plain(socket);
                self.cut();
                return Err(error.to_string());
            }
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(conn, socket)));
        Ok(())
    }

    /// Closes in good order.
    pub(crate) fn close(&mut self) {
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            // The client may be gone already, which is as good as closed.
            drop(tls.flush());
        }
        self.cut();
    }

    /// Closes TCP with a FIN, as far as the kernel lets us: bytes left unread would turn it into a reset.
    pub(crate) fn cut(&mut self) {
        if let Some(socket) = self.socket().cloned() {
            drop(socket.shutdown(Shutdown::Write));
            if socket.set_nonblocking(true).is_ok() {
                let mut sink = [0; 4096];
                while matches!((&*socket).read(&mut sink), Ok(n) if n > 0) {}
            }
        }
        self.stream = Stream::Gone;
    }

    /// Closes the sending side and swallows what comes until the client closes.
    pub(crate) fn half_close(&mut self) {
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            drop(tls.flush());
        }
        if let Some(socket) = self.socket() {
            drop(socket.shutdown(Shutdown::Write));
        }
        self.swallow();
    }

    /// Reads and forgets until the client goes away.
    pub(crate) fn swallow(&self) {
        if let Some(socket) = self.socket() {
            let mut sink = [0; 4096];
            loop {
                match (&**socket).read(&mut sink) {
                    Ok(n) if n > 0 => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
        }
    }

    pub(crate) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
    }

    pub(crate) fn take_buffered(&mut self) -> Vec<u8> {
        let taken = self.buffered().to_vec();
        self.consume(taken.len());
        taken
    }

    pub(crate) fn take_stream(&mut self) -> Stream {
        std::mem::replace(&mut self.stream, Stream::Gone)
    }

    /// Reads once into the buffer; 0 means that the client has closed.
    pub(crate) fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let old = self.buffer.len();
        self.buffer.resize(old + READ_SIZE, 0);
        let result = loop {
            match self.stream.read(&mut self.buffer[old..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer
            .truncate(old + result.as_ref().copied().unwrap_or(0));
        result
    }

    fn socket(&self) -> Option<&Arc<Socket>> {
        match &self.stream {
            Stream::Plain(socket) => Some(&socket.0),
            Stream::Tls(tls) => Some(&tls.sock.0),
            Stream::Gone => None,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.buffered().is_empty() && self.fill()? == 0 {
            return Ok(0);
        }
        let n = into.len().min(self.buffered().len());
        into[..n].copy_from_slice(&self.buffered()[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.stream.write(bytes)?;
        self.stream.flush()?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(tls) => tls.read(into),
            Self::Gone => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
            Self::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
            Self::Gone => Ok(()),
        }
    }
}

/// A socket that the server can shut down from outside while its thread reads.
pub(crate) struct Handle(pub(crate) Arc<Socket>);

impl Read for Handle {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(into)
    }
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const READ_SIZE: usize = 16 * 1024;
