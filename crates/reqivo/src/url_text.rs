use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, RwLock};

use url::Url;

use crate::error::Error;

/// What can name the address of a request: text, or a [`Url`].
pub trait IntoUrl: sealed::Sealed {
    /// Resolves the address, against the base if it is relative.
    #[doc(hidden)]
    fn into_url(self, resolver: &Resolver) -> Result<Url, Error>;
}

impl IntoUrl for &str {
    fn into_url(self, resolver: &Resolver) -> Result<Url, Error> {
        resolver.resolve(self)
    }
}

impl IntoUrl for String {
    fn into_url(self, resolver: &Resolver) -> Result<Url, Error> {
        resolver.resolve(&self)
    }
}

impl IntoUrl for &String {
    fn into_url(self, resolver: &Resolver) -> Result<Url, Error> {
        resolver.resolve(self)
    }
}

impl IntoUrl for Url {
    fn into_url(self, _: &Resolver) -> Result<Url, Error> {
        Ok(self)
    }
}

impl IntoUrl for &Url {
    fn into_url(self, _: &Resolver) -> Result<Url, Error> {
        Ok(self.clone())
    }
}

mod sealed {
    /// Keeps the trait open for additions.
    #[expect(unnameable_types, reason = "only this crate implements it")]
    pub trait Sealed {}

    impl Sealed for &str {}
    impl Sealed for String {}
    impl Sealed for &String {}
    impl Sealed for url::Url {}
    impl Sealed for &url::Url {}
}

/// Turns text into URLs.
///
/// Most of the work of parsing a URL goes into its host, and most sessions talk to one. So the first origin is
/// remembered as it was spelled, and a URL that starts the same is only parsed from its path on. And a program that
/// polls, or posts to one address, names the same URL again and again: one that came twice in a row is remembered
/// whole, until another one does.
#[derive(Default)]
#[expect(unnameable_types, reason = "only this crate calls `IntoUrl::into_url`")]
pub struct Resolver {
    base: Option<Url>,
    first: OnceLock<Named>,
    /// Never waited for: who cannot have it parses.
    repeated: RwLock<Option<Named>>,
    /// The fingerprint of the last URL, if it was parsed.
    last: AtomicU64,
}

/// A URL, or an origin as one, with the text it was parsed from.
struct Named {
    text: Box<str>,
    url: Url,
}

impl Resolver {
    pub(crate) fn new(base: Option<Url>) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    pub(crate) fn base(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    fn resolve(&self, text: &str) -> Result<Url, Error> {
        if let Ok(repeated) = self.repeated.try_read()
            && let Some(repeated) = &*repeated
            && *repeated.text == *text
        {
            self.last.store(0, Ordering::Relaxed);
            return Ok(repeated.url.clone());
        }
        let url = self.parse(text)?;
        let print = fingerprint(text);
        if self.last.swap(print, Ordering::Relaxed) == print
            && let Ok(mut repeated) = self.repeated.try_write()
        {
            *repeated = Some(Named {
                text: text.into(),
                url: url.clone(),
            });
        }
        Ok(url)
    }

    fn parse(&self, text: &str) -> Result<Url, Error> {
        if let Some(origin) = self.first.get()
            && let Some(rest) = text.strip_prefix(&*origin.text)
            && is_plain_path(rest)
        {
            return Ok(origin.url.join(rest)?);
        }
        if has_empty_host(text) {
            return Err(url::ParseError::EmptyHost.into());
        }
        let url = match &self.base {
            Some(base) => base.join(text)?,
            None => Url::parse(text)?,
        };
        if self.first.get().is_none()
            && let Some(origin) = Named::origin(text, &url)
        {
            // Whoever is first, all are right.
            drop(self.first.set(origin));
        }
        Ok(url)
    }
}

impl Named {
    /// The origin of a URL, if the text spells it plainly.
    fn origin(text: &str, url: &Url) -> Option<Self> {
        let authority = text.find("://")? + 3;
        let length = authority + text.get(authority..)?.find('/')?;
        let (origin, rest) = text.split_at_checked(length)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        let scheme = matches!(&origin[..authority], "http://" | "https://");
        if !scheme || !origin.bytes().skip(authority).all(plain) || !is_plain_path(rest) {
            return None;
        }
        let mut url = url.clone();
        url.set_path("/");
        url.set_query(None);
        url.set_fragment(None);
        Some(Self {
            text: origin.into(),
            url,
        })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs may hold secrets.
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// Tells texts apart, nearly always.
fn fingerprint(text: &str) -> u64 {
    text.as_bytes()
        .chunks(8)
        .fold(text.len() as u64, |print, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            (print.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95)
        })
}

/// Whether the host was left out, as in `http:///path`. Parsing as browsers do would take the path for the host,
/// and a request with all its secrets would go there.
fn has_empty_host(text: &str) -> bool {
    let text = text.trim_start_matches(|at: char| at <= ' ').as_bytes();
    let after = |scheme: &[u8]| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    after(b"http://")
        .or_else(|| after(b"https://"))
        .is_some_and(|rest| matches!(rest.first(), Some(b'/' | b'\\')))
}

/// Whether this is a path that cannot be taken for something else when it is resolved on its own: no second
/// slash at the start (a host would follow), nothing that parsing removes or takes for a slash.
fn is_plain_path(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first() == Some(&b'/')
        && bytes.get(1) != Some(&b'/')
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn remembering_the_origin_changes_no_url(
            origin in r"https?://([a-z0-9.-]{1,9}|\[::1\]|127\.0\.0\.1|EXAMPLE\.org|a@b|\u{e4}\.de)(:[0-9]{0,5})?",
            rests in proptest::collection::vec(r"([/?#\\@:. a-c%\t\n2\u{e4}]|\.\./){0,9}", 1..6),
        ) {
            let resolver = Resolver::default();
            let first = format!("{origin}/first?x#y");
            let parse = |text: &str| Url::parse(text).ok().filter(|_| !has_empty_host(text));
            prop_assert_eq!(resolver.resolve(&first).ok(), parse(&first));
            for rest in rests {
                let text = format!("{origin}{rest}");
                for _ in 0..3 {
                    prop_assert_eq!(resolver.resolve(&text).ok(), parse(&text), "{}", text);
                }
            }
        }
    }

    #[test]
    fn a_url_is_remembered_when_it_comes_twice_in_a_row() {
        let resolver = Resolver::new(Url::parse("http://base.example/v1/").ok());
        let remembered = || {
            let repeated = resolver.repeated.read().unwrap();
            repeated.as_ref().map(|named| named.text.to_string())
        };
        let resolve = |text: &str| resolver.resolve(text).unwrap().to_string();
        for text in ["a", "b", "a", "b"] {
            assert_eq!(resolve(text), format!("http://base.example/v1/{text}"));
        }
        assert_eq!(remembered(), None);
        assert_eq!(resolve("b"), "http://base.example/v1/b");
        assert_eq!(remembered().as_deref(), Some("b"));
        for text in ["b", "a", "b", "a"] {
            assert_eq!(resolve(text), format!("http://base.example/v1/{text}"));
        }
        assert_eq!(remembered().as_deref(), Some("b"));
        assert_eq!(resolve("a"), "http://base.example/v1/a");
        assert_eq!(remembered().as_deref(), Some("a"));
    }

    #[test]
    fn a_url_without_a_host_does_not_take_it_from_the_path() {
        let resolver = Resolver::new(Url::parse("http://base.example/").ok());
        for text in [
            "http:///path",
            "HTTPS:////path",
            " http://\\path",
            "http://",
            "http://?a",
        ] {
            assert!(resolver.resolve(text).unwrap_err().is_builder(), "{text:?}");
        }
        assert!(resolver.resolve("http://h//path").is_ok());
    }

    #[test]
    fn the_origin_is_remembered_when_it_is_spelled_plainly() {
        let remembers = |text: &str| {
            let resolver = Resolver::default();
            drop(resolver.resolve(text));
            resolver.first.get().map(|origin| origin.text.to_string())
        };
        assert_eq!(
            remembers("http://127.0.0.1:80/a").as_deref(),
            Some("http://127.0.0.1:80")
        );
        assert_eq!(
            remembers("https://Example.org/").as_deref(),
            Some("https://Example.org")
        );
        for text in [
            "http://user@host/",
            "http://host",
            "http://h%6fst/",
            "http:host/",
            "ftp://host/",
        ] {
            assert_eq!(remembers(text), None, "{text}");
        }
    }
}
