use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::Method;
use url::Url;

use crate::error::Error;
use crate::headers::Headers;
use crate::middleware::HopRequest;

/// A request as a mock or recorder saw it: with every field but `Host` and those that frame the body.
#[derive(Clone)]
pub struct MockRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl MockRequest {
    /// Copies a request. Its body is read into memory, and stays with the request.
    pub(super) async fn of(request: &mut HopRequest) -> Result<Self, Error> {
        let body = request.read_body().await?;
        Ok(Self {
            method: request.method().clone(),
            url: request.url().clone(),
            headers: request.headers().clone(),
            body,
        })
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the header fields.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the value of a header field as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name)
    }

    /// Returns the body; empty when there was none.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Returns the body, read as JSON.
    ///
    /// # Errors
    ///
    /// When it is not JSON of this shape.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        crate::json::parse(&self.body)
    }
}

impl fmt::Debug for MockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockRequest")
            .field("method", &self.method)
            .field("url", &crate::error::without_secrets(&self.url).as_str())
            .field("headers", &self.headers)
            .field("body", &self.text())
            .finish()
    }
}
