use std::time::Duration;

use http::Method;
use url::{Position, Url};

use crate::content;
use crate::error::Error;
use crate::headers::Headers;
use crate::proto::encode::{self, InvalidRequest};
use crate::proxy::{PROXY_AUTHORIZATION, ProxyServer};
use crate::request::Parts;
use crate::request_body::Trailer;

/// The head of a request: what the session and the call say, put together.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// The session's own fields, unless they are among those of the call already.
    pub(crate) session: Option<&'a Headers>,
    /// The same, written before.
    pub(crate) written: &'a Written,
    pub(crate) parts: &'a Parts,
    /// The proxy that reads this request.
    pub(crate) proxy: Option<&'a ProxyServer>,
}

/// The defaults and the fields of a session as they go out with a call that has no say in them.
pub(crate) struct Written {
    block: Box<[u8]>,
    /// The names in the block, and those that decide about one of them.
    names: Headers,
    /// Whether names begin with capitals, however they were written.
    title_case: bool,
}

/// How the end of the body is told.
#[derive(Clone, Copy)]
pub(crate) enum Framing<'a> {
    /// There is no body.
    Absent,
    Length(u64),
    /// In chunks, with these fields after the last.
    Chunked(&'a [Trailer]),
}

impl Framing<'_> {
    fn length(self) -> Option<u64> {
        match self {
            Self::Absent => Some(0),
            Self::Length(length) => Some(length),
            Self::Chunked(_) => None,
        }
    }
}

/// What the head of a request says about its exchange.
#[derive(Clone, Copy)]
pub(crate) struct Checked {
    /// Whether the connection is to be closed afterwards.
    pub(crate) close: bool,
    /// For how long the server is asked for leave to send the body.
    pub(crate) expect: Option<Duration>,
}

impl Outgoing<'_> {
    /// Looks for mistakes before any IO.
    pub(crate) fn check(&self, framing: Framing<'_>) -> Result<Checked, Error> {
        let (mut hosts, mut lengths, mut close) = (0, 0, false);
        let mut expect = self.parts.expect;
        for (name, value) in self.fields() {
            match name.len() {
                4 if name.eq_ignore_ascii_case(b"host") => hosts += 1,
                6 if name.eq_ignore_ascii_case(b"expect")
                    && value.eq_ignore_ascii_case(b"100-continue") =>
                {
                    expect = expect.or(Some(EXPECT_WAIT));
                }
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    close |=
                        crate::proto::list(value).any(|token| token.eq_ignore_ascii_case(b"close"));
                }
                14 if is_length(name) => {
                    lengths += 1;
                    let given = parse_length(value);
                    if given.is_none() || given != framing.length() {
                        return Err(InvalidRequest::ContradictingLength.into());
                    }
                }
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    return Err(InvalidRequest::TransferEncoding.into());
                }
                _ => {}
            }
        }
        if hosts > 1 || lengths > 1 {
            return Err(InvalidRequest::Repeated.into());
        }
        encode::check_target(self.parts.url.path(), self.parts.url.query())?;
        if let Framing::Absent | Framing::Length(0) = framing {
            // Nothing to ask leave for (RFC 9110 10.1.1).
            expect = None;
        }
        Ok(Checked { close, expect })
    }

    /// The length that the caller gave a body whose own length is unknown.
    pub(crate) fn given_length(&self) -> Option<u64> {
        let (_, value) = self.fields().find(|(name, _)| is_length(name))?;
        parse_length(value)
    }

    /// Writes the request line and the fields: the defaults, then the session's, then the call's.
    pub(crate) fn write(&self, output: &mut Vec<u8>, framing: Framing<'_>) {
        let parts = self.parts;
        // The target was checked.
        let origin = self.proxy.map(|_| &parts.url[..Position::BeforePath]);
        let (path, query) = (parts.url.path(), parts.url.query());
        let _ = match origin {
            None => encode::request_line(output, &parts.method, path, query),
            Some(origin) => encode::proxied_line(output, &parts.method, origin, path, query),
        };
        if !self.has("host") {
            host(output, &parts.url);
        }
        match self.undisturbed() {
            Some(block) => {
                output.extend_from_slice(block);
                let added = parts.added.iter().flat_map(|added| added.raw());
                for (name, value) in parts.headers.raw().chain(added) {
                    self.field(output, name, value);
                }
            }
            None => {
                defaults(output, |name| self.wants(name), self.has("range"));
                for (name, value) in self.fields() {
                    self.field(output, name, value);
                }
            }
        }
        for (name, value) in self.proxy.into_iter().flat_map(|proxy| proxy.headers.raw()) {
            if !self.fields().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                encode::field(output, name, value);
            }
        }
        if let Some(content_type) = parts.content_type
            && self.wants("content-type")
        {
            encode::field(output, "Content-Type", content_type.as_bytes());
        }
        if parts.expect.is_some()
            && !matches!(framing, Framing::Absent | Framing::Length(0))
            && self.wants("expect")
        {
            encode::field(output, "Expect", b"100-continue");
        }
        match framing {
            Framing::Length(length) => content_length(output, length),
            Framing::Absent => {
                if has_body_by_nature(&parts.method) || self.has("content-length") {
                    content_length(output, 0);
                }
            }
            Framing::Chunked(trailers) => {
                if !trailers.is_empty() && self.wants("trailer") {
                    let names: Vec<&str> = trailers.iter().map(|trailer| &*trailer.name).collect();
                    encode::field(output, "Trailer", names.join(", ").as_bytes());
                }
                encode::field(output, "Transfer-Encoding", b"chunked");
            }
        }
        output.extend_from_slice(b"\r\n");
    }

    fn field(&self, output: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        // What is meant for a proxy goes to no other.
        if !is_length(name) && (self.proxy.is_some() || !is_for_proxy(name)) {
            let start = output.len();
            encode::field(output, name, value);
            if self.written.title_case {
                title_case(&mut output[start..start + name.len()]);
            }
        }
    }

    /// The defaults and the fields of the session, when they go out as they are.
    fn undisturbed(&self) -> Option<&[u8]> {
        let (parts, names) = (self.parts, &self.written.names);
        let own = &parts.headers;
        let disturbed = self.session.is_none()
            || self.proxy.is_some()
            || !parts.without.is_empty()
            || own.raw().any(|(name, _)| names.has(name))
            || parts.added.as_ref().is_some_and(|added| {
                added
                    .raw()
                    .any(|(name, _)| names.has(name) || own.has(name))
            });
        (!disturbed).then_some(&self.written.block)
    }

    /// The fields of the session that the call does not replace or leave out, then those of the call, then those
    /// that the session decides for this hop.
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let own = &self.parts.headers;
        let added = self.parts.added.as_deref();
        let session = self.session.into_iter().flat_map(Headers::raw);
        session
            .filter(|(name, _)| !own.has(name) && !self.is_left_out(name))
            .chain(own.raw())
            .filter(move |(name, _)| added.is_none_or(|added| !added.has(name)))
            .chain(added.into_iter().flat_map(Headers::raw))
    }

    fn has(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.parts.headers.has(name)
            || self
                .session
                .is_some_and(|session| session.has(name) && !self.is_left_out(name))
    }

    /// Whether a default of this name is to be sent.
    fn wants(&self, name: &str) -> bool {
        !self.has(name) && !self.is_left_out(name.as_bytes())
    }

    fn is_left_out(&self, name: &[u8]) -> bool {
        self.parts
            .without
            .iter()
            .any(|other| other.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl Written {
    /// Writes the fields of a session.
    pub(crate) fn new(headers: &Headers, in_title_case: bool) -> Self {
        let mut block = Vec::new();
        let wants = |name: &str| !headers.has(name.as_bytes());
        defaults(&mut block, wants, headers.has(b"range"));
        for (name, value) in headers.raw() {
            if !is_length(name) && !is_for_proxy(name) {
                let start = block.len();
                encode::field(&mut block, name, value);
                if in_title_case {
                    title_case(&mut block[start..start + name.len()]);
                }
            }
        }
        let mut names = headers.clone();
        for name in ["User-Agent", "Accept", "Accept-Encoding", "Range"] {
            // A plain name and value.
            drop(names.append(name, ""));
        }
        Self {
            block: block.into(),
            names,
            title_case: in_title_case,
        }
    }
}

/// Writes the defaults that are wanted.
fn defaults(output: &mut Vec<u8>, wants: impl Fn(&str) -> bool, of_a_range: bool) {
    if wants("user-agent") {
        encode::field(output, "User-Agent", USER_AGENT.as_bytes());
    }
    if wants("accept") {
        encode::field(output, "Accept", b"*/*");
    }
    if wants("accept-encoding")
        && let Some(accepted) = content::accept_encoding(of_a_range)
    {
        encode::field(output, "Accept-Encoding", accepted.as_bytes());
    }
}

fn is_for_proxy(name: &[u8]) -> bool {
    name.len() == PROXY_AUTHORIZATION.len()
        && name.eq_ignore_ascii_case(PROXY_AUTHORIZATION.as_bytes())
}

/// `x-request-id` becomes `X-Request-Id`.
fn title_case(name: &mut [u8]) {
    for word in name.split_mut(|byte| *byte == b'-') {
        word.make_ascii_lowercase();
        if let Some(first) = word.first_mut() {
            first.make_ascii_uppercase();
        }
    }
}

fn content_length(output: &mut Vec<u8>, length: u64) {
    let mut digits = itoa::Buffer::new();
    encode::field(output, "Content-Length", digits.format(length).as_bytes());
}

fn parse_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    // `parse` would accept a sign.
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

fn is_length(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-length")
}

fn has_body_by_nature(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn host(output: &mut Vec<u8>, url: &Url) {
    output.extend_from_slice(b"Host: ");
    // Brackets and punycode are part of it already.
    output.extend_from_slice(url.host_str().unwrap_or_default().as_bytes());
    // None for the default port of the scheme.
    if let Some(port) = url.port() {
        output.push(b':');
        output.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
    }
    output.extend_from_slice(b"\r\n");
}

pub(crate) const USER_AGENT: &str = concat!("reqivo/", env!("CARGO_PKG_VERSION"));

/// How long the server is waited for when the caller did not say.
pub(crate) const EXPECT_WAIT: Duration = Duration::from_secs(1);
