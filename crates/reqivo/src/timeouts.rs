use std::time::Duration;

use crate::error::Error;

/// Time limits of a request, each on its own.
///
/// A plain [`Duration`] converts into the same limit for connect, read and total.
///
/// | limit | bounds | default |
/// |---|---|---|
/// | [`pool`](Self::pool) | waiting for a free connection of the pool | none |
/// | [`connect`](Self::connect) | name lookup, TCP and TLS together | 5 s |
/// | [`tls`](Self::tls) | the TLS handshake | none |
/// | [`write`](Self::write) | each wait until more of the request can be sent | none |
/// | [`first_byte`](Self::first_byte) | from the sent request to the first byte of the reply | none |
/// | [`read`](Self::read) | each wait for more of the reply | 5 s |
/// | [`total`](Self::total) | everything, redirects and the body included | 5 s |
///
/// The total limit also covers a body that is streamed; lift it there with
/// [`total_until_head`](Self::total_until_head) or choose only a [`read`](Self::read) limit.
///
/// ```
/// use std::time::Duration;
/// use reqivo::Timeouts;
///
/// let download = Timeouts::none()
///     .connect(Duration::from_secs(3))
///     .read(Duration::from_secs(30));
/// assert_ne!(download, Timeouts::from(Duration::from_secs(3)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub(crate) pool: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    pub(crate) write: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) read: Option<Duration>,
    pub(crate) total: Option<Duration>,
    pub(crate) total_until_head: bool,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::from(Duration::from_secs(5))
    }
}

impl From<Duration> for Timeouts {
    fn from(limit: Duration) -> Self {
        Self::none().connect(limit).read(limit).total(limit)
    }
}

impl Timeouts {
    /// No limits at all.
    #[must_use]
    pub fn none() -> Self {
        Self {
            pool: None,
            connect: None,
            tls: None,
            write: None,
            first_byte: None,
            read: None,
            total: None,
            total_until_head: false,
        }
    }

    /// Limits the wait for a free connection of the pool.
    #[must_use]
    pub fn pool(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.pool = limit.into();
        self
    }

    /// Limits name lookup, TCP, the way through a proxy and TLS together.
    #[must_use]
    pub fn connect(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.connect = limit.into();
        self
    }

    /// Limits the TLS handshake.
    #[must_use]
    pub fn tls(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.tls = limit.into();
        self
    }

    /// Limits each wait until the connection takes more of the request. What a streamed body itself waits for is
    /// bounded by the total limit only.
    #[must_use]
    pub fn write(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.write = limit.into();
        self
    }

    /// Limits the wait for the first byte of the reply; without it the read limit applies there.
    #[must_use]
    pub fn first_byte(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.first_byte = limit.into();
        self
    }

    /// Limits each wait for more of the reply.
    #[must_use]
    pub fn read(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.read = limit.into();
        self
    }

    /// Limits the whole call: every phase, redirects, repeats and the body.
    #[must_use]
    pub fn total(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.total = limit.into();
        self
    }

    /// Ends the total limit with the head of the final response, so that a streamed body may take any time.
    #[must_use]
    pub fn total_until_head(mut self) -> Self {
        self.total_until_head = true;
        self
    }

    /// A limit of zero could only fail.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let limits = [
            self.pool,
            self.connect,
            self.tls,
            self.write,
            self.first_byte,
            self.read,
            self.total,
        ];
        match limits.contains(&Some(Duration::ZERO)) {
            true => Err(Error::builder("a timeout of zero")),
            false => Ok(()),
        }
    }
}
