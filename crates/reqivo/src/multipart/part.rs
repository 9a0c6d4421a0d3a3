use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;

use crate::error::Error;
use crate::headers::Headers;
use crate::proto::encode;
use crate::request_body::Body;

/// One part of a [`Form`](super::Form).
///
/// A mistake in one step is reported when the request is sent, before any IO.
pub struct Part {
    body: Body,
    file_name: Option<String>,
    headers: Headers,
    error: Option<Error>,
}

impl Part {
    /// Creates a part with any body. Declare the length of a stream with [`Body::with_length`] if it is known.
    #[must_use]
    pub fn new(body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            file_name: None,
            headers: Headers::new(),
            error: None,
        }
    }

    /// Creates a part of text.
    #[must_use]
    pub fn text(value: impl Into<String>) -> Self {
        Self::new(value.into())
    }

    /// Creates a part of bytes.
    #[must_use]
    pub fn bytes(value: impl Into<Bytes>) -> Self {
        Self::new(value.into())
    }

    /// Creates a part from a reader, which may block; see [`Body::reader`].
    #[must_use]
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::new(Body::reader(reader))
    }

    /// Creates a part from the file at this path, with its name; see [`Body::file`].
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let mut part = Self::new(Body::file(path));
        part.file_name = name;
        part
    }

    /// Sets the file name that the server is told.
    ///
    /// A part with a file name has the content type that the extension stands for, or `application/octet-stream`,
    /// unless another one is set.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Sets the content type.
    #[must_use]
    pub fn content_type(self, value: &str) -> Self {
        self.header("Content-Type", value)
    }

    /// Sets a header field of the part. `Content-Disposition` is made from the names and cannot be set.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let set = match name.eq_ignore_ascii_case("content-disposition") {
            true => Err(Error::builder(
                "content-disposition of a part cannot be set",
            )),
            false => self.headers.insert(name, value),
        };
        if let Err(error) = set {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Writes the fields before the content, and returns the content.
    pub(super) fn write_head(self, name: &str, out: &mut Vec<u8>) -> Result<Body, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        out.extend_from_slice(b"Content-Disposition: form-data; name=\"");
        escape(name, out);
        out.push(b'"');
        if let Some(file_name) = &self.file_name {
            out.extend_from_slice(b"; filename=\"");
            escape(file_name, out);
            out.push(b'"');
        }
        out.extend_from_slice(b"\r\n");
        if let Some(file_name) = &self.file_name
            && !self.headers.contains("content-type")
        {
            let guess = mime_guess::from_path(file_name).first_raw();
            let content_type = guess.unwrap_or("application/octet-stream");
            encode::field(out, "Content-Type", content_type.as_bytes());
        }
        for (name, value) in self.headers.iter_bytes() {
            encode::field(out, name, value);
        }
        out.extend_from_slice(b"\r\n");
        self.body.checked()
    }
}

/// Writes a name so that it cannot end its quotes or its line (WHATWG HTML, multipart/form-data encoding algorithm).
fn escape(name: &str, out: &mut Vec<u8>) {
    for byte in name.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"%22"),
            b'\r' => out.extend_from_slice(b"%0D"),
            b'\n' => out.extend_from_slice(b"%0A"),
            byte => out.push(byte),
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("body", &self.body)
            .field("file_name", &self.file_name)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
