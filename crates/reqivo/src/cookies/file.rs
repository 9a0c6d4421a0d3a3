use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Cookie, CookieJar, parse};
use crate::error::Error;

/// A file that cookies are saved in and loaded from, in one of two formats.
///
/// Only cookies with an end of their own are saved, unless [`with_session_cookies`](Self::with_session_cookies) says
/// otherwise; those that have expired are neither saved nor loaded. Files are read and written on the calling thread.
///
/// ```no_run
/// use reqivo::{CookieFile, CookieJar};
///
/// let file = CookieFile::netscape("cookies.txt");
/// let jar = CookieJar::new();
/// file.load(&jar)?;
/// let session = reqivo::Session::builder().cookie_jar(jar.clone()).build()?;
/// // ...
/// file.save(&jar)?;
/// # Ok::<(), reqivo::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CookieFile {
    path: PathBuf,
    format: Format,
    session_cookies: bool,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Netscape,
    #[cfg(feature = "json")]
    JsonLines,
}

impl CookieFile {
    /// A file in the format of Netscape's `cookies.txt`, as curl, wget and many other programs use it.
    ///
    /// The format has no place for `SameSite`, the time of creation, and names with a tab in them; a cookie with such a
    /// name is not saved.
    pub fn netscape(path: impl Into<PathBuf>) -> Self {
        Self::new(path.into(), Format::Netscape)
    }

    /// A file with one cookie in each line, as a JSON object, which keeps everything.
    #[cfg(feature = "json")]
    pub fn json_lines(path: impl Into<PathBuf>) -> Self {
        Self::new(path.into(), Format::JsonLines)
    }

    /// Saves cookies of the session too: those that have no end of their own.
    #[must_use]
    pub fn with_session_cookies(mut self) -> Self {
        self.session_cookies = true;
        self
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the cookies of a jar in place of what the file held, and returns how many they are.
    ///
    /// The file is replaced as a whole or not at all. On Unix only its owner can read it.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, jar: &CookieJar) -> Result<usize, Error> {
        let cookies = jar
            .iter()
            .filter(|cookie| self.session_cookies || cookie.expires.is_some());
        let mut text = Vec::new();
        let mut count = 0;
        match self.format {
            Format::Netscape => {
                text.extend_from_slice(b"# Netscape HTTP Cookie File\n");
                for cookie in cookies.filter(|cookie| !cookie.name.contains(&b'\t')) {
                    write_netscape(&mut text, &cookie);
                    count += 1;
                }
            }
            #[cfg(feature = "json")]
            Format::JsonLines => {
                for cookie in cookies {
                    json::write(&mut text, &cookie);
                    count += 1;
                }
            }
        }
        let parent = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let replace = || {
            let mut file = tempfile::NamedTempFile::new_in(parent)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        match replace() {
            Ok(()) => Ok(count),
            Err(error) => Err(Error::file("cookies cannot be saved", error)),
        }
    }

    /// Adds the cookies of the file to a jar, and returns how many were added. Those for a public suffix, and those
    /// which are not what the prefix of their name promises, are passed over.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or one of its lines is malformed; the jar is unchanged then. A file that does
    /// not exist is an error too.
    pub fn load(&self, jar: &CookieJar) -> Result<usize, Error> {
        let text = std::fs::read(&self.path)
            .map_err(|error| Error::file("cookies cannot be loaded", error))?;
        let mut cookies = Vec::new();
        for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let read = match self.format {
                Format::Netscape => read_netscape(line),
                #[cfg(feature = "json")]
                Format::JsonLines => json::read(line),
            };
            match read {
                Line::Cookie(cookie) => cookies.push(*cookie),
                Line::Empty => {}
                Line::Malformed => {
                    let place = std::io::Error::new(
                        std::io::ErrorKind::InvalidData,
                        format!("line {} is not a cookie", at + 1),
                    );
                    return Err(Error::file("cookies cannot be loaded", place));
                }
            }
        }
        if !self.session_cookies {
            cookies.retain(|cookie| cookie.expires.is_some());
        }
        cookies.sort_by_key(|cookie| cookie.created);
        Ok(jar.restore(cookies))
    }

    fn new(path: PathBuf, format: Format) -> Self {
        Self {
            path,
            format,
            session_cookies: false,
        }
    }
}

/// What a line of a file is.
enum Line {
    Cookie(Box<Cookie>),
    /// Nothing, or a comment.
    Empty,
    Malformed,
}

fn write_netscape(text: &mut Vec<u8>, cookie: &Cookie) {
    let flag = |yes| if yes { "TRUE" } else { "FALSE" };
    if cookie.http_only {
        text.extend_from_slice(HTTP_ONLY);
    }
    if !cookie.host_only {
        text.push(b'.');
    }
    for part in [
        &*cookie.domain,
        flag(!cookie.host_only),
        &*cookie.path,
        flag(cookie.secure),
        &cookie.expires.unwrap_or_default().to_string(),
    ] {
        text.extend_from_slice(part.as_bytes());
        text.push(b'\t');
    }
    text.extend_from_slice(&cookie.name);
    text.push(b'\t');
    text.extend_from_slice(&cookie.value);
    text.push(b'\n');
}

fn read_netscape(line: &[u8]) -> Line {
    let (line, http_only) = match line.strip_prefix(HTTP_ONLY) {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    if line.trim_ascii().is_empty() || line.starts_with(b"#") {
        return Line::Empty;
    }
    checked(netscape_cookie(line, http_only))
}

fn netscape_cookie(line: &[u8], http_only: bool) -> Option<Cookie> {
    let mut parts = line.splitn(7, |&byte| byte == b'\t');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let flag = |text: &str| match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    let (domain, wide, path, secure) = (text()?, flag(text()?)?, text()?, flag(text()?)?);
    let expires: i64 = text()?.parse().ok()?;
    Some(Cookie {
        name: parts.next()?.into(),
        // An editor may have removed the tab before an empty value.
        value: parts.next().unwrap_or_default().into(),
        domain: domain.strip_prefix('.').unwrap_or(domain).into(),
        host_only: !wide,
        path: path.into(),
        secure,
        http_only,
        same_site: None,
        expires: Some(expires).filter(|&expires| expires != 0),
        created: SystemTime::now(),
    })
}

/// A cookie that could also have come from a server.
fn checked(cookie: Option<Cookie>) -> Line {
    match cookie {
        Some(mut cookie)
            if parse::check_content(&cookie.name, &cookie.value).is_ok()
                && !cookie.name.contains(&b';')
                && !cookie.value.contains(&b';')
                && !cookie.domain.is_empty()
                && cookie.path.starts_with('/') =>
        {
            cookie.domain = cookie.domain.to_ascii_lowercase().into();
            Line::Cookie(Box::new(cookie))
        }
        _ => Line::Malformed,
    }
}

#[cfg(feature = "json")]
mod json {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use serde::{Deserialize, Serialize};

    use super::{Cookie, Line, checked};
    use crate::cookies::SameSite;

    #[derive(Serialize, Deserialize)]
    struct Record {
        name: Text,
        value: Text,
        domain: String,
        host_only: bool,
        path: String,
        secure: bool,
        http_only: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        same_site: Option<String>,
        /// Seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<i64>,
        /// Microseconds since 1970.
        created: u64,
    }

    /// Text, or the numbers of its bytes where they are not UTF-8.
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Text {
        Text(String),
        Bytes(Vec<u8>),
    }

    impl Text {
        fn new(bytes: &[u8]) -> Self {
            match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Bytes(bytes.to_vec()),
            }
        }

        fn into_bytes(self) -> Box<[u8]> {
            match self {
                Self::Text(text) => text.into_bytes().into(),
                Self::Bytes(bytes) => bytes.into(),
            }
        }
    }

    pub(super) fn write(text: &mut Vec<u8>, cookie: &Cookie) {
        let created = cookie.created.duration_since(UNIX_EPOCH);
        let record = Record {
            name: Text::new(&cookie.name),
            value: Text::new(&cookie.value),
            domain: cookie.domain.clone().into(),
            host_only: cookie.host_only,
            path: cookie.path.clone().into(),
            secure: cookie.secure,
            http_only: cookie.http_only,
            same_site: cookie.same_site.map(|it| it.as_str().to_owned()),
            expires: cookie.expires,
            created: created
                .ok()
                .and_then(|since| since.as_micros().try_into().ok())
                .unwrap_or_default(),
        };
        // Writing text and numbers to memory does not fail.
        drop(serde_json::to_writer(&mut *text, &record));
        text.push(b'\n');
    }

    pub(super) fn read(line: &[u8]) -> Line {
        if line.trim_ascii().is_empty() {
            return Line::Empty;
        }
        let Ok(record) = serde_json::from_slice::<Record>(line) else {
            return Line::Malformed;
        };
        let same_site = record.same_site.as_deref().map(str::as_bytes);
        checked(Some(Cookie {
            name: record.name.into_bytes(),
            value: record.value.into_bytes(),
            domain: record.domain.into(),
            host_only: record.host_only,
            path: record.path.into(),
            secure: record.secure,
            http_only: record.http_only,
            same_site: same_site.and_then(SameSite::parse),
            expires: record.expires,
            created: UNIX_EPOCH
                .checked_add(Duration::from_micros(record.created))
                .unwrap_or_else(SystemTime::now),
        }))
    }
}

const HTTP_ONLY: &[u8] = b"#HttpOnly_";
