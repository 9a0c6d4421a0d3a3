//! What would be sent, for people.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use url::Url;

use crate::masking;

/// A request as it would be sent, with secrets masked. `Display` writes it like an HTTP message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DryRun {
    /// The method.
    pub method: String,
    /// The complete URL, secret query values masked.
    pub url: String,
    /// The headers in order, secrets masked.
    pub headers: Vec<(String, String)>,
    /// The body as text, secrets masked; `None` if there is none, its length if it is not text.
    pub body: Option<String>,
}

impl DryRun {
    pub(super) fn new(request: &http::Request<Bytes>, url: &Url) -> Self {
        let body = request.body();
        let body = match std::str::from_utf8(body) {
            Ok("") => None,
            Ok(text) => Some(masking::masked(text).into_owned()),
            Err(_) => Some(format!("({} bytes)", body.len())),
        };
        Self {
            method: request.method().to_string(),
            url: masking::url(url),
            headers: masking::headers(request.headers()),
            body,
        }
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        for (name, value) in &self.headers {
            write!(f, "\n{name}: {value}")?;
        }
        if let Some(body) = &self.body {
            write!(f, "\n\n{body}")?;
        }
        Ok(())
    }
}
