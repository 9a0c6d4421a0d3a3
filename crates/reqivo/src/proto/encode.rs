//! Request heads, checked before the first byte leaves.

use std::fmt;

use crate::headers::Headers;

/// What is wrong with a request that therefore is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The name of a header field is empty or not a token.
    HeaderName,
    /// The value of a header field holds a control character.
    HeaderValue,
    /// The request target holds a space, a control character or a byte above ASCII.
    Target,
    /// Content-Length is given by the caller and differs from the length of the body.
    ContradictingLength,
    /// Content-Length or Host is given more than once.
    Repeated,
    /// Transfer-Encoding is given by the caller; the library decides the framing.
    TransferEncoding,
    /// The field frames, routes or authenticates the message or describes its content, so it cannot be a trailer.
    Trailer,
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderName => "header name is empty or not a token",
            Self::HeaderValue => "header value holds a control character",
            Self::Target => "request target holds a character that must be percent-encoded",
            Self::ContradictingLength => "content-length contradicts the body",
            Self::Repeated => "content-length or host is given more than once",
            Self::TransferEncoding => "transfer-encoding is decided by the library",
            Self::Trailer => "field cannot be sent as a trailer",
        })
    }
}

impl std::error::Error for InvalidRequest {}

/// Checks that a header name is a token (RFC 9110 5.6.2).
///
/// # Errors
///
/// When it is empty or holds another character.
pub fn check_name(name: &str) -> Result<&str, InvalidRequest> {
    match !name.is_empty() && name.bytes().all(is_token) {
        true => Ok(name),
        false => Err(InvalidRequest::HeaderName),
    }
}

/// Checks a header value and returns it without leading and trailing spaces and tabs.
///
/// # Errors
///
/// When it holds CR, LF, NUL or another control character; tabs and bytes above ASCII may pass.
pub fn check_value(value: &[u8]) -> Result<&[u8], InvalidRequest> {
    match value.iter().all(|&byte| super::head::is_text(byte)) {
        true => Ok(super::framing::trim(value)),
        false => Err(InvalidRequest::HeaderValue),
    }
}

/// Checks that a request target holds visible ASCII only.
///
/// # Errors
///
/// When it holds anything else.
pub fn check_target(path: &str, query: Option<&str>) -> Result<(), InvalidRequest> {
    let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    match visible(path) && query.is_none_or(visible) {
        true => Ok(()),
        false => Err(InvalidRequest::Target),
    }
}

/// Writes the request line: method, target, `HTTP/1.1`.
///
/// An empty target becomes `/`.
///
/// # Errors
///
/// When the target holds anything but visible ASCII.
pub fn request_line(
    out: &mut Vec<u8>,
    method: &http::Method,
    path: &str,
    query: Option<&str>,
) -> Result<(), InvalidRequest> {
    target_line(out, method, "", path, query)
}

/// Writes the request line for a proxy that reads the request: the target is a whole URL, of which `origin` is
/// the part before the path, such as `http://example.com:8080`.
///
/// # Errors
///
/// When the target holds anything but visible ASCII.
pub fn proxied_line(
    out: &mut Vec<u8>,
    method: &http::Method,
    origin: &str,
    path: &str,
    query: Option<&str>,
) -> Result<(), InvalidRequest> {
    check_target(origin, None)?;
    target_line(out, method, origin, path, query)
}

fn target_line(
    out: &mut Vec<u8>,
    method: &http::Method,
    origin: &str,
    path: &str,
    query: Option<&str>,
) -> Result<(), InvalidRequest> {
    check_target(path, query)?;
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(origin.as_bytes());
    if !path.starts_with('/') && path != "*" {
        out.push(b'/');
    }
    out.extend_from_slice(path.as_bytes());
    if let Some(query) = query {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    Ok(())
}

/// Writes one field line. The name and value must have been checked.
pub fn field(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: &[u8]) {
    out.extend_from_slice(name.as_ref());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes one chunk of a chunked body; writes nothing for empty data, which would end the body.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    chunk_size(out, data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Writes the line before the data of a chunk, which a line end follows. The length must not be 0.
pub fn chunk_size(out: &mut Vec<u8>, length: usize) {
    let mut size = [0_u8; 16];
    let mut at = size.len();
    let mut left = length;
    while left > 0 {
        at -= 1;
        size[at] = b"0123456789abcdef"[left & 15];
        left >>= 4;
    }
    out.extend_from_slice(&size[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Writes the end of a chunked body without trailers.
pub fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// Writes the end of a chunked body with these trailer fields, whose names and values must have been checked.
pub fn last_chunk_with<'a>(
    out: &mut Vec<u8>,
    trailers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Writes a whole request head: the request line, the fields, and the blank line.
///
/// The caller says everything that is to be said: `Host`, and the field that frames the body.
///
/// # Errors
///
/// When the target holds anything but visible ASCII.
pub fn head(
    out: &mut Vec<u8>,
    method: &http::Method,
    path: &str,
    query: Option<&str>,
    headers: &Headers,
) -> Result<(), InvalidRequest> {
    request_line(out, method, path, query)?;
    for (name, value) in headers.iter_bytes() {
        field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Returns a whole request with its body. `Content-Length` is added to the fields when there is a body.
///
/// ```
/// use reqivo::Headers;
/// use reqivo::proto::encode;
///
/// let mut headers = Headers::new();
/// headers.append("Host", "example.com").unwrap();
/// let bytes = encode::request(&http::Method::POST, "/a", None, &headers, b"body")?;
/// assert_eq!(bytes, b"POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 4\r\n\r\nbody");
///
/// // A body in pieces goes behind a head that announces chunks.
/// let mut streamed = Vec::new();
/// headers.append("Transfer-Encoding", "chunked").unwrap();
/// encode::head(&mut streamed, &http::Method::POST, "/a", None, &headers)?;
/// for piece in ["one", "", "two"] {
///     encode::chunk(&mut streamed, piece.as_bytes());
/// }
/// encode::last_chunk(&mut streamed);
/// assert!(streamed.ends_with(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
/// # Ok::<(), encode::InvalidRequest>(())
/// ```
///
/// # Errors
///
/// When the target holds anything but visible ASCII, or the fields frame the body already.
pub fn request(
    method: &http::Method,
    path: &str,
    query: Option<&str>,
    headers: &Headers,
    body: &[u8],
) -> Result<Vec<u8>, InvalidRequest> {
    if headers.contains("content-length") {
        return Err(InvalidRequest::Repeated);
    }
    if headers.contains("transfer-encoding") {
        return Err(InvalidRequest::TransferEncoding);
    }
    let mut out = Vec::with_capacity(body.len() + 256);
    head(&mut out, method, path, query, headers)?;
    if !body.is_empty() {
        out.truncate(out.len() - 2);
        let mut digits = itoa::Buffer::new();
        field(
            &mut out,
            "Content-Length",
            digits.format(body.len()).as_bytes(),
        );
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_lower_case_sizes_and_empty_ones_are_left_out() {
        let mut out = Vec::new();
        chunk(&mut out, &[b'x'; 0xab]);
        chunk(&mut out, b"");
        last_chunk(&mut out);
        assert!(out.starts_with(b"ab\r\nxx"));
        assert!(out.ends_with(b"xx\r\n0\r\n\r\n"));
        assert_eq!(out.len(), 4 + 0xab + 2 + 5);
    }

    #[test]
    fn request_line_keeps_the_method_case_and_refuses_raw_spaces() {
        let mut out = Vec::new();
        let method = http::Method::from_bytes(b"pUrGe").unwrap();
        request_line(&mut out, &method, "", Some("a=1")).unwrap();
        assert_eq!(out, b"pUrGe /?a=1 HTTP/1.1\r\n");
        for path in ["/a b", "/\u{e4}", "/a\r\nb", "/\0"] {
            assert_eq!(
                request_line(&mut out, &method, path, None),
                Err(InvalidRequest::Target),
                "{path:?}"
            );
        }
    }
}
