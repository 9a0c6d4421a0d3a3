mod body;
mod copy;
mod lines;
mod reading;
mod save;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode, Version};
use url::Url;

pub use self::body::ResponseBody;
pub use self::save::SaveOptions;
use crate::error::Error;
use crate::headers::Headers;
use crate::history::Hop;
use crate::incoming::Incoming;
use crate::proto::{BodyLength, Head};

/// A response. Its body may still be on its way.
///
/// [`bytes`](Self::bytes), [`text`](Self::text) and `json` collect the body, up to
/// [`Limits::buffered_bytes`](crate::Limits::buffered_bytes) (256 MiB by default), and may be called any number of times.
/// [`chunk`](Self::chunk), [`iter_content`](Self::iter_content), [`iter_lines`](Self::iter_lines),
/// [`copy_to`](Self::copy_to) and [`save`](Self::save) hand it out as it arrives, once; a collected body can be
/// handed out again and again. [`into_body`](Self::into_body) gives a reader.
///
/// Content codings are undone on the way, unless [`raw_body`](crate::RequestBuilder::raw_body) or
/// [`iter_raw`](Self::iter_raw) says otherwise.
///
/// Dropping a response whose body was not read to its end closes the connection, unless the small rest of it is
/// there already; [`close`](Self::close) waits for a small rest.
pub struct Response(pub(crate) Box<Inner>);

pub(crate) struct Inner {
    pub(crate) head: Head,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) history: Vec<Hop>,
    pub(crate) remote: Option<SocketAddr>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<std::sync::Arc<crate::TlsInfo>>,
    pub(crate) elapsed: Duration,
    /// Whether the call may be repeated when its body is lost.
    pub(crate) idempotent: bool,
    pub(crate) length: BodyLength,
    /// The value of the `Content-Encoding` that is undone.
    pub(crate) coding: Option<Box<str>>,
    pub(crate) body: Incoming,
}

impl Inner {
    /// Says which request failed after its response had begun, and what that means for the call.
    fn about(&self, error: Error) -> Error {
        error
            .with_request(&self.method, &self.url)
            .with_sent(true)
            .with_idempotent(self.idempotent)
    }
}

fn status(head: &Head) -> StatusCode {
    // The parser lets 100 to 999 pass, which is what the type holds.
    StatusCode::from_u16(head.status()).unwrap_or_default()
}

#[bifrons::dual(blocking = crate::blocking::Response)]
impl Response {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        status(&self.0.head)
    }

    /// Returns the status as a number.
    #[must_use]
    pub fn status_code(&self) -> u16 {
        self.0.head.status()
    }

    /// Returns whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status().is_success()
    }

    /// Returns whether the status is 3xx: a redirect that was not followed, or 304.
    #[must_use]
    pub fn is_redirection(&self) -> bool {
        self.status().is_redirection()
    }

    /// Returns whether the status is 4xx.
    #[must_use]
    pub fn is_client_error(&self) -> bool {
        self.status().is_client_error()
    }

    /// Returns whether the status is 5xx.
    #[must_use]
    pub fn is_server_error(&self) -> bool {
        self.status().is_server_error()
    }

    /// Returns the reason that the server gave beside the status, such as `OK`; it may have given none.
    #[must_use]
    pub fn reason(&self) -> Option<Cow<'_, str>> {
        // The status stands at a fixed place.
        let reason = self.0.head.status_line().get("HTTP/1.1 200 ".len()..)?;
        Some(crate::headers::text(reason)).filter(|reason| !reason.is_empty())
    }

    /// Returns the first line as it came, such as `HTTP/1.1 200 OK`; the reason may be missing.
    #[must_use]
    pub fn status_line(&self) -> String {
        String::from_utf8_lossy(self.0.head.status_line()).into_owned()
    }

    /// Returns the protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.head.version()
    }

    /// Returns the header fields. Those about a content coding that was undone are not among them.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.0.head.headers
    }

    /// Returns the URL that answered, after redirects.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Returns the method of the request that was answered, after redirects.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Returns the redirects that led here, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Hop] {
        &self.0.history
    }

    /// Returns the address of the peer, which may be a proxy; a Unix-domain socket has none.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.remote
    }

    /// Returns what was agreed on with the server about TLS; nothing when there is none.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(&self) -> Option<&crate::TlsInfo> {
        self.0.tls.as_deref()
    }

    /// Returns the time from the call to the head of this response, redirects included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Returns the length of the body on the wire, when it was declared.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        match self.0.length {
            BodyLength::Empty => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        }
    }

    /// Returns whether content codings are undone while the body is read.
    #[must_use]
    pub fn is_decoded(&self) -> bool {
        self.0.coding.is_some()
    }

    /// Returns the content codings that are undone while the body is read, such as `gzip`: the `Content-Encoding` that
    /// is not among the [header fields](Self::headers) any more.
    #[must_use]
    pub fn undone_coding(&self) -> Option<&str> {
        self.0.coding.as_deref()
    }

    /// Returns whether the whole body is in memory.
    #[must_use]
    pub fn is_buffered(&self) -> bool {
        self.0.body.is_whole()
    }

    /// Returns whether some of the body is still to come.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.0.body.is_live()
    }

    /// Returns the trailer fields, once a chunked body was read to its end and had some.
    #[must_use]
    pub fn trailers(&self) -> Option<&Headers> {
        self.0.body.trailers()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.0.head.status())
            .field("version", &self.version())
            .field("url", &self.0.url.as_str())
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}
