//! A keep-alive HTTP/1.1 server that costs as little as it can: one thread and one buffer per connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// The body of `GET /items`.
pub const SMALL: usize = 1024;
/// The body of `GET /large`, and of the uploads.
pub const LARGE: usize = 64 * 1024 * 1024;

/// Starts the server in this process. It ends with the process.
///
/// `GET /items` is answered with 1 KiB, `GET /large` with 64 MiB, and everything else, once its body has arrived, with
/// a few bytes.
pub fn start_server() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::Builder::new()
                .stack_size(64 * 1024)
                .spawn(move || serve(stream))
                .ok();
        }
    });
    Ok(address)
}

/// Answers the requests of one connection until the client closes it or breaks the rules.
fn serve(mut stream: TcpStream) {
    let small = reply(&[b'x'; SMALL]);
    let done = reply(br#"{"id":"0b7d61fa","state":"accepted"}"#);
    let _ = stream.set_nodelay(true);
    // Grows for uploads only.
    let mut buffer = vec![0; 8 * 1024];
    let mut filled = 0;
    loop {
        while let Some(end) = memchr::memmem::find(&buffer[..filled], b"\r\n\r\n") {
            let head = &buffer[..end + 4];
            let answered = if head.starts_with(b"GET /items ") {
                stream.write_all(&small)
            } else if head.starts_with(b"GET /large ") {
                send_large(&mut stream)
            } else {
                let body = body_of(head);
                buffer.copy_within(end + 4..filled, 0);
                filled -= end + 4;
                let taken = match body {
                    Incoming::Known(length) => {
                        take_known(&mut stream, &mut buffer, &mut filled, length)
                    }
                    Incoming::Chunked => take_chunked(&mut stream, &mut buffer, &mut filled),
                };
                if taken.and_then(|()| stream.write_all(&done)).is_err() {
                    return;
                }
                continue;
            };
            if answered.is_err() {
                return;
            }
            buffer.copy_within(end + 4..filled, 0);
            filled -= end + 4;
        }
        if filled == buffer.len() || fill(&mut stream, &mut buffer, &mut filled).is_err() {
            return;
        }
    }
}

fn reply(body: &[u8]) -> Vec<u8> {
    let mut reply = head(body.len());
    reply.extend_from_slice(body);
    reply
}

fn head(length: usize) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\nserver: bench\r\ncontent-type: application/json\r\n\
         cache-control: no-store\r\nx-request-id: 0b7d61fa-20c3-4c56\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes()
}

fn send_large(stream: &mut TcpStream) -> io::Result<()> {
    let piece = vec![b'x'; 256 * 1024];
    stream.write_all(&head(LARGE))?;
    for _ in 0..LARGE / piece.len() {
        stream.write_all(&piece)?;
    }
    Ok(())
}

enum Incoming {
    Known(usize),
    Chunked,
}

fn body_of(head: &[u8]) -> Incoming {
    let mut length = 0;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Incoming::Chunked;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            length = std::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok())
                .unwrap_or(0);
        }
    }
    Incoming::Known(length)
}

fn fill(stream: &mut TcpStream, buffer: &mut [u8], filled: &mut usize) -> io::Result<()> {
    match stream.read(&mut buffer[*filled..])? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => {
            *filled += read;
            Ok(())
        }
    }
}

fn take_known(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    filled: &mut usize,
    mut left: usize,
) -> io::Result<()> {
    loop {
        let taken = left.min(*filled);
        buffer.copy_within(taken..*filled, 0);
        *filled -= taken;
        left -= taken;
        if left == 0 {
            return Ok(());
        }
        grow(buffer);
        fill(stream, buffer, filled)?;
    }
}

fn take_chunked(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    filled: &mut usize,
) -> io::Result<()> {
    grow(buffer);
    loop {
        let Some(end) = memchr::memchr(b'\n', &buffer[..*filled]) else {
            fill(stream, buffer, filled)?;
            continue;
        };
        let size = std::str::from_utf8(buffer[..end].trim_ascii())
            .ok()
            .and_then(|size| usize::from_str_radix(size, 16).ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        // The size line, the data and the line end behind it.
        take_known(stream, buffer, filled, end + 1 + size + 2)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn grow(buffer: &mut Vec<u8>) {
    if buffer.len() < 256 * 1024 {
        buffer.resize(256 * 1024, 0);
    }
}
