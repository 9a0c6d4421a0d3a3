use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::error::Error;
use crate::headers::Headers;
use crate::net::memory::Memory;
use crate::proto::encode;

/// A response that no server sent: for middleware that answers by itself, and for [mocks](crate::mock).
///
/// It is written as bytes and read back as if it had come from the network, so every limit and every rule
/// holds for it too.
#[derive(Clone, Debug)]
pub struct Reply {
    status: StatusCode,
    reason: Option<Box<str>>,
    headers: Headers,
    trailers: Headers,
    body: Bytes,
    framing: Framing,
    /// Where the bytes of the body end too early, and how.
    cut: Option<(usize, Option<io::ErrorKind>)>,
    piece: usize,
    pub(crate) delay: Duration,
    raw: Option<Bytes>,
    mistake: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
}

impl Reply {
    /// Starts a response of this status, such as `204` or a [`StatusCode`], without a body.
    #[must_use]
    pub fn new<S: TryInto<StatusCode>>(status: S) -> Self {
        let status = status.try_into().ok();
        Self {
            mistake: status
                .is_none()
                .then_some("the status of a reply is not within 100 and 999"),
            status: status.unwrap_or_default(),
            reason: None,
            headers: Headers::new(),
            trailers: Headers::new(),
            body: Bytes::new(),
            framing: Framing::Length,
            cut: None,
            piece: usize::MAX,
            delay: Duration::ZERO,
            raw: None,
        }
    }

    /// A response of status 200 with this body.
    #[must_use]
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK).body(body)
    }

    /// A response of status 200 with this value as its JSON body.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::ok(body).header("Content-Type", "application/json"),
            Err(_) => Self {
                mistake: Some("the value of a reply cannot be written as json"),
                ..Self::ok("")
            },
        }
    }

    /// A redirect of this status to another address.
    #[must_use]
    pub fn redirect<S: TryInto<StatusCode>>(status: S, location: &str) -> Self {
        Self::new(status).header("Location", location)
    }

    /// Bytes as a server would send them, head and body, right or wrong. The connection ends behind them.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self {
            raw: Some(bytes.into()),
            ..Self::ok("")
        }
    }

    /// Sets the status, such as `404` or a [`StatusCode`].
    #[must_use]
    pub fn status<S: TryInto<StatusCode>>(mut self, status: S) -> Self {
        match status.try_into() {
            Ok(status) => self.status = status,
            Err(_) => self.mistake = Some("the status of a reply is not within 100 and 999"),
        }
        self
    }

    /// Sets the reason in the first line instead of the usual one.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        match encode::check_value(reason.as_bytes()) {
            Ok(_) => self.reason = Some(reason.into()),
            Err(_) => self.mistake = Some("the reason of a reply holds a control character"),
        }
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if self.headers.append(name, value).is_err() {
            self.mistake = Some("a header field of a reply is malformed");
        }
        self
    }

    /// Sets all header fields.
    #[must_use]
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body in chunks instead of with its length.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Adds a trailer field, behind a body in chunks.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if self.trailers.append(name, value).is_err() {
            self.mistake = Some("a trailer field of a reply is malformed");
        }
        self.chunked()
    }

    /// Ends the connection after so many bytes of the body although more were announced.
    #[must_use]
    pub fn truncated(mut self, bytes: usize) -> Self {
        self.cut = Some((bytes, None));
        self
    }

    /// Breaks the connection after so many bytes of the body.
    #[must_use]
    pub fn reset_after(mut self, bytes: usize) -> Self {
        self.cut = Some((bytes, Some(io::ErrorKind::ConnectionReset)));
        self
    }

    /// Lets no read give more than so many bytes, so that the body arrives in pieces.
    #[must_use]
    pub fn pieces(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// Answers as if it took the server so long: when a time limit of the call is shorter, that limit expires.
    /// Nobody really waits.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// What would come over the wire.
    pub(crate) fn into_memory(self, has_body: bool) -> Result<Memory, Error> {
        if let Some(mistake) = self.mistake {
            return Err(Error::builder(mistake));
        }
        let piece = self.piece;
        if let Some(input) = self.raw {
            return Ok(Memory {
                input,
                piece,
                fault: None,
            });
        }
        let mut out = Vec::with_capacity(self.body.len() + 256);
        let reason = self.reason.as_deref();
        let reason = reason
            .or_else(|| self.status.canonical_reason())
            .unwrap_or_default();
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).as_bytes());
        // The length that a HEAD request asks for may be that of a body which is not here.
        let says_length = !has_body && self.headers.contains("content-length");
        for (name, value) in self.headers.iter_bytes() {
            let length = name.eq_ignore_ascii_case("content-length");
            let coding = name.eq_ignore_ascii_case("transfer-encoding");
            if !coding && (!length || says_length) {
                encode::field(&mut out, name, value);
            }
        }
        let code = self.status.as_u16();
        let bodiless = code < 200 || code == 204 || code == 304;
        match self.framing {
            _ if bodiless || says_length => {}
            Framing::Length => {
                let length = self.body.len().to_string();
                encode::field(&mut out, "Content-Length", length.as_bytes());
            }
            Framing::Chunked => encode::field(&mut out, "Transfer-Encoding", b"chunked"),
        }
        out.extend_from_slice(b"\r\n");
        if bodiless || !has_body {
            return Ok(Memory {
                input: out.into(),
                piece,
                fault: None,
            });
        }
        let (whole, fault) = match self.cut {
            Some((at, fault)) => (at.min(self.body.len()), fault),
            None => (self.body.len(), None),
        };
        let body = self.body.slice(..whole);
        match (self.framing, self.cut) {
            (Framing::Length, _) => out.extend_from_slice(&body),
            (Framing::Chunked, Some(_)) => encode::chunk(&mut out, &body),
            (Framing::Chunked, None) => {
                encode::chunk(&mut out, &body);
                out.extend_from_slice(b"0\r\n");
                for (name, value) in self.trailers.iter_bytes() {
                    encode::field(&mut out, name, value);
                }
                out.extend_from_slice(b"\r\n");
            }
        }
        Ok(Memory {
            input: out.into(),
            piece,
            fault,
        })
    }
}
