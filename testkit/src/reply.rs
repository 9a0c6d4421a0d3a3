//! A reply, right by default and wrong on demand.

use bytes::Bytes;

use crate::{Action, Gate};

/// An HTTP/1.1 reply.
///
/// Without further calls it is a correct one: status line, the given header fields, `content-length`, body, connection kept.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    reason: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
    framing: Framing,
    trailers: Vec<(String, String)>,
    raw: Option<Bytes>,
    pieces: Option<usize>,
    cut_at: Option<usize>,
    holds: Vec<(Place, Gate)>,
    after: After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked(usize),
    UntilClose,
    Unsaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Head,
    Body(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Keep,
    Close,
    Reset,
}

impl Reply {
    /// Returns a 200 with a body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            reason: None,
            headers: Vec::new(),
            body: body.into(),
            framing: Framing::Length,
            trailers: Vec::new(),
            raw: None,
            pieces: None,
            cut_at: None,
            holds: Vec::new(),
            after: After::Keep,
        }
    }

    /// Returns a 200 with a JSON text and its content type.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self::ok(text).header("content-type", "application/json")
    }

    /// Returns a reply with a status and no body.
    pub fn empty(status: u16) -> Self {
        Self::ok(Bytes::new()).status(status)
    }

    /// Returns a reply that is these bytes, whatever they are. Delivery settings (pieces, gates, closing) apply; offsets count from the first byte.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        let mut reply = Self::ok(Bytes::new());
        reply.raw = Some(bytes.into());
        reply
    }

    /// Sets the status. Default: 200.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets the reason phrase. Default: the usual one of the status.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds a header field; a name may be added more than once.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sends the body in chunks of at most `size` bytes.
    ///
    /// # Panics
    ///
    /// When `size` is 0.
    #[must_use]
    pub fn chunked(mut self, size: usize) -> Self {
        assert!(size > 0, "a chunk of no bytes would end the body");
        self.framing = Framing::Chunked(size);
        self
    }

    /// Adds a trailer field to a chunked reply.
    #[must_use]
    pub fn trailer(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.trailers.push((name.into(), value.into()));
        self
    }

    /// Sends the body without a length and closes after it.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self.after = After::Close;
        self
    }

    /// Adds no framing header field: the script says it all.
    #[must_use]
    pub fn unframed(mut self) -> Self {
        self.framing = Framing::Unsaid;
        self
    }

    /// Announces the whole body, sends only the first `bytes` of it, and closes.
    #[must_use]
    pub fn truncated(mut self, bytes: usize) -> Self {
        self.cut_at = Some(bytes);
        self.after = After::Close;
        self
    }

    /// Announces the whole body, sends only the first `bytes` of it, and resets. The client may see none of the bytes.
    #[must_use]
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.cut_at = Some(bytes);
        self.after = After::Reset;
        self
    }

    /// Writes the reply in separate writes of at most `size` bytes.
    #[must_use]
    pub fn pieces(mut self, size: usize) -> Self {
        self.pieces = Some(size);
        self
    }

    /// Waits at a gate before the first byte.
    #[must_use]
    pub fn hold(self, gate: &Gate) -> Self {
        self.hold_at(Place::Start, gate)
    }

    /// Waits at a gate in the middle of the head.
    #[must_use]
    pub fn hold_head(self, gate: &Gate) -> Self {
        self.hold_at(Place::Head, gate)
    }

    /// Waits at a gate after `bytes` bytes of the body; 0 is between head and body.
    #[must_use]
    pub fn hold_body(self, bytes: usize, gate: &Gate) -> Self {
        self.hold_at(Place::Body(bytes), gate)
    }

    /// Sends `connection: close` and closes.
    #[must_use]
    pub fn close(self) -> Self {
        let mut reply = self.header("connection", "close");
        reply.after = After::Close;
        reply
    }

    fn hold_at(mut self, place: Place, gate: &Gate) -> Self {
        self.holds.push((place, gate.clone()));
        self
    }

    /// Renders the reply into plain writes, waits and a close.
    pub(crate) fn steps(&self, method: &str) -> Vec<Action> {
        let (bytes, head_length, marks) = self.render(method);
        let end = match self.cut_at {
            Some(at) => (head_length + framed(&marks, at)).min(bytes.len()),
            None => bytes.len(),
        };
        let mut holds: Vec<(usize, &Gate)> = self
            .holds
            .iter()
            .map(|(place, gate)| {
                let at = match place {
                    Place::Start => 0,
                    Place::Head => head_length / 2,
                    Place::Body(at) => head_length + framed(&marks, *at),
                };
                (at.min(end), gate)
            })
            .collect();
        holds.sort_by_key(|(at, _)| *at);
        let mut steps = Vec::new();
        let mut from = 0;
        for (at, gate) in holds {
            self.push(&mut steps, bytes.slice(from..at));
            steps.push(Action::Wait(gate.clone()));
            from = at;
        }
        self.push(&mut steps, bytes.slice(from..end));
        match self.after {
            After::Keep => {}
            After::Close => steps.push(Action::Close),
            After::Reset => steps.push(Action::Reset),
        }
        steps
    }

    fn push(&self, steps: &mut Vec<Action>, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        steps.push(match self.pieces {
            Some(size) => Action::WritePieces(bytes, size),
            None => Action::Write(bytes),
        });
    }

    /// Returns the bytes, the length of the head, and where each stretch of the body lies behind the head: (offset in the body, offset behind the head, length).
    fn render(&self, method: &str) -> (Bytes, usize, Vec<(usize, usize, usize)>) {
        if let Some(raw) = &self.raw {
            return (raw.clone(), 0, vec![(0, 0, raw.len())]);
        }
        let interim = (100..200).contains(&self.status);
        let without_body = interim || matches!(self.status, 204 | 304);
        let mut out = Vec::with_capacity(256 + self.body.len());
        let reason = self
            .reason
            .as_deref()
            .unwrap_or_else(|| usual_reason(self.status));
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", self.status).as_bytes());
        for (name, value) in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        if !without_body {
            match self.framing {
                Framing::Length => {
                    out.extend_from_slice(
                        format!("content-length: {}\r\n", self.body.len()).as_bytes(),
                    );
                }
                Framing::Chunked(_) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
                Framing::UntilClose | Framing::Unsaid => {}
            }
        }
        out.extend_from_slice(b"\r\n");
        let head_length = out.len();
        let mut marks = Vec::new();
        if !without_body && method != "HEAD" {
            self.render_body(&mut out, head_length, &mut marks);
        }
        (out.into(), head_length, marks)
    }

    fn render_body(
        &self,
        out: &mut Vec<u8>,
        head_length: usize,
        marks: &mut Vec<(usize, usize, usize)>,
    ) {
        let Framing::Chunked(size) = self.framing else {
            marks.push((0, 0, self.body.len()));
            out.extend_from_slice(&self.body);
            return;
        };
        let mut offset = 0;
        for chunk in self.body.chunks(size) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            marks.push((offset, out.len() - head_length, chunk.len()));
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
            offset += chunk.len();
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in &self.trailers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Translates an offset in the body to one behind the head.
fn framed(marks: &[(usize, usize, usize)], offset: usize) -> usize {
    if offset == 0 {
        return 0;
    }
    let mut best = 0;
    for (body, behind, length) in marks {
        if offset > *body {
            best = behind + (offset - body).min(*length);
        }
    }
    best
}

fn usual_reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply, method: &str) -> String {
        let mut out = Vec::new();
        for step in reply.steps(method) {
            if let Action::Write(bytes) | Action::WritePieces(bytes, _) = step {
                out.extend_from_slice(&bytes);
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_reply_carries_its_length() {
        assert_eq!(
            written(&Reply::ok("abc").header("x", "y"), "GET"),
            "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 3\r\n\r\nabc"
        );
    }

    #[test]
    fn a_head_request_gets_the_length_without_the_body() {
        assert_eq!(
            written(&Reply::ok("abc"), "HEAD"),
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
        );
    }

    #[test]
    fn a_reply_that_has_no_body_by_definition_has_no_length() {
        assert_eq!(
            written(&Reply::empty(204), "GET"),
            "HTTP/1.1 204 No Content\r\n\r\n"
        );
    }

    #[test]
    fn a_chunked_reply_ends_with_its_trailers() {
        let reply = Reply::ok("abcde").chunked(3).trailer("sum", "1");
        assert_eq!(
            written(&reply, "GET"),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nsum: 1\r\n\r\n"
        );
    }

    #[test]
    fn truncation_counts_bytes_of_the_body_and_not_of_the_framing() {
        let reply = Reply::ok("abcde").chunked(3).truncated(4);
        assert!(written(&reply, "GET").ends_with("\r\n\r\n3\r\nabc\r\n2\r\nd"));
        assert!(matches!(reply.steps("GET").last(), Some(Action::Close)));
    }

    #[test]
    fn gates_split_the_reply_where_they_stand() {
        let gate = Gate::new();
        let reply = Reply::ok("abcde")
            .hold_body(2, &gate)
            .hold_body(0, &gate)
            .hold(&gate);
        let steps = reply.steps("GET");
        let shape: Vec<String> = steps
            .iter()
            .map(|step| match step {
                Action::Wait(_) => "|".to_owned(),
                Action::Write(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            shape,
            [
                "|",
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
                "|",
                "ab",
                "|",
                "cde"
            ]
        );
    }
}
