use std::time::Duration;

/// Upper bounds for what a reply may make this client hold or process.
///
/// Exceeding one is an error that names the limit, and closes the connection.
///
/// | limit | default |
/// |---|---|
/// | [`head_bytes`](Self::head_bytes) | 64 KiB |
/// | [`line_bytes`](Self::line_bytes) | 16 KiB |
/// | [`fields`](Self::fields) | 128 |
/// | [`body_bytes`](Self::body_bytes) | none |
/// | [`buffered_bytes`](Self::buffered_bytes) | 256 MiB |
/// | [`chunk_extension_bytes`](Self::chunk_extension_bytes) | 16 KiB |
/// | [`trailer_bytes`](Self::trailer_bytes) | 16 KiB |
/// | [`trailer_fields`](Self::trailer_fields) | 64 |
/// | [`interim_responses`](Self::interim_responses) | 100 |
/// | [`drain_bytes`](Self::drain_bytes) | 64 KiB |
/// | [`drain_time`](Self::drain_time) | 1 s |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) head_bytes: usize,
    pub(crate) line_bytes: usize,
    pub(crate) fields: usize,
    pub(crate) body_bytes: Option<u64>,
    pub(crate) buffered_bytes: u64,
    pub(crate) ratio_guard: bool,
    pub(crate) chunk_extension_bytes: usize,
    pub(crate) trailer_bytes: usize,
    pub(crate) trailer_fields: usize,
    pub(crate) interim_responses: u32,
    pub(crate) drain_bytes: u64,
    pub(crate) drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            line_bytes: 16 * 1024,
            fields: 128,
            body_bytes: None,
            buffered_bytes: 256 * 1024 * 1024,
            ratio_guard: true,
            chunk_extension_bytes: 16 * 1024,
            trailer_bytes: 16 * 1024,
            trailer_fields: 64,
            interim_responses: 100,
            drain_bytes: 64 * 1024,
            drain_time: Duration::from_secs(1),
        }
    }
}

impl Limits {
    /// Limits the bytes of the status line and header fields, all interim responses of the exchange included. There is
    /// no more than 1 GiB.
    #[must_use]
    pub fn head_bytes(mut self, bytes: usize) -> Self {
        self.head_bytes = bytes.min(MOST_HEAD_BYTES);
        self
    }

    /// Limits the bytes of one line of a head, without its line end.
    #[must_use]
    pub fn line_bytes(mut self, bytes: usize) -> Self {
        self.line_bytes = bytes;
        self
    }

    /// Limits the number of header fields.
    #[must_use]
    pub fn fields(mut self, count: usize) -> Self {
        self.fields = count;
        self
    }

    /// Limits the size of a body on the wire, before content decoding; `None` is no limit.
    #[must_use]
    pub fn body_bytes(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.body_bytes = bytes.into();
        self
    }

    /// Limits the size of a body that is collected into memory, after content decoding, and of one line of
    /// [`iter_lines`](crate::Response::iter_lines).
    ///
    /// Streams are not limited by it. Setting it also turns off the guard against absurd
    /// compression ratios (an error above 1000:1 once 1 MiB came out), because the caller then said what
    /// size is acceptable. Between several content codings that guard stays.
    #[must_use]
    pub fn buffered_bytes(mut self, bytes: u64) -> Self {
        self.buffered_bytes = bytes;
        self.ratio_guard = false;
        self
    }

    /// Limits the bytes of chunk extensions in one body.
    #[must_use]
    pub fn chunk_extension_bytes(mut self, bytes: usize) -> Self {
        self.chunk_extension_bytes = bytes;
        self
    }

    /// Limits the bytes of the trailer section. There is no more than 1 GiB.
    #[must_use]
    pub fn trailer_bytes(mut self, bytes: usize) -> Self {
        self.trailer_bytes = bytes.min(MOST_HEAD_BYTES);
        self
    }

    /// Limits the number of trailer fields.
    #[must_use]
    pub fn trailer_fields(mut self, count: usize) -> Self {
        self.trailer_fields = count;
        self
    }

    /// Limits the number of interim (1xx) responses before the final one.
    #[must_use]
    pub fn interim_responses(mut self, count: u32) -> Self {
        self.interim_responses = count;
        self
    }

    /// Limits how much of a body that nobody wants any more is read to keep its connection: after
    /// [`close`](crate::Response::close), when a response is dropped, and when a redirect is followed. A larger rest, and
    /// one whose end is only the end of the connection, costs the connection. 0 reads nothing.
    #[must_use]
    pub fn drain_bytes(mut self, bytes: u64) -> Self {
        self.drain_bytes = bytes;
        self
    }

    /// Limits how long the rest of a body that nobody wants is waited for to keep its connection.
    ///
    /// Dropping a response waits for nothing: it takes what is there already.
    #[must_use]
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.drain_time = time;
        self
    }
}

/// Positions in a head are kept as `u32`.
const MOST_HEAD_BYTES: usize = 1 << 30;

/// What deviations from the standard are accepted; by default none that could hide a boundary.
///
/// Every default refuses. Turn one on only for a peer that is known to need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    pub(crate) join_folded_lines: bool,
    pub(crate) unknown_coding_to_close: bool,
    pub(crate) refuse_length_with_chunked: bool,
    pub(crate) unclean_tls_close: bool,
}

impl Tolerance {
    /// Joins folded header lines (obsolete line folding) with a space instead of refusing them.
    #[must_use]
    pub fn join_folded_lines(mut self) -> Self {
        self.join_folded_lines = true;
        self
    }

    /// Reads a body with one unknown transfer coding until the connection closes instead of refusing it.
    #[must_use]
    pub fn read_unknown_coding_to_close(mut self) -> Self {
        self.unknown_coding_to_close = true;
        self
    }

    /// Refuses a reply that has both Content-Length and Transfer-Encoding.
    ///
    /// Otherwise the transfer coding governs, Content-Length is dropped, and the connection is not reused.
    #[must_use]
    pub fn refuse_length_with_chunked(mut self) -> Self {
        self.refuse_length_with_chunked = true;
        self
    }

    /// Accepts the end of a TLS connection without a closing alert as the end of a body of unknown length.
    #[must_use]
    pub fn accept_unclean_tls_close(mut self) -> Self {
        self.unclean_tls_close = true;
        self
    }
}
