//! A request as the server read it.

use std::io;

use bytes::Bytes;

use crate::wire::Wire;

/// One recorded request.
///
/// Names and values are what came over the wire: nothing is normalised, so a test can check order, case and repetition.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// The request target, as sent: usually path and query.
    pub target: String,
    /// The minor HTTP version: 0 or 1.
    pub minor_version: u8,
    /// The header fields in order, names in the case they were sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The raw bytes of the head, with the blank line that ends it.
    pub head: Bytes,
    /// The body, with chunked framing removed.
    pub body: Bytes,
    /// The sizes of the chunks the body came in; empty unless it was chunked.
    pub chunks: Vec<usize>,
    /// The trailer fields of a chunked body.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether the whole body was read. False after [`ServerBuilder::on_head`](crate::ServerBuilder::on_head) answered early, and when the client went away.
    pub complete: bool,
    /// The number of the connection, counted from 0 in the order of accepting.
    pub connection: usize,
    /// The number of the request on its connection, counted from 0.
    pub index: usize,
    /// The number of the request on the server, counted from 0 in the order in which heads were read.
    pub number: usize,
}

impl Request {
    /// Returns the path: the target up to the question mark.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Returns the query: what follows the question mark, still encoded, or the empty string.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Returns the first value of a header field, when it is UTF-8. The name is compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_all(name).next()
    }

    /// Returns every value of a header field that is UTF-8, in order.
    pub fn header_all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| str::from_utf8(value).ok())
    }

    /// Returns the body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns whether a comma separated header field holds `token`, compared without case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.header_all(name)
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        if self.minor_version == 0 {
            self.has_token("connection", "keep-alive")
        } else {
            !self.has_token("connection", "close")
        }
    }
}

/// Why reading stopped without a request.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The client closed, or the transport failed. `partial` tells whether bytes of a request had come.
    Gone { partial: bool },
    /// What came is not HTTP/1.
    Malformed(String),
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Gone { partial: true }
    }
}

/// Reads one head.
pub(crate) fn read_head(wire: &mut Wire) -> Result<Request, ReadError> {
    loop {
        if let Some(request) = parse_head(wire.buffered())? {
            wire.consume(request.head.len());
            return Ok(request);
        }
        if wire.buffered().len() > MAX_HEAD {
            return Err(ReadError::Malformed(format!(
                "a head of more than {MAX_HEAD} bytes"
            )));
        }
        let partial = !wire.buffered().is_empty();
        match wire.fill() {
            Ok(n) if n > 0 => {}
            _ => return Err(ReadError::Gone { partial }),
        }
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<Request>, ReadError> {
    let mut slots = vec![httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut slots);
    let status = parsed
        .parse(buffer)
        .map_err(|error| ReadError::Malformed(format!("{error}: {}", preview(buffer))))?;
    let httparse::Status::Complete(length) = status else {
        return Ok(None);
    };
    Ok(Some(Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        minor_version: parsed.version.unwrap_or(1),
        headers: owned(parsed.headers),
        head: Bytes::copy_from_slice(&buffer[..length]),
        body: Bytes::new(),
        chunks: Vec::new(),
        trailers: Vec::new(),
        complete: false,
        connection: 0,
        index: 0,
        number: 0,
    }))
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|header| (header.name.to_owned(), header.value.to_vec()))
        .collect()
}

/// Reads the body that the head announces into the request.
pub(crate) fn read_body(wire: &mut Wire, request: &mut Request) -> Result<(), ReadError> {
    if request.has_token("transfer-encoding", "chunked") {
        if request.header("content-length").is_some() {
            return Err(ReadError::Malformed(
                "both content-length and chunked".to_owned(),
            ));
        }
        read_chunks(wire, request)?;
    } else {
        let lengths: Vec<&str> = request.header_all("content-length").collect();
        if let [value, more @ ..] = lengths.as_slice() {
            let length: usize = value
                .parse()
                .map_err(|_| ReadError::Malformed(format!("content-length {value:?}")))?;
            if !more.is_empty() {
                return Err(ReadError::Malformed("two content-length fields".to_owned()));
            }
            let mut body = Vec::new();
            let result = take(wire, length, &mut body);
            request.body = body.into();
            result?;
        }
    }
    request.complete = true;
    Ok(())
}

/// Returns whether the head announces a body.
pub(crate) fn has_body(request: &Request) -> bool {
    request.has_token("transfer-encoding", "chunked")
        || request
            .header("content-length")
            .is_some_and(|value| value != "0")
}

fn read_chunks(wire: &mut Wire, request: &mut Request) -> Result<(), ReadError> {
    let mut body = Vec::new();
    let result = loop {
        let line = match read_line(wire) {
            Ok(line) => line,
            Err(error) => break Err(error),
        };
        let digits = line.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            break Err(ReadError::Malformed(format!("chunk size line {line:?}")));
        };
        request.chunks.push(size);
        if size == 0 {
            request.chunks.pop();
            break read_trailers(wire, request);
        }
        if let Err(error) = take(wire, size, &mut body) {
            break Err(error);
        }
        match read_line(wire) {
            Ok(end) if end.is_empty() => {}
            Ok(end) => break Err(ReadError::Malformed(format!("{end:?} after a chunk"))),
            Err(error) => break Err(error),
        }
    };
    request.body = body.into();
    result
}

fn read_trailers(wire: &mut Wire, request: &mut Request) -> Result<(), ReadError> {
    loop {
        let line = read_line(wire)?;
        if line.is_empty() {
            return Ok(());
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(ReadError::Malformed(format!("trailer line {line:?}")));
        };
        request
            .trailers
            .push((name.to_owned(), value.trim().as_bytes().to_vec()));
    }
}

fn read_line(wire: &mut Wire) -> Result<String, ReadError> {
    loop {
        if let Some(end) = wire.buffered().windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&wire.buffered()[..end]).into_owned();
            wire.consume(end + 2);
            return Ok(line);
        }
        if wire.buffered().len() > MAX_HEAD {
            return Err(ReadError::Malformed("an endless line".to_owned()));
        }
        if wire.fill()? == 0 {
            return Err(ReadError::Gone { partial: true });
        }
    }
}

fn take(wire: &mut Wire, length: usize, into: &mut Vec<u8>) -> Result<(), ReadError> {
    let mut missing = length;
    while missing > 0 {
        if wire.buffered().is_empty() && wire.fill()? == 0 {
            return Err(ReadError::Gone { partial: true });
        }
        let n = missing.min(wire.buffered().len());
        into.extend_from_slice(&wire.buffered()[..n]);
        wire.consume(n);
        missing -= n;
    }
    Ok(())
}

fn preview(buffer: &[u8]) -> String {
    buffer
        .iter()
        .take(120)
        .copied()
        .flat_map(std::ascii::escape_default)
        .map(char::from)
        .collect()
}

const MAX_HEAD: usize = 1 << 20;
const MAX_HEADERS: usize = 1024;
