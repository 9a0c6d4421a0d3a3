//! Carrying bytes both ways between a client and what it asked for.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Mutex, PoisonError},
    thread,
};

use rustls::ServerConnection;
use socket2::Socket;

use crate::wire::{Stream, Wire};

impl Wire {
    /// Carries bytes both ways until both sides are done. `seen` gets every piece that the client sends.
    ///
    /// # Errors
    ///
    /// When the connection is closed already. The end of either side is none.
    pub fn tunnel(
        &mut self,
        upstream: &TcpStream,
        mut seen: impl FnMut(&[u8]) + Send,
    ) -> io::Result<()> {
        let early = self.take_buffered();
        seen(&early);
        let mut up = upstream;
        up.write_all(&early)?;
        match self.take_stream() {
            Stream::Plain(socket) => {
                let socket = &*socket.0;
                thread::scope(|scope| {
                    scope.spawn(|| {
                        carry(socket, upstream, &mut seen);
                        // Whoever waits for the far end need not any more.
                        drop(upstream.shutdown(Shutdown::Both));
                    });
                    carry(upstream, socket, &mut |_| {});
                    drop(socket.shutdown(Shutdown::Write));
                });
                Ok(())
            }
            Stream::Tls(tls) => {
                let socket = &*tls.sock.0;
                let conn = Mutex::new(tls.conn);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        decrypt(socket, &conn, upstream, &mut seen);
                        drop(upstream.shutdown(Shutdown::Both));
                    });
                    encrypt(upstream, &conn, socket);
                    drop(socket.shutdown(Shutdown::Write));
                });
                Ok(())
            }
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

fn carry(mut from: impl Read, mut to: impl Write, seen: &mut impl FnMut(&[u8])) {
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        seen(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// The lock is not held while the socket is waited for.
fn decrypt(
    mut from: &Socket,
    conn: &Mutex<ServerConnection>,
    mut to: &TcpStream,
    seen: &mut impl FnMut(&[u8]),
) {
    let mut buffer = vec![0; PIECE];
    let mut plain = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut sealed = &buffer[..count];
        while !sealed.is_empty() {
            plain.clear();
            let mut conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
            if conn.read_tls(&mut sealed).is_err() || conn.process_new_packets().is_err() {
                return;
            }
            // Ends with "would block" when there is no more.
            drop(conn.reader().read_to_end(&mut plain));
            drop(conn);
            seen(&plain);
            if to.write_all(&plain).is_err() {
                return;
            }
        }
    }
}

fn encrypt(mut from: &TcpStream, conn: &Mutex<ServerConnection>, mut to: &Socket) {
    let mut buffer = vec![0; PIECE];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let mut conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
        match count {
            0 => conn.send_close_notify(),
            _ => {
                if conn.writer().write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        }
        while conn.wants_write() {
            if conn.write_tls(&mut to).is_err() {
                return;
            }
        }
        if count == 0 {
            return;
        }
    }
}

const PIECE: usize = 16 * 1024;
