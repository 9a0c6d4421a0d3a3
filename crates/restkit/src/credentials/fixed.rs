//! Credentials that never change.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::BoxFuture;
use crate::client::AuthContext;
use crate::credentials::{Credentials, Ticket};
use crate::error::Error;
use crate::masking::MASK;

/// User name and password (RFC 7617), or a prepared token, as `Authorization: Basic`.
#[derive(Clone)]
pub struct Basic {
    header: HeaderValue,
}

impl Basic {
    /// Makes credentials from a user name and a password.
    ///
    /// # Errors
    /// A configuration error if the user name holds a colon or a control character.
    pub fn new(user: &str, password: impl Into<SecretString>) -> Result<Self, Error> {
        let password = password.into();
        if user.contains(':') {
            return Err(Error::configuration("the user name holds a colon"));
        }
        if user
            .chars()
            .chain(password.expose_secret().chars())
            .any(char::is_control)
        {
            return Err(Error::configuration(
                "the user name or password holds a control character",
            ));
        }
        let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
        Self::from_token(STANDARD.encode(pair.expose_secret()))
    }

    /// Makes credentials from a token that is already encoded, as some services hand it out.
    ///
    /// # Errors
    /// A configuration error if the token cannot stand in a header.
    pub fn from_token(token: impl Into<SecretString>) -> Result<Self, Error> {
        let header = secret_header("Basic ", &token.into())?;
        Ok(Self { header })
    }
}

/// A fixed token as `Authorization: Bearer` (RFC 6750).
#[derive(Clone)]
pub struct Bearer {
    header: HeaderValue,
}

impl Bearer {
    /// Makes credentials from a token.
    ///
    /// # Errors
    /// A configuration error if the token cannot stand in a header.
    pub fn new(token: impl Into<SecretString>) -> Result<Self, Error> {
        let header = secret_header("Bearer ", &token.into())?;
        Ok(Self { header })
    }
}

/// Headers that prove the caller's identity, such as an API key.
#[derive(Clone, Default)]
pub struct StaticHeaders {
    headers: HeaderMap,
}

impl StaticHeaders {
    /// Makes credentials without any header.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header.
    ///
    /// # Errors
    /// A configuration error if name or value cannot stand in a header; the value is not shown.
    pub fn header(mut self, name: &str, value: impl Into<SecretString>) -> Result<Self, Error> {
        let header_name: HeaderName = name
            .parse()
            .map_err(|_| Error::configuration(format!("`{name}` is not a valid header name")))?;
        self.headers
            .insert(header_name, secret_header("", &value.into())?);
        Ok(self)
    }
}

impl Credentials for Basic {
    fn authorize<'a>(
        &'a self,
        request: &'a mut http::Request<Bytes>,
        _context: &'a AuthContext,
    ) -> BoxFuture<'a, Result<Ticket, Error>> {
        put(request, AUTHORIZATION, &self.header)
    }

    fn preview(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic ********"));
    }
}

impl Credentials for Bearer {
    fn authorize<'a>(
        &'a self,
        request: &'a mut http::Request<Bytes>,
        _context: &'a AuthContext,
    ) -> BoxFuture<'a, Result<Ticket, Error>> {
        put(request, AUTHORIZATION, &self.header)
    }

    fn preview(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer ********"));
    }
}

impl Credentials for StaticHeaders {
    fn authorize<'a>(
        &'a self,
        request: &'a mut http::Request<Bytes>,
        _context: &'a AuthContext,
    ) -> BoxFuture<'a, Result<Ticket, Error>> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        Box::pin(std::future::ready(Ok(Ticket::default())))
    }

    fn preview(&self, headers: &mut HeaderMap) {
        for name in self.headers.keys() {
            headers.insert(name.clone(), HeaderValue::from_static(MASK));
        }
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Basic(********)")
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(********)")
    }
}

impl fmt::Debug for StaticHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.headers.keys().map(|name| (name, MASK)))
            .finish()
    }
}

fn put<'a>(
    request: &mut http::Request<Bytes>,
    name: HeaderName,
    value: &HeaderValue,
) -> BoxFuture<'a, Result<Ticket, Error>> {
    request.headers_mut().insert(name, value.clone());
    Box::pin(std::future::ready(Ok(Ticket::default())))
}

/// Makes a header value that is never printed; an error does not show it either.
pub(super) fn secret_header(prefix: &str, secret: &SecretString) -> Result<HeaderValue, Error> {
    let text = SecretString::from(format!("{prefix}{}", secret.expose_secret()));
    let mut value = HeaderValue::from_str(text.expose_secret())
        .map_err(|_| Error::configuration("a secret cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}
