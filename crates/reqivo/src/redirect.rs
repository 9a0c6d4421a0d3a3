use std::fmt::{self, Write as _};
use std::sync::Arc;

use http::{Method, StatusCode};
use url::Url;

use crate::error::{Error, RedirectProblem};
use crate::headers::Headers;
use crate::history::Hop;
use crate::proto::Head;

/// Which redirects are followed. The default follows up to 30 to any http or https address.
///
/// 301 and 302 turn POST into GET, 303 turns everything but HEAD into GET and drops the body, and 307 and 308 keep method
/// and body. The fields that describe the body are dropped with it. When the origin changes, `Authorization`,
/// `Cookie`, `Proxy-Authorization`, `Host` and fields added as sensitive are dropped; cookies of the session are chosen anew for
/// every address, and its credentials go where [`SessionBuilder::auth`](crate::SessionBuilder::auth) says.
///
/// A redirect that is refused is an error which has the status, the fields and the start of the body of the
/// response that it came with.
///
/// ```
/// use reqivo::{RedirectAction, RedirectPolicy};
///
/// let policy = RedirectPolicy::limited(5).custom(|attempt| {
///     match attempt.url().host_str() {
///         Some("login.example.com") => RedirectAction::Stop,
///         _ => RedirectAction::Follow,
///     }
/// });
/// # let _ = policy;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectPolicy {
    limit: Option<u32>,
    refuse_downgrade: bool,
    https_only: bool,
    same_origin: bool,
    keep_authorization_on_upgrade: bool,
    rewrite_to_get: bool,
    referer: bool,
    decide: Option<Decide>,
}

#[derive(Clone)]
struct Decide(Arc<dyn Fn(&RedirectAttempt<'_>) -> RedirectAction + Send + Sync>);

/// What to do about a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectAction {
    /// Follow it.
    Follow,
    /// Return the response that redirects as it is.
    Stop,
    /// Fail.
    Refuse,
}

/// A redirect that a [custom policy](RedirectPolicy::custom) decides about.
#[derive(Clone, Copy, Debug)]
pub struct RedirectAttempt<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) history: &'a [Hop],
}

impl<'a> RedirectAttempt<'a> {
    /// Returns the method that the next request would have.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// Returns the URL that the redirect leads to.
    #[must_use]
    pub fn url(&self) -> &'a Url {
        self.url
    }

    /// Returns the status of the response that redirects.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.history.last().map(Hop::status).unwrap_or_default()
    }

    /// Returns the responses of this call so far, oldest first; the last is the one that redirects.
    #[must_use]
    pub fn history(&self) -> &'a [Hop] {
        self.history
    }
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self::limited(30)
    }
}

impl RedirectPolicy {
    /// Follows no redirect: a 3xx response is returned as it is.
    #[must_use]
    pub fn none() -> Self {
        Self {
            limit: None,
            ..Self::limited(0)
        }
    }

    /// Follows so many redirects of one call; the next one is an error.
    #[must_use]
    pub fn limited(limit: u32) -> Self {
        Self {
            limit: Some(limit),
            refuse_downgrade: false,
            https_only: false,
            same_origin: false,
            keep_authorization_on_upgrade: false,
            rewrite_to_get: false,
            referer: false,
            decide: None,
        }
    }

    /// Refuses a redirect from https to http.
    #[must_use]
    pub fn refuse_downgrade(mut self) -> Self {
        self.refuse_downgrade = true;
        self
    }

    /// Refuses a redirect to anything but https.
    #[must_use]
    pub fn https_only(mut self) -> Self {
        self.https_only = true;
        self
    }

    /// Refuses a redirect to another origin.
    #[must_use]
    pub fn same_origin_only(mut self) -> Self {
        self.same_origin = true;
        self
    }

    /// Keeps `Authorization` on a redirect from http on port 80 to https on port 443 of the same host.
    #[must_use]
    pub fn keep_authorization_on_upgrade(mut self) -> Self {
        self.keep_authorization_on_upgrade = true;
        self
    }

    /// Makes 301 and 302 turn every method but HEAD into GET, not only POST.
    #[must_use]
    pub fn rewrite_every_method_to_get(mut self) -> Self {
        self.rewrite_to_get = true;
        self
    }

    /// Tells the next server where the request comes from, in the field `Referer`: the whole URL within an origin, only
    /// the origin beyond it, and nothing from https to http (the policy `strict-origin-when-cross-origin`). Off by
    /// default.
    #[must_use]
    pub fn referer(mut self) -> Self {
        self.referer = true;
        self
    }

    /// Asks a function about every redirect that the other rules permit, the limit of their number included.
    ///
    /// It is called in the middle of a request, so it must be quick and must not block.
    #[must_use]
    pub fn custom(
        mut self,
        decide: impl Fn(&RedirectAttempt<'_>) -> RedirectAction + Send + Sync + 'static,
    ) -> Self {
        self.decide = Some(Decide(Arc::new(decide)));
        self
    }

    /// Whether a response with this status may lead on.
    pub(crate) fn concerns(&self, status: u16) -> bool {
        matches!(status, 301 | 302 | 303 | 307 | 308) && self.limit.is_some()
    }

    pub(crate) fn decide(&self, attempt: &RedirectAttempt<'_>) -> RedirectAction {
        match &self.decide {
            Some(decide) => (decide.0)(attempt),
            None => RedirectAction::Follow,
        }
    }

    /// Where a response leads, or `None` when it is final.
    pub(crate) fn target(
        &self,
        head: &Head,
        current: &Url,
        followed: usize,
    ) -> Result<Option<Url>, Error> {
        let Some(limit) = self.limit else {
            return Ok(None);
        };
        let mut locations = head.headers.get_all("location");
        let Some(location) = locations.next() else {
            return Ok(None);
        };
        let refused = |problem, message| {
            let status = StatusCode::from_u16(head.status()).unwrap_or_default();
            Err(Error::redirect(problem, message, status))
        };
        if locations.any(|other| other != location) {
            return refused(
                RedirectProblem::Malformed,
                "redirect with several different locations",
            );
        }
        if followed >= limit as usize {
            return refused(RedirectProblem::TooMany, "too many redirects");
        }
        let Ok(mut target) = current.join(&percent_encoded(location)) else {
            return refused(
                RedirectProblem::Malformed,
                "redirect to a malformed location",
            );
        };
        if !matches!(target.scheme(), "http" | "https") || !target.has_host() {
            return refused(
                RedirectProblem::Malformed,
                "redirect to something else than http or https",
            );
        }
        if target.fragment().is_none() {
            target.set_fragment(current.fragment());
        }
        // A server does not get to choose credentials.
        let _ = target.set_username("");
        let _ = target.set_password(None);
        if self.refuse_downgrade && current.scheme() == "https" && target.scheme() == "http" {
            return refused(RedirectProblem::Refused, "redirect from https to http");
        }
        if self.https_only && target.scheme() != "https" {
            return refused(
                RedirectProblem::Refused,
                "redirect to something else than https",
            );
        }
        if self.same_origin && target.origin() != current.origin() {
            return refused(RedirectProblem::Refused, "redirect to another origin");
        }
        Ok(Some(target))
    }

    /// The method that follows this status, and whether the body goes along.
    pub(crate) fn method(&self, status: u16, method: &Method) -> (Method, bool) {
        let rewrites = match status {
            301 | 302 => *method == Method::POST || (self.rewrite_to_get && *method != Method::GET),
            303 => true,
            _ => false,
        };
        match *method {
            // 303 leads to something else to look at (RFC 9110 15.4.4): nothing is sent there.
            Method::HEAD => (Method::HEAD, status != 303),
            _ if rewrites => (Method::GET, false),
            _ => (method.clone(), true),
        }
    }

    /// Drops what must not reach the next address, and says where the request comes from.
    pub(crate) fn clean(&self, headers: &mut Headers, from: &Url, to: &Url) {
        if self.referer {
            let _ = headers.remove("referer");
            if let Some(referer) = referer(from, to) {
                // A URL has no character that a field cannot hold.
                drop(headers.append("Referer", referer));
            }
        }
        if from.origin() == to.origin() {
            return;
        }
        let _ = headers.remove("host");
        if !self.trusts(from, to) {
            headers.remove_secrets();
        }
    }

    /// Whether the origin changes in the one way that keeps `Authorization`, and the caller asked for that.
    pub(crate) fn trusts(&self, from: &Url, to: &Url) -> bool {
        self.keep_authorization_on_upgrade
            && from.host() == to.host()
            && (from.scheme(), from.port_or_known_default()) == ("http", Some(80))
            && (to.scheme(), to.port_or_known_default()) == ("https", Some(443))
    }
}

impl fmt::Debug for Decide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("custom")
    }
}

impl PartialEq for Decide {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Decide {}

fn referer(from: &Url, to: &Url) -> Option<String> {
    if from.scheme() == "https" && to.scheme() != "https" {
        return None;
    }
    let mut from = from.clone();
    from.set_fragment(None);
    if from.origin() != to.origin() {
        from.set_path("/");
        from.set_query(None);
    }
    Some(from.into())
}

/// A URL without its fragment, so that two which mean the same are equal (RFC 3986 6.2.2): what need not be
/// percent-encoded is not, and what is has upper-case digits. The rest was done by parsing.
pub(crate) fn normalised(url: &Url) -> String {
    let text = match url.fragment() {
        Some(fragment) => {
            let whole = url.as_str();
            whole
                .get(..whole.len() - fragment.len() - 1)
                .unwrap_or(whole)
        }
        None => url.as_str(),
    };
    let mut normal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        normal.push_str(before);
        let byte = after.get(..2).and_then(|hex| {
            let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits.then(|| u8::from_str_radix(hex, 16).ok()).flatten()
        });
        rest = match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
                &after[2..]
            }
            Some(byte) => {
                // Writing to a string does not fail.
                let _ = write!(normal, "%{byte:02X}");
                &after[2..]
            }
            None => {
                normal.push('%');
                after
            }
        };
    }
    normal.push_str(rest);
    normal
}

/// Drops the fields that describe a body which is not sent any more.
pub(crate) fn drop_body_fields(headers: &mut Headers) {
    headers.retain(|name| {
        let content = name
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case("content-"));
        !content
            && !["transfer-encoding", "expect", "trailer"]
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name))
    });
}

/// The location with bytes above ASCII percent-encoded, whatever encoding they were in.
fn percent_encoded(location: &[u8]) -> String {
    let mut text = String::with_capacity(location.len());
    for &byte in location {
        match byte.is_ascii() {
            true => text.push(char::from(byte)),
            false => {
                // Writing to a string does not fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn f4_addresses_that_mean_the_same_are_equal() {
        let same = |a: &str, b: &str| normalised(&url(a)) == normalised(&url(b));
        assert!(same(
            "http://H.example:80/%7Ea/b?x#one",
            "HTTP://h.example/~a/./b?x#two"
        ));
        assert!(same("http://h/%c3%a4", "http://h/\u{e4}"));
        assert!(same("http://h/a%2fb", "http://h/a%2Fb"));
        assert!(!same("http://h/a%2Fb", "http://h/a/b"));
        assert!(!same("http://h/a", "http://h/a?"));
        assert!(!same("http://h/a", "https://h/a"));
        assert!(!same("http://h/a", "http://h/A"));
        for odd in [
            "http://h/%",
            "http://h/%4",
            "http://h/%zz",
            "http://h/%+1",
            "http://h/100%?%",
            "http://h/%\u{e4}",
        ] {
            assert_eq!(normalised(&url(odd)), url(odd).as_str(), "{odd}");
        }
    }

    #[test]
    fn f12_the_referer_says_less_to_other_origins_and_nothing_to_insecure_ones() {
        for (from, to, expected) in [
            ("https://a/x?y#z", "https://a/other", Some("https://a/x?y")),
            ("https://a/x?y", "https://b/", Some("https://a/")),
            ("https://a/x", "https://a:8443/", Some("https://a/")),
            ("https://a/x", "http://a/", None),
            ("http://a/x", "https://a/", Some("http://a/")),
            ("http://a:8080/x", "http://b/", Some("http://a:8080/")),
        ] {
            assert_eq!(
                referer(&url(from), &url(to)).as_deref(),
                expected,
                "{from} {to}"
            );
        }
    }
}
