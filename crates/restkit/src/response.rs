//! A complete response.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;

use crate::decode;
use crate::error::{Error, ErrorKind};
use crate::masking;

/// A successful response with its whole body.
///
/// A client only hands out responses with a 2xx status (and 304 to a conditional request); any other
/// status is an [`Error`].
#[derive(Clone)]
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) operation: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
}

impl Response {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns a header's value if it is there and readable text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Takes the body.
    #[must_use]
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// Returns the URL that answered, without user info and with secret query values masked.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns how often the request was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the time from the start of the call to the end of the body.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the body as text.
    ///
    /// # Errors
    /// A decode error if the body is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|source| {
            self.context(
                Error::new(ErrorKind::Decode)
                    .with_body(&self.body)
                    .with_source(source),
            )
        })
    }

    /// Decodes the body as JSON.
    ///
    /// # Errors
    /// A decode error that names the JSON path of the faulty member and keeps a short snippet of
    /// the body. An empty body is an error too; use [`json_opt`](Self::json_opt) where it is normal.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        decode::from_slice(&self.body).map_err(|fault| self.context(fault.into_error(&self.body)))
    }

    /// Decodes the body as JSON; an empty body gives `None`.
    ///
    /// # Errors
    /// A decode error that names the JSON path of the faulty member.
    pub fn json_opt<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        self.json().map(Some)
    }

    /// Adds to an error which call it belongs to.
    pub(crate) fn context(&self, error: Error) -> Error {
        error
            .with_request(&self.method, &self.url, self.operation.as_deref())
            .with_status(self.status)
            .with_effort(self.attempts, self.elapsed)
    }
}

/// Shows the response with secrets masked and the body as its length.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status.as_u16())
            .field("url", &self.url)
            .field("headers", &masking::headers(&self.headers))
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("attempts", &self.attempts)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}
