use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use url::Url;

use crate::headers::Headers;
use crate::proto::encode::check_value;

/// Keeps cookies for a [`Session`](crate::Session) in place of a [`CookieJar`](crate::CookieJar); see
/// [`SessionBuilder::cookie_store`](crate::SessionBuilder::cookie_store).
///
/// Both methods are called in the middle of a request, so they must be quick and must not block.
pub trait CookieStore: Send + Sync {
    /// Takes the values of the `Set-Cookie` fields of a response to a request for this address.
    ///
    /// It is called for every response that has such fields, also for one that redirects.
    fn set_cookies(&self, url: &Url, fields: &mut dyn Iterator<Item = &[u8]>);

    /// Returns the value of the `Cookie` field for a request to this address, such as `a=1; b=2`, or `None`
    /// to send no cookie.
    ///
    /// It is called for every request, also for one that follows a redirect. A value that holds a control character is not
    /// sent.
    fn cookies(&self, url: &Url) -> Option<Vec<u8>>;
}

/// Where a session keeps its cookies.
#[derive(Clone)]
pub(crate) enum Cookies {
    Off,
    #[cfg(feature = "cookies")]
    Jar(crate::cookies::CookieJar),
    Own(Arc<dyn CookieStore>),
}

impl Cookies {
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Whether there may be something to send.
    pub(crate) fn has_any(&self) -> bool {
        match self {
            Self::Off => false,
            #[cfg(feature = "cookies")]
            Self::Jar(jar) => !jar.is_empty(),
            Self::Own(_) => true,
        }
    }

    /// The cookies for a request to this address.
    pub(crate) fn value(&self, url: &Url) -> Option<Vec<u8>> {
        let value = match self {
            Self::Off => None,
            #[cfg(feature = "cookies")]
            Self::Jar(jar) => jar.cookies(url),
            Self::Own(store) => store.cookies(url),
        }?;
        if check_value(&value).is_err() {
            tracing::warn!("a cookie value with a control character is not sent");
            return None;
        }
        Some(value)
    }

    /// Takes the cookies of a response.
    pub(crate) fn take(&self, url: &Url, headers: &Headers) {
        if !headers.has(b"set-cookie") {
            return;
        }
        let mut fields = headers.get_all("set-cookie");
        match self {
            Self::Off => {}
            #[cfg(feature = "cookies")]
            Self::Jar(jar) => jar.set_cookies(url, &mut fields),
            Self::Own(store) => store.set_cookies(url, &mut fields),
        }
    }
}

impl Default for Cookies {
    fn default() -> Self {
        #[cfg(feature = "cookies")]
        {
            Self::Jar(crate::cookies::CookieJar::new())
        }
        #[cfg(not(feature = "cookies"))]
        {
            Self::Off
        }
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("Off"),
            #[cfg(feature = "cookies")]
            Self::Jar(jar) => jar.fmt(f),
            Self::Own(_) => f.write_str("CookieStore"),
        }
    }
}

/// Adds the cookies of the store to those that the caller sends: of one name, only the caller's.
pub(crate) fn merged<'a>(given: impl Iterator<Item = &'a [u8]>, stored: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(stored.len());
    let push = |value: &mut Vec<u8>, pair: &[u8]| {
        if !value.is_empty() && !pair.is_empty() {
            value.extend_from_slice(b"; ");
        }
        value.extend_from_slice(pair);
    };
    for given in given {
        push(&mut value, given.trim_ascii());
    }
    if value.is_empty() {
        return stored.to_vec();
    }
    let own = value.clone();
    let name = |pair: &[u8]| {
        let end = pair.iter().position(|&byte| byte == b'=');
        pair.get(..end.unwrap_or(0))
            .map(|name| name.trim_ascii().to_vec())
    };
    let names: Vec<_> = pairs(&own).map(name).collect();
    for pair in pairs(stored).filter(|pair| !names.contains(&name(pair))) {
        push(&mut value, pair);
    }
    value
}

fn pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii)
}

/// A mark by which two values can be told apart without keeping them; never 0, which stands for no cookies.
pub(crate) fn mark(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n1_the_cookies_of_the_caller_come_first_and_win() {
        for (given, stored, expected) in [
            (&["a=1"][..], "b=2", "a=1; b=2"),
            (&["a=1; b=3"], "b=2; c=4", "a=1; b=3; c=4"),
            (&["a=1", " b=3 "], "a=2;b=4", "a=1; b=3"),
            (&[], "b=2; a=1", "b=2; a=1"),
            (&[""], "b=2", "b=2"),
            (&["a =1"], "a=2; aa=3", "a =1; aa=3"),
            (&["nameless"], "other; a=1", "nameless; a=1"),
        ] {
            let value = merged(given.iter().map(|it| it.as_bytes()), stored.as_bytes());
            assert_eq!(
                String::from_utf8_lossy(&value),
                expected,
                "{given:?} {stored:?}"
            );
        }
    }
}
