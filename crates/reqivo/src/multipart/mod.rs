//! Bodies of several parts, as `multipart/form-data` (RFC 7578).
//!
//! A [`Form`] is a list of named [`Part`]s. Each part has a body of any kind: text, bytes, a file, a reader, a stream.
//! The form is sent with its length when the length of every part is known, and in chunks otherwise; parts are never
//! copied together. It can be sent again when all its parts can.
//!
//! ```
//! # fn example(session: reqivo::Session) {
//! use reqivo::multipart::{Form, Part};
//!
//! let form = Form::new()
//!     .text("title", "holiday")
//!     .file("photo", "beach.jpg")
//!     .part("note", Part::bytes("<p>sunny</p>").file_name("note.html"));
//! let request = session.post("https://example.com/upload").multipart(form);
//! # }
//! ```

mod boundary;
mod part;

use std::fmt;

use bytes::Bytes;

pub use self::part::Part;
use crate::error::Error;
use crate::request_body::Body;

/// Named parts, in order; see the [module](self).
///
/// A mistake in one step is reported when the request is sent, before any IO.
pub struct Form {
    boundary: String,
    parts: Vec<(String, Part)>,
    error: Option<Error>,
}

impl Form {
    /// Creates a form without parts, with a random boundary.
    #[must_use]
    pub fn new() -> Self {
        Self {
            boundary: boundary::random(),
            parts: Vec::new(),
            error: None,
        }
    }

    /// Adds a field of text.
    #[must_use]
    pub fn text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.part(name, Part::text(value))
    }

    /// Adds the file at a path, under its own name; see [`Part::file`].
    #[must_use]
    pub fn file(self, name: impl Into<String>, path: impl Into<std::path::PathBuf>) -> Self {
        self.part(name, Part::file(path))
    }

    /// Adds a part. Names may repeat.
    #[must_use]
    pub fn part(mut self, name: impl Into<String>, part: Part) -> Self {
        self.parts.push((name.into(), part));
        self
    }

    /// Sets the line between the parts, which must not occur in any of them. The default is random.
    ///
    /// It has 1 to 70 letters, digits and characters of `'()+_,-./:=?` (RFC 2046 5.1.1).
    #[must_use]
    pub fn with_boundary(mut self, boundary: impl Into<String>) -> Self {
        self.boundary = boundary.into();
        self.error = (!boundary::is_valid(&self.boundary)).then(|| {
            Error::builder("the boundary is empty, too long or not of boundary characters")
        });
        self
    }

    /// Returns the line between the parts, without its dashes.
    #[must_use]
    pub fn boundary(&self) -> &str {
        &self.boundary
    }

    /// Returns the `Content-Type` that a request with this form needs.
    #[must_use]
    pub fn content_type(&self) -> String {
        match self
            .boundary
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            true => format!("multipart/form-data; boundary={}", self.boundary),
            false => format!("multipart/form-data; boundary=\"{}\"", self.boundary),
        }
    }

    fn into_body(self) -> Result<Body, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut bodies = Vec::with_capacity(self.parts.len() * 2 + 1);
        let mut text = Vec::new();
        for (name, part) in self.parts {
            text.extend_from_slice(b"--");
            text.extend_from_slice(self.boundary.as_bytes());
            text.extend_from_slice(b"\r\n");
            let body = part.write_head(&name, &mut text)?;
            match body.whole() {
                // Small parts go together.
                Some(bytes) if bytes.len() <= COPIED_PART => text.extend_from_slice(bytes),
                _ => {
                    bodies.push(Body::from(std::mem::take(&mut text)));
                    bodies.push(body);
                }
            }
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"--");
        text.extend_from_slice(self.boundary.as_bytes());
        text.extend_from_slice(b"--\r\n");
        let last = Body::from(Bytes::from(text));
        if bodies.is_empty() {
            return Ok(last);
        }
        bodies.push(last);
        Ok(Body::chain(bodies))
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::new()
    }
}

/// The parts with the lines between them. A request with it needs the [`content_type`](Form::content_type).
impl From<Form> for Body {
    fn from(form: Form) -> Self {
        form.into_body().unwrap_or_else(Self::invalid)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.parts.iter().map(|(name, _)| name);
        f.debug_struct("Form")
            .field("parts", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Parts up to this size are copied.
const COPIED_PART: usize = 8 * 1024;
