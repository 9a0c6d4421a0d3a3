//! A client of a few lines: bytes in, bytes out, every read bounded.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use testkit::PATIENCE;

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(addr).expect("the server listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client
}

pub(crate) fn send(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).expect("the server reads");
}

/// Reads one reply with a `content-length`.
pub(crate) fn reply(client: &mut impl Read) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a head is ASCII");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |value| value.parse().expect("a length"));
    let mut body = vec![0; length];
    client.read_exact(&mut body).expect("a body");
    (head, body)
}

/// Reads to the end of the connection.
pub(crate) fn rest(client: &mut impl Read) -> std::io::Result<String> {
    let mut out = Vec::new();
    client.read_to_end(&mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
