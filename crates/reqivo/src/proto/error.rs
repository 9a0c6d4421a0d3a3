use std::fmt;

/// A reply that breaks the rules of HTTP/1.1 or a limit. The connection it came on is of no further use.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{violation}")]
pub struct ProtocolError {
    violation: Violation,
}

impl ProtocolError {
    pub(crate) const fn limit(kind: LimitKind, limit: u64) -> Self {
        Self {
            violation: Violation::Limit { kind, limit },
        }
    }

    /// Returns what was wrong.
    #[must_use]
    pub fn violation(&self) -> Violation {
        self.violation
    }

    /// Returns whether a configured limit was exceeded, as opposed to malformed input.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self.violation, Violation::Limit { .. })
    }

    /// Returns whether the input ended before the message did.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        matches!(
            self.violation,
            Violation::ClosedWithoutReply | Violation::IncompleteHead | Violation::IncompleteBody
        )
    }
}

impl From<Violation> for ProtocolError {
    fn from(violation: Violation) -> Self {
        Self { violation }
    }
}

impl fmt::Debug for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtocolError({:?})", self.violation)
    }
}

/// The rule that a reply broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The first line is not an HTTP/1.x status line.
    StatusLine,
    /// The status line names a major version other than 1.
    Version,
    /// The status is not three digits from 100 up.
    Status,
    /// A header line has no colon, or its name is empty, not a token, or followed by white space.
    FieldName,
    /// A header value holds a control character.
    FieldValue,
    /// A header line is folded.
    FoldedLine,
    /// A carriage return without a line feed, or a line of a trailer or chunk that does not end with CR LF.
    LineEnd,
    /// Content-Length is not a number that fits 63 bits.
    ContentLength,
    /// Content-Length is given more than once with different values.
    ConflictingLengths,
    /// Transfer-Encoding names anything but a single, final `chunked`.
    TransferEncoding,
    /// Content-Length and Transfer-Encoding are both given, and the caller asked to refuse that.
    LengthWithTransferEncoding,
    /// A chunk size is not 1 to 16 hexadecimal digits.
    ChunkSize,
    /// A chunk extension holds a control character.
    ChunkExtension,
    /// The data of a chunk is not followed by CR LF.
    ChunkEnd,
    /// The server switched protocols without having been asked.
    UnexpectedUpgrade,
    /// The connection ended before the first byte of a reply.
    ClosedWithoutReply,
    /// The connection ended inside the head of a reply.
    IncompleteHead,
    /// The connection ended before the declared end of the body.
    IncompleteBody,
    /// A limit was exceeded.
    Limit {
        /// Which limit.
        kind: LimitKind,
        /// Its value.
        limit: u64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StatusLine => "reply does not start with an http/1.x status line",
            Self::Version => "reply has a major version other than 1",
            Self::Status => "status code is not three digits from 100 up",
            Self::FieldName => "malformed header name",
            Self::FieldValue => "header value holds a control character",
            Self::FoldedLine => "folded header line",
            Self::LineEnd => "line does not end with cr lf",
            Self::ContentLength => "malformed content-length",
            Self::ConflictingLengths => "conflicting content-length values",
            Self::TransferEncoding => "transfer-encoding is not a single final chunked",
            Self::LengthWithTransferEncoding => "content-length together with transfer-encoding",
            Self::ChunkSize => "malformed chunk size",
            Self::ChunkExtension => "malformed chunk extension",
            Self::ChunkEnd => "chunk data is not followed by cr lf",
            Self::UnexpectedUpgrade => "server switched protocols without being asked",
            Self::ClosedWithoutReply => "connection closed before a reply",
            Self::IncompleteHead => "connection closed inside the head of the reply",
            Self::IncompleteBody => "incomplete body: connection closed before its declared end",
            Self::Limit { kind, limit } => return write!(f, "{kind} exceeds the limit of {limit}"),
        })
    }
}

/// Which limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitKind {
    /// [`Limits::head_bytes`](super::Limits::head_bytes).
    HeadBytes,
    /// [`Limits::line_bytes`](super::Limits::line_bytes).
    LineBytes,
    /// [`Limits::fields`](super::Limits::fields).
    Fields,
    /// [`Limits::body_bytes`](super::Limits::body_bytes).
    BodyBytes,
    /// [`Limits::buffered_bytes`](super::Limits::buffered_bytes).
    BufferedBytes,
    /// The guard described at [`Limits::buffered_bytes`](super::Limits::buffered_bytes).
    CompressionRatio,
    /// [`Limits::chunk_extension_bytes`](super::Limits::chunk_extension_bytes).
    ChunkExtensionBytes,
    /// [`Limits::trailer_bytes`](super::Limits::trailer_bytes).
    TrailerBytes,
    /// [`Limits::trailer_fields`](super::Limits::trailer_fields).
    TrailerFields,
    /// [`Limits::interim_responses`](super::Limits::interim_responses).
    InterimResponses,
    /// At most five content codings are undone.
    ContentCodings,
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadBytes => "size of the head",
            Self::LineBytes => "size of a header line",
            Self::Fields => "number of header fields",
            Self::BodyBytes => "size of the body",
            Self::BufferedBytes => "size of the body in memory",
            Self::CompressionRatio => "compression ratio",
            Self::ChunkExtensionBytes => "size of chunk extensions",
            Self::TrailerBytes => "size of the trailers",
            Self::TrailerFields => "number of trailer fields",
            Self::InterimResponses => "number of interim responses",
            Self::ContentCodings => "number of content codings",
        })
    }
}
