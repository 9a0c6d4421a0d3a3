use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use url::Url;

use super::parse::{self, MAX_ATTRIBUTE_BYTES, Rejected, SetCookie};
use super::store::Store;
use super::{Cookie, PublicSuffixes};
use crate::cookie_store::CookieStore;
use crate::error::Error;
use crate::url_text::{IntoUrl, Resolver};

/// Keeps cookies by the rules of RFC 6265bis. Cloning is cheap and shares the content, also between sessions.
///
/// Every session has a jar of its own unless it is given one
/// ([`SessionBuilder::cookie_jar`](crate::SessionBuilder::cookie_jar)) or none.
///
/// * A cookie goes to the host that set it, or with `Domain` also to the hosts below; never to a public suffix such
///   as `co.uk` ([`PublicSuffixes`]), and never from one IP address to another.
/// * Secure cookies go over https only, are only taken from https, and cannot be replaced from http; names that begin with
///   `__Secure-` and `__Host-` keep their promise. [`trust_loopback`](Self::trust_loopback) lets http to this machine count as
///   secure.
/// * A cookie ends after 400 days at the latest. It has at most 4096 bytes, a domain at most 180 cookies and the jar 3000; beyond
///   that the one that was not used for longest goes first.
///
/// ```
/// let jar = reqivo::CookieJar::new();
/// jar.set("https://example.com/", "theme", "dark")?;
/// assert_eq!(jar.get("https://example.com/any/path", "theme").as_deref(), Some("dark"));
/// assert_eq!(jar.get("https://www.example.com/", "theme"), None);
/// # Ok::<(), reqivo::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct CookieJar(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The number of cookies, so that nobody takes the lock of an empty jar.
    count: AtomicUsize,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    store: Store,
    suffixes: PublicSuffixes,
    trust_loopback: bool,
}

impl CookieJar {
    /// Creates an empty jar.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses another list of public suffixes from now on. Cookies that are there already stay.
    pub fn set_public_suffixes(&self, suffixes: PublicSuffixes) {
        self.content().suffixes = suffixes;
    }

    /// Lets http count as secure when the host is a loopback address, `localhost` or below `localhost`, as browsers
    /// do: such connections do not leave the machine. Off by default.
    pub fn trust_loopback(&self) {
        self.content().trust_loopback = true;
    }

    /// Stores a cookie as if a response from this address had it in `Set-Cookie`, such as
    /// `id=7; Path=/; Max-Age=3600`. One that has expired removes the cookie it would replace.
    ///
    /// # Errors
    ///
    /// When the address is malformed or the cookie is refused.
    pub fn store(&self, url: impl IntoUrl, set_cookie: impl AsRef<[u8]>) -> Result<(), Error> {
        let url = url.into_url(&Resolver::default())?;
        self.accept(&url, set_cookie.as_ref(), SystemTime::now())
            .map_err(|rejected| Error::builder(rejected.as_str()))
    }

    /// Sets a cookie for the host of this address and all its paths, until it is removed; for secure connections
    /// only, if the address is one.
    ///
    /// # Errors
    ///
    /// When the address is malformed, or name or value hold what a cookie cannot: a semicolon, a control
    /// character, or `=` in the name.
    pub fn set(&self, url: impl IntoUrl, name: &str, value: &str) -> Result<(), Error> {
        let url = url.into_url(&Resolver::default())?;
        let malformed = |text: &str| text.contains(';') || text.chars().any(char::is_control);
        if malformed(name) || malformed(value) || name.contains('=') {
            return Err(Error::builder(
                "cookie name or value holds a character that cannot be sent",
            ));
        }
        let (name, value) = (name.trim().as_bytes(), value.trim().as_bytes());
        parse::check_content(name, value)
            .and_then(|()| {
                let mut content = self.content();
                let cookie = SetCookie {
                    name,
                    value,
                    path: Some(b"/"),
                    secure: content.is_secure(&url),
                    ..SetCookie::default()
                };
                let accepted = content.accept(&url, &cookie, SystemTime::now());
                self.counted(&content);
                accepted
            })
            .map_err(|rejected| Error::builder(rejected.as_str()))
    }

    /// Returns the value of the cookie of this name that a request to this address would send; of several the
    /// first. `None` when there is none, or the address is malformed.
    #[must_use]
    pub fn get(&self, url: impl IntoUrl, name: &str) -> Option<String> {
        self.matching(url)
            .into_iter()
            .find(|cookie| cookie.name() == name)
            .map(|cookie| cookie.value().into_owned())
    }

    /// Removes the cookies of this name that a request to this address would send, and returns how many
    /// there were.
    pub fn remove(&self, url: impl IntoUrl, name: &str) -> usize {
        let doomed = self.matching(url);
        self.retain(|cookie| {
            cookie.name() != name || !doomed.iter().any(|other| cookie.replaces(other))
        })
    }

    /// Returns the cookies that a request to this address would send: those with longer paths first, then the older
    /// ones.
    #[must_use]
    pub fn matching(&self, url: impl IntoUrl) -> Vec<Cookie> {
        let Ok(url) = url.into_url(&Resolver::default()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        self.content()
            .visit(&url, SystemTime::now(), |cookie| found.push(cookie.clone()));
        found
    }

    /// Returns all cookies that have not expired, oldest first.
    #[must_use]
    pub fn iter(&self) -> std::vec::IntoIter<Cookie> {
        let now = seconds(SystemTime::now());
        let mut cookies = self.content().store.all();
        cookies.retain(|cookie| !cookie.is_expired(now));
        cookies.into_iter()
    }

    /// Returns the number of cookies, with those that have expired and were not met since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Returns whether the jar is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all cookies.
    pub fn clear(&self) {
        let _ = self.retain(|_| false);
    }

    /// Removes the cookies for which a function says no, and returns how many there were.
    ///
    /// The function is called while the jar is locked, so it must not use the jar.
    pub fn retain(&self, keep: impl FnMut(&Cookie) -> bool) -> usize {
        let mut content = self.content();
        let removed = content.store.retain(keep);
        self.counted(&content);
        removed
    }

    /// Adds cookies that were in a jar before.
    pub(super) fn restore(&self, cookies: impl IntoIterator<Item = Cookie>) -> usize {
        let now = SystemTime::now();
        let mut content = self.content();
        let mut added = 0;
        for cookie in cookies {
            let public = !cookie.host_only && content.suffixes.contains(&cookie.domain);
            let root = cookie.host_only && cookie.path() == "/";
            let fits = keeps_promise(&cookie.name, &cookie.value, cookie.secure, root);
            if fits && !public && !cookie.is_expired(seconds(now)) {
                content.store.insert(cookie, seconds(now));
                added += 1;
            }
        }
        self.counted(&content);
        added
    }

    fn accept(&self, url: &Url, field: &[u8], now: SystemTime) -> Result<(), Rejected> {
        let cookie = parse::parse(field)?;
        let mut content = self.content();
        let accepted = content.accept(url, &cookie, now);
        self.counted(&content);
        accepted
    }

    fn header(&self, url: &Url, now: SystemTime) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut content = self.content();
        content.visit(url, now, |cookie| {
            if !value.is_empty() {
                value.extend_from_slice(b"; ");
            }
            if !cookie.name.is_empty() {
                value.extend_from_slice(&cookie.name);
                value.push(b'=');
            }
            value.extend_from_slice(&cookie.value);
        });
        self.counted(&content);
        Some(value).filter(|value| !value.is_empty())
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Nothing is left half done when somebody's function panics.
        self.0
            .content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self, content: &Content) {
        self.0.count.store(content.store.len(), Ordering::Release);
    }
}

impl CookieStore for CookieJar {
    fn set_cookies(&self, url: &Url, fields: &mut dyn Iterator<Item = &[u8]>) {
        let now = SystemTime::now();
        for field in fields {
            if let Err(rejected) = self.accept(url, field, now) {
                tracing::debug!(
                    host = url.host_str(),
                    reason = rejected.as_str(),
                    "cookie refused"
                );
            }
        }
    }

    fn cookies(&self, url: &Url) -> Option<Vec<u8>> {
        match self.is_empty() {
            true => None,
            false => self.header(url, SystemTime::now()),
        }
    }
}

impl Content {
    /// Stores a cookie, or says why not (RFC 6265bis 5.7).
    fn accept(
        &mut self,
        url: &Url,
        cookie: &SetCookie<'_>,
        now: SystemTime,
    ) -> Result<(), Rejected> {
        let host = url.host_str().unwrap_or_default();
        let (domain, host_only) = self.scope(url, host, cookie.domain)?;
        let (path, path_given) = match cookie.path {
            Some(path) if path.first() == Some(&b'/') => (crate::headers::text(path), true),
            _ => (Cow::Borrowed(default_path(url.path())), false),
        };
        let secure = self.is_secure(url);
        if cookie.secure && !secure {
            return Err(Rejected::NotSecure);
        }
        let root = host_only && path_given && path == "/";
        if !keeps_promise(cookie.name, cookie.value, cookie.secure, root) {
            return Err(Rejected::Prefix);
        }
        let seconds = seconds(now);
        let lasting = match (cookie.max_age, cookie.expires) {
            (Some(age), _) => Some(seconds.saturating_add(age)),
            (None, expires) => expires,
        };
        let cookie = Cookie {
            name: cookie.name.into(),
            value: cookie.value.into(),
            domain,
            host_only,
            path: path.into(),
            secure: cookie.secure,
            http_only: cookie.http_only,
            same_site: cookie.same_site,
            expires: lasting.map(|end| end.min(seconds.saturating_add(MAX_AGE_SECONDS))),
            created: now,
        };
        if !cookie.secure && !secure && self.store.is_shadowing_secure(&cookie) {
            return Err(Rejected::ShadowsSecure);
        }
        match cookie.is_expired(seconds) {
            true => self.store.remove(&cookie),
            false => self.store.insert(cookie, seconds),
        }
        Ok(())
    }

    /// The domain that a cookie is for, and whether it is for that host only.
    fn scope(
        &self,
        url: &Url,
        host: &str,
        domain: Option<&[u8]>,
    ) -> Result<(Box<str>, bool), Rejected> {
        let Some(domain) = domain.filter(|domain| !domain.is_empty()) else {
            return Ok((host.into(), true));
        };
        let domain = match std::str::from_utf8(domain) {
            Ok(domain) if domain.is_ascii() => domain.to_ascii_lowercase(),
            _ => return Err(Rejected::ForeignDomain),
        };
        if is_address(url) {
            return match domain == host {
                true => Ok((host.into(), true)),
                false => Err(Rejected::ForeignDomain),
            };
        }
        if self.suffixes.contains(&domain) {
            return match domain == host {
                true => Ok((host.into(), true)),
                false => Err(Rejected::PublicSuffix),
            };
        }
        match is_within(host, &domain) {
            true => Ok((domain.into(), false)),
            false => Err(Rejected::ForeignDomain),
        }
    }

    /// Calls a function for each cookie that a request to this address sends, in order.
    fn visit(&mut self, url: &Url, now: SystemTime, mut visit: impl FnMut(&Cookie)) {
        let secure = self.is_secure(url);
        let host = url.host_str().unwrap_or_default();
        self.store.visit(
            host,
            is_address(url),
            seconds(now),
            |cookie| (secure || !cookie.secure) && is_path_within(url.path(), &cookie.path),
            &mut visit,
        );
    }

    fn is_secure(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.trust_loopback && is_loopback(url))
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl IntoIterator for &CookieJar {
    type Item = Cookie;
    type IntoIter = std::vec::IntoIter<Cookie>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whether a cookie is what the prefix of its name promises; one without a name must not look as if it had a
/// prefix. `root` says that it is for one host and all its paths.
fn keeps_promise(name: &[u8], value: &[u8], secure: bool, root: bool) -> bool {
    let starts = |text: &[u8], prefix: &[u8]| {
        text.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    match name.is_empty() {
        true => !starts(value, SECURE_PREFIX) && !starts(value, HOST_PREFIX),
        false if starts(name, SECURE_PREFIX) => secure,
        false if starts(name, HOST_PREFIX) => secure && root,
        false => true,
    }
}

/// Whether a host is this domain or below it (RFC 6265bis 5.1.3); neither is an IP address.
pub(super) fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether the path of a request is this path or below it (RFC 6265bis 5.1.4).
pub(super) fn is_path_within(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// The path of a cookie that names none: that of the request up to its last slash.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(_) if !path.starts_with('/') => "/",
        Some(at) => path.get(..at).unwrap_or("/"),
    }
}

fn is_address(url: &Url) -> bool {
    matches!(url.host(), Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => is_within(name, "localhost"),
        None => false,
    }
}

/// Whole seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let whole = |seconds| i64::try_from(seconds).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since.as_secs()),
        Err(before) => -whole(before.duration().as_secs()),
    }
}

const SECURE_PREFIX: &[u8] = b"__Secure-";
const HOST_PREFIX: &[u8] = b"__Host-";
/// 400 days (RFC 6265bis 5.5).
const MAX_AGE_SECONDS: i64 = 400 * 86_400;
/// A path that no attribute can be longer than.
const _: () = assert!(MAX_ATTRIBUTE_BYTES == 1024);

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
