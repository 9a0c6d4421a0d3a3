use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A cookie as a [`CookieJar`](super::CookieJar) keeps it.
///
/// `Debug` does not show its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    pub(super) name: Box<[u8]>,
    pub(super) value: Box<[u8]>,
    pub(super) domain: Box<str>,
    pub(super) host_only: bool,
    pub(super) path: Box<str>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site: Option<SameSite>,
    /// Seconds since 1970.
    pub(super) expires: Option<i64>,
    pub(super) created: SystemTime,
}

/// Which requests of other sites a cookie goes along with. It is kept and saved, and has no influence here: a
/// client that is no browser has no site that a request starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// With requests from the same site only.
    Strict,
    /// Also when a user follows a link from another site.
    Lax,
    /// With requests from any site.
    None,
}

impl SameSite {
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        [Self::Strict, Self::Lax, Self::None]
            .into_iter()
            .find(|it| value.eq_ignore_ascii_case(it.as_str().as_bytes()))
    }

    /// Returns the name of the attribute's value in lower case, such as `lax`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lax => "lax",
            Self::None => "none",
        }
    }
}

impl Cookie {
    /// Returns the name, which may be empty. Bytes that are not UTF-8 are read as ISO-8859-1.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        crate::headers::text(&self.name)
    }

    /// Returns the value. Bytes that are not UTF-8 are read as ISO-8859-1.
    #[must_use]
    pub fn value(&self) -> Cow<'_, str> {
        crate::headers::text(&self.value)
    }

    /// Returns the bytes of the value.
    #[must_use]
    pub fn value_bytes(&self) -> &[u8] {
        &self.value
    }

    /// Returns the domain in lower case, without a dot before it.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns whether the cookie is for the host named by [`domain`](Self::domain) only, and not for the hosts
    /// below it.
    #[must_use]
    pub fn is_host_only(&self) -> bool {
        self.host_only
    }

    /// Returns the path that the paths of requests must start with.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns whether the cookie is for secure connections only.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns whether the server asked to hide the cookie from scripts of a page; it is kept as data.
    #[must_use]
    pub fn is_http_only(&self) -> bool {
        self.http_only
    }

    /// Returns what the server said about requests from other sites.
    #[must_use]
    pub fn same_site(&self) -> Option<SameSite> {
        self.same_site
    }

    /// Returns when the cookie ends, to the second, or `None` for a cookie of the session.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        let seconds = self.expires?;
        let distance = Duration::from_secs(seconds.unsigned_abs());
        match seconds < 0 {
            true => UNIX_EPOCH.checked_sub(distance),
            false => UNIX_EPOCH.checked_add(distance),
        }
    }

    /// Returns when the cookie came into being. A new value does not change that.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        self.created
    }

    pub(super) fn is_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether this is the same cookie as `other`, with another content perhaps.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.name == other.name
            && self.domain == other.domain
            && self.host_only == other.host_only
            && self.path == other.path
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name())
            .field("domain", &self.domain)
            .field("host_only", &self.host_only)
            .field("path", &self.path)
            .field("secure", &self.secure)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
