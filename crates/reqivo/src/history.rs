use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, StatusCode, Version};
use url::Url;

use crate::headers::Headers;
use crate::proto::Head;

/// An answer that redirected the request on its way to the final response. Cloning is cheap.
#[derive(Clone)]
pub struct Hop(Arc<Inner>);

struct Inner {
    head: Head,
    method: Method,
    url: Url,
    remote: Option<SocketAddr>,
    before: Box<[Hop]>,
    cookies: u64,
}

impl Hop {
    /// Makes the next element of a history.
    pub(crate) fn new(
        head: Head,
        method: Method,
        url: Url,
        remote: Option<SocketAddr>,
        before: &[Self],
        cookies: u64,
    ) -> Self {
        Self(Arc::new(Inner {
            head,
            method,
            url,
            remote,
            before: before.into(),
            cookies,
        }))
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        // The parser lets 100 to 999 pass, which is what the type holds.
        StatusCode::from_u16(self.0.head.status()).unwrap_or_default()
    }

    /// Returns the header fields.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        self.0.head.headers()
    }

    /// Returns the URL that was asked for.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Returns the method of the request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Returns the protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.head.version()
    }

    /// Returns the address of the server; a Unix-domain socket has none.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.remote
    }

    /// Returns the redirects that led here, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Self] {
        &self.0.before
    }

    /// A mark of the cookies that were sent.
    pub(crate) fn cookies(&self) -> u64 {
        self.0.cookies
    }
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("status", &self.0.head.status())
            .field("method", &self.0.method)
            .field("url", &self.0.url.as_str())
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}
