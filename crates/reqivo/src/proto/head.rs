use bytes::{Bytes, BytesMut};
use http::Version;
use smallvec::SmallVec;

use super::{LimitKind, Limits, ProtocolError, Tolerance, Violation, count_work};
use crate::headers::Headers;

/// The status line and header fields of a reply.
#[derive(Clone, Debug)]
pub struct Head {
    status: u16,
    minor: u8,
    /// The status line without its line end.
    line: Bytes,
    pub(crate) headers: Headers,
}

impl Head {
    /// Returns the status code, 100 to 999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the protocol version; HTTP/1.2 and later minor versions count as 1.1.
    #[must_use]
    pub fn version(&self) -> Version {
        if self.minor == 0 {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        }
    }

    /// Returns the whole first line, such as `HTTP/1.1 200 OK`, without its line end.
    #[must_use]
    pub fn status_line(&self) -> &[u8] {
        &self.line
    }

    /// Returns the header fields, with order, case and repetitions as received.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    pub(super) fn is_http_10(&self) -> bool {
        self.minor == 0
    }
}

/// What a block of lines is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Head,
    Trailers,
}

/// Finds the end of a head or trailer section without ever looking at a byte twice, and checks sizes
/// and line ends on the way. The names and values are checked once, when the section is complete.
#[derive(Debug)]
pub(super) struct Scanner {
    block: Block,
    /// How far the input was looked at.
    scanned: usize,
    line_start: usize,
    blank_lines: u8,
    status: Option<(u16, u8)>,
    status_line: (usize, usize),
    fields: usize,
    max_bytes: usize,
    /// The configured limit, of which interim responses may have used a part.
    shown_max_bytes: usize,
    max_line: usize,
    max_fields: usize,
    join_folded: bool,
    /// Whether any line was folded.
    folded: bool,
}

impl Scanner {
    /// A scanner for a head; `used` bytes of the head budget went to interim responses.
    pub(super) fn head(limits: &Limits, tolerance: &Tolerance, used: usize) -> Self {
        Self {
            block: Block::Head,
            scanned: 0,
            line_start: 0,
            blank_lines: 0,
            status: None,
            status_line: (0, 0),
            fields: 0,
            max_bytes: limits.head_bytes.saturating_sub(used),
            shown_max_bytes: limits.head_bytes,
            max_line: limits.line_bytes,
            max_fields: limits.fields,
            join_folded: tolerance.join_folded_lines,
            folded: false,
        }
    }

    pub(super) fn trailers(limits: &Limits, tolerance: &Tolerance) -> Self {
        Self {
            block: Block::Trailers,
            max_bytes: limits.trailer_bytes,
            shown_max_bytes: limits.trailer_bytes,
            max_fields: limits.trailer_fields,
            ..Self::head(limits, tolerance, 0)
        }
    }

    /// Whether any byte of a status line arrived, so that the peer began to answer.
    pub(super) fn started(&self, input: &[u8]) -> bool {
        self.status.is_some() || self.line_start > 0 || !input.is_empty()
    }

    /// Looks for the end of the section. Returns its length once complete.
    fn scan(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        loop {
            let found = memchr::memchr2(b'\r', b'\n', &input[self.scanned..]);
            count_work(found.unwrap_or(input.len() - self.scanned) + 1);
            let Some(offset) = found else {
                self.check_line(input, None)?;
                self.scanned = input.len();
                return Ok(None);
            };
            let mut line_feed = self.scanned + offset;
            if input[line_feed] == b'\r' {
                match input.get(line_feed + 1) {
                    Some(b'\n') => line_feed += 1,
                    Some(_) => {
                        let next = line_feed + 1;
                        self.check_line(&input[..=next], Some(next))?;
                    }
                    None => {
                        self.check_line(input, None)?;
                        self.scanned = line_feed;
                        return Ok(None);
                    }
                }
            }
            self.check_line(&input[..line_feed], None)?;
            if line_feed + 1 > self.max_bytes {
                return Err(self.too_long());
            }
            let start = self.line_start;
            let mut end = line_feed;
            if end > start && input[end - 1] == b'\r' {
                end -= 1;
            } else if self.block == Block::Trailers {
                return Err(Violation::LineEnd.into());
            }
            self.scanned = line_feed + 1;
            self.line_start = line_feed + 1;
            if start == end {
                if self.block == Block::Head && self.status.is_none() {
                    self.blank_lines += 1;
                    if self.blank_lines > MAX_BLANK_LINES {
                        return Err(Violation::StatusLine.into());
                    }
                    continue;
                }
                return Ok(Some(line_feed + 1));
            }
            if self.block == Block::Head && self.status.is_none() {
                self.status = Some(parse_status_line(&input[start..end])?);
                self.status_line = (start, end);
                continue;
            }
            if matches!(input[start], b' ' | b'\t') {
                if !self.join_folded || self.fields == 0 {
                    return Err(Violation::FoldedLine.into());
                }
                self.folded = true;
                continue;
            }
            self.fields += 1;
            if self.fields > self.max_fields {
                let kind = match self.block {
                    Block::Head => LimitKind::Fields,
                    Block::Trailers => LimitKind::TrailerFields,
                };
                return Err(ProtocolError::limit(kind, self.max_fields as u64));
            }
        }
    }

    /// Checks what is there of the current line, without its line feed. It need not be complete: a peer that
    /// does not speak HTTP is found out by its first bytes, not by its silence.
    ///
    /// `bare_return` is where something other than a line feed follows a carriage return.
    /// Of several errors the one whose byte comes first is told, so that splits make no difference.
    fn check_line(&self, input: &[u8], bare_return: Option<usize>) -> Result<(), ProtocolError> {
        let line = &input[self.line_start..];
        let line_too_long = match line.get(self.max_line) {
            None => None,
            // The carriage return of a line of exactly the permitted length.
            Some(b'\r') if line.len() == self.max_line + 1 => None,
            Some(_) => Some(self.line_start + self.max_line),
        };
        let too_long = (input.len() > self.max_bytes).then_some(self.max_bytes);
        let not_http = match self.block == Block::Head && self.status.is_none() {
            true => not_http(line).map(|at| self.line_start + at),
            false => None,
        };
        if line_too_long.is_none()
            && too_long.is_none()
            && bare_return.is_none()
            && not_http.is_none()
        {
            return Ok(());
        }
        let line_limit = ProtocolError::limit(LimitKind::LineBytes, self.max_line as u64);
        let first = [
            (line_too_long, line_limit),
            (too_long, self.too_long()),
            (bare_return, Violation::LineEnd.into()),
            (not_http, Violation::StatusLine.into()),
        ]
        .into_iter()
        .filter_map(|(at, error)| Some((at?, error)))
        .min_by_key(|(at, _)| *at);
        first.map_or(Ok(()), |(_, error)| Err(error))
    }

    fn too_long(&self) -> ProtocolError {
        let kind = match self.block {
            Block::Head => LimitKind::HeadBytes,
            Block::Trailers => LimitKind::TrailerBytes,
        };
        ProtocolError::limit(kind, self.shown_max_bytes as u64)
    }

    /// Takes a complete head off the front of the input; returns it with its length.
    pub(super) fn take_head(
        &mut self,
        input: &mut BytesMut,
    ) -> Result<Option<(Head, usize)>, ProtocolError> {
        if self.scanned == 0
            && let Some(found) = self.take_plain_head(input)
        {
            return Ok(Some(found));
        }
        let Some(length) = self.scan(input)? else {
            return Ok(None);
        };
        let Some((status, minor)) = self.status else {
            return Err(Violation::StatusLine.into());
        };
        let block = self.unfolded(input.split_to(length).freeze());
        let headers = parse_fields(&block, self.after_status_line(&block), self.fields)?;
        let line = block.slice(self.status_line.0..self.status_line.1);
        Ok(Some((
            Head {
                status,
                minor,
                line,
                headers,
            },
            length,
        )))
    }

    /// Takes a head that is here whole and has nothing remarkable about it, in one go.
    ///
    /// Whatever it leaves alone, because more has to arrive, be told from an error or be tolerated, goes the long way
    /// through [`scan`](Self::scan); what it takes, that way would take just the same.
    fn take_plain_head(&self, input: &mut BytesMut) -> Option<(Head, usize)> {
        let line_feed = memchr::memchr(b'\n', input)?;
        let line = input[..line_feed].strip_suffix(b"\r")?;
        let (status, minor) = parse_status_line(line).ok()?;
        let line_end = line.len();
        let start = line_feed + 1;
        let mut fields = [httparse::EMPTY_HEADER; PLAIN_FIELDS];
        let Ok(httparse::Status::Complete((used, parsed))) =
            httparse::parse_headers(&input[start..], &mut fields)
        else {
            count_work(input.len());
            return None;
        };
        let length = start + used;
        count_work(length);
        if length > self.max_line.min(self.max_bytes) || parsed.len() > self.max_fields {
            return None;
        }
        let headers = fields_of(input, parsed);
        let block = input.split_to(length).freeze();
        let line = block.slice(..line_end);
        let headers = headers.in_block(block);
        Some((
            Head {
                status,
                minor,
                line,
                headers,
            },
            length,
        ))
    }

    /// Takes a complete trailer section off the front of the input.
    pub(super) fn take_trailers(
        &mut self,
        input: &mut BytesMut,
    ) -> Result<Option<Headers>, ProtocolError> {
        let Some(length) = self.scan(input)? else {
            return Ok(None);
        };
        let block = self.unfolded(input.split_to(length).freeze());
        let mut trailers = parse_fields(&block, 0, self.fields)?;
        for name in NOT_IN_TRAILERS {
            let _ = trailers.remove(name);
        }
        Ok(Some(trailers))
    }

    fn unfolded(&self, block: Bytes) -> Bytes {
        match self.folded {
            true => unfold(&block),
            false => block,
        }
    }

    fn after_status_line(&self, block: &[u8]) -> usize {
        let end = self.status_line.1;
        match block.get(end) {
            Some(b'\r') => end + 2,
            _ => end + 1,
        }
    }
}

/// Where the start of a first line differs from that of a status line. A line of a carriage return alone is an
/// empty one.
fn not_http(line: &[u8]) -> Option<usize> {
    if line.starts_with(b"\r") {
        return None;
    }
    line.iter()
        .zip(b"HTTP/")
        .position(|(found, expected)| found != expected)
}

/// `HTTP/` digit `.` digit SP three digits, then the end or SP and a reason.
fn parse_status_line(line: &[u8]) -> Result<(u16, u8), ProtocolError> {
    let rest = line.strip_prefix(b"HTTP/").ok_or(Violation::StatusLine)?;
    let [major, b'.', minor, b' ', rest @ ..] = rest else {
        return Err(Violation::StatusLine.into());
    };
    if !major.is_ascii_digit() || !minor.is_ascii_digit() {
        return Err(Violation::StatusLine.into());
    }
    if *major != b'1' {
        return Err(Violation::Version.into());
    }
    let [a, b, c, rest @ ..] = rest else {
        return Err(Violation::Status.into());
    };
    if !(a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit()) || *a == b'0' {
        return Err(Violation::Status.into());
    }
    match rest {
        [] => {}
        [b' ', reason @ ..] if reason.iter().all(|&byte| is_text(byte)) => {}
        [b' ', ..] => return Err(Violation::StatusLine.into()),
        _ => return Err(Violation::Status.into()),
    }
    let digit = |byte: &u8| u16::from(byte - b'0');
    Ok((digit(a) * 100 + digit(b) * 10 + digit(c), minor - b'0'))
}

/// Whether a byte may stand in a header value: HTAB, SP, visible ASCII, or above ASCII.
pub(crate) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Joins folded lines: a line end with the white space around it becomes a single space (RFC 9112 5.2).
fn unfold(block: &[u8]) -> Bytes {
    count_work(block.len());
    let mut joined = Vec::with_capacity(block.len());
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        let mut rest = line;
        while let [b' ' | b'\t', after @ ..] = rest {
            rest = after;
        }
        if rest.len() < line.len() {
            while let [.., b' ' | b'\t' | b'\r' | b'\n'] = joined[..] {
                joined.pop();
            }
            joined.push(b' ');
            joined.extend_from_slice(rest);
        } else {
            joined.extend_from_slice(line);
        }
    }
    joined.into()
}

/// Parses field lines from `start` of a block that ends with an empty line.
fn parse_fields(block: &Bytes, start: usize, count: usize) -> Result<Headers, ProtocolError> {
    count_work(block.len());
    if count == 0 {
        return Ok(Headers::default().in_block(block.clone()));
    }
    let mut fields: SmallVec<[httparse::Header<'_>; PLAIN_FIELDS]> = SmallVec::new();
    fields.resize(count, httparse::EMPTY_HEADER);
    match httparse::parse_headers(&block[start..], &mut fields) {
        Ok(httparse::Status::Complete((used, parsed))) if start + used == block.len() => {
            Ok(fields_of(block, parsed).in_block(block.clone()))
        }
        Ok(_) => Err(Violation::FieldName.into()),
        Err(httparse::Error::HeaderValue | httparse::Error::NewLine) => {
            Err(Violation::FieldValue.into())
        }
        Err(_) => Err(Violation::FieldName.into()),
    }
}

/// Where in the block the parsed fields are.
fn fields_of(block: &[u8], parsed: &[httparse::Header<'_>]) -> Headers {
    let base = block.as_ptr() as usize;
    let mut headers = Headers::received(parsed.len());
    for field in parsed {
        let name = field.name.as_ptr() as usize - base;
        // An empty value may point anywhere.
        let value = match field.value {
            [] => name,
            value => value.as_ptr() as usize - base,
        };
        headers.push_range(name, field.name.len(), value, field.value.len());
    }
    headers
}

/// Fields that a head may have to be taken in one go.
const PLAIN_FIELDS: usize = 24;

/// Empty lines that may precede a status line.
const MAX_BLANK_LINES: u8 = 2;

/// Fields that decide framing or routing and therefore mean nothing in a trailer (RFC 9110 6.5.1).
const NOT_IN_TRAILERS: [&str; 11] = [
    "transfer-encoding",
    "content-length",
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "content-encoding",
    "content-type",
    "content-range",
];
