/// The kinds of [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request or client could not be built; nothing was sent.
    Builder,
    /// The host was not found.
    Dns,
    /// No address of the host accepted the connection.
    Connect,
    /// The proxy could not be reached or refused.
    Proxy,
    /// The TLS handshake failed.
    Tls,
    /// The connection broke while it was in use.
    Network,
    /// A time limit expired.
    Timeout,
    /// The reply breaks the rules of HTTP/1.1.
    Protocol,
    /// A configured limit was exceeded.
    Limit,
    /// The connection ended before the declared end of the body.
    IncompleteBody,
    /// The content coding of the body is corrupt or truncated.
    Decode,
    /// The body is not the JSON that was asked for.
    Json,
    /// The body was already handed out or lost.
    Body,
    /// The body of the request could not be sent to its end: its source failed, did not keep to the declared length,
    /// or was used up by an earlier attempt.
    RequestBody,
    /// The file or writer that a body was to be written to failed.
    Io,
    /// The status is 4xx or 5xx, and the caller asked for that to be an error.
    Status,
    /// A redirect was not followed: too many, a loop, or refused by the policy.
    Redirect,
    /// A hook, middleware or callback of the caller failed.
    Custom,
    /// A file could not be read or written.
    File,
    /// The call was cancelled.
    Cancelled,
    /// The blocking call was refused: made inside an async task, in a forked child, or after the end of its runtime.
    Blocking,
}

impl ErrorKind {
    /// Every kind there is today.
    pub const ALL: &'static [Self] = &[
        Self::Builder,
        Self::Dns,
        Self::Connect,
        Self::Proxy,
        Self::Tls,
        Self::Network,
        Self::Timeout,
        Self::Protocol,
        Self::Limit,
        Self::IncompleteBody,
        Self::Decode,
        Self::Json,
        Self::Body,
        Self::RequestBody,
        Self::Io,
        Self::Status,
        Self::Redirect,
        Self::Custom,
        Self::File,
        Self::Cancelled,
        Self::Blocking,
    ];

    /// Returns the name of the kind in lower case, such as `timeout`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Builder => "builder",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Limit => "limit",
            Self::IncompleteBody => "incomplete_body",
            Self::Decode => "decode",
            Self::Json => "json",
            Self::Body => "body",
            Self::RequestBody => "request_body",
            Self::Io => "io",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::Custom => "custom",
            Self::File => "file",
            Self::Cancelled => "cancelled",
            Self::Blocking => "blocking",
        }
    }
}

/// The list has every kind, each at its own place.
const _: () = {
    let mut at = 0;
    while at < ErrorKind::ALL.len() {
        assert!(ErrorKind::ALL[at] as usize == at);
        at += 1;
    }
    assert!(ErrorKind::ALL.len() == ErrorKind::Blocking as usize + 1);
};

/// How far a request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Building the request.
    Build,
    /// Waiting for a connection of the pool to become free.
    Pool,
    /// Looking up the host.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// Asking the proxy for a connection.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Write,
    /// Waiting for the head of the response.
    Head,
    /// Reading the body.
    Body,
    /// Deciding about a redirect.
    Redirect,
}

impl Phase {
    /// Returns the name of the phase in lower case, such as `head`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Pool => "pool",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Write => "write",
            Self::Head => "head",
            Self::Body => "body",
            Self::Redirect => "redirect",
        }
    }

    pub(super) fn is_connecting(self) -> bool {
        matches!(
            self,
            Self::Resolve | Self::Connect | Self::Proxy | Self::Tls
        )
    }

    pub(super) fn doing(self) -> &'static str {
        match self {
            Self::Build => "building the request",
            Self::Pool => "waiting for a free connection",
            Self::Resolve => "looking up the host",
            Self::Connect => "connecting",
            Self::Proxy => "asking the proxy",
            Self::Tls => "in the tls handshake",
            Self::Write => "sending the request",
            Self::Head => "waiting for the response",
            Self::Body => "reading the body",
            Self::Redirect => "following a redirect",
        }
    }
}

/// The time limits that can expire; see [`Timeouts`](crate::Timeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeLimit {
    /// [`Timeouts::pool`](crate::Timeouts::pool).
    Pool,
    /// [`Timeouts::connect`](crate::Timeouts::connect).
    Connect,
    /// [`Timeouts::tls`](crate::Timeouts::tls).
    Tls,
    /// [`Timeouts::write`](crate::Timeouts::write).
    Write,
    /// [`Timeouts::first_byte`](crate::Timeouts::first_byte).
    FirstByte,
    /// [`Timeouts::read`](crate::Timeouts::read).
    Read,
    /// [`Timeouts::total`](crate::Timeouts::total).
    Total,
}

impl TimeLimit {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Write => "write",
            Self::FirstByte => "first-byte",
            Self::Read => "read",
            Self::Total => "total",
        }
    }
}

/// Why TLS failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The certificate is not signed by a trusted authority.
    Untrusted,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for another host.
    WrongHost,
    /// The certificate was revoked.
    Revoked,
    /// The revocation lists say nothing about the certificate, or are out of date.
    RevocationUnknown,
    /// The server shows none of the pinned certificates.
    PinMismatch,
    /// The peers have no version of TLS, no cipher or no application protocol in common.
    Version,
    /// The server refused with an alert, for instance for want of a client certificate.
    Alert,
    /// Anything else: a malformed certificate, a peer that does not speak TLS.
    Other,
}

/// Why a redirect was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectProblem {
    /// There were more of them than the policy permits.
    TooMany,
    /// It leads to what this call has asked for before.
    Loop,
    /// The policy refused it.
    Refused,
    /// It does not say where to, or to something that is neither http nor https.
    Malformed,
    /// The body would have to be sent again and cannot be.
    BodyNotReplayable,
}
