use std::fmt::Write as _;

use http::{Method, StatusCode};
use url::Url;

use crate::error::{Error, RedirectProblem};
use crate::headers::Headers;
use crate::proto::Head;

/// Which redirects are followed. The default follows up to 30 to any http or https address.
///
/// 301 and 302 turn POST into GET, 303 turns everything but HEAD into GET, and 307 and 308 keep method and body. When
/// the method changes, the fields that describe the body are dropped. When the origin changes, `Authorization`,
/// `Cookie`, `Proxy-Authorization`, `Host` and fields added as sensitive are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectPolicy {
    limit: Option<u32>,
    refuse_downgrade: bool,
    same_origin: bool,
    keep_authorization_on_upgrade: bool,
    rewrite_to_get: bool,
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
            same_origin: false,
            keep_authorization_on_upgrade: false,
            rewrite_to_get: false,
        }
    }

    /// Refuses a redirect from https to http.
    #[must_use]
    pub fn refuse_downgrade(mut self) -> Self {
        self.refuse_downgrade = true;
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
        if !matches!(head.status(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
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
        if self.same_origin && target.origin() != current.origin() {
            return refused(RedirectProblem::Refused, "redirect to another origin");
        }
        Ok(Some(target))
    }

    /// The method that follows this status, and whether the body goes along.
    pub(crate) fn method(&self, status: u16, method: &Method) -> (Method, bool) {
        let rewrites = match status {
            301 | 302 => *method == Method::POST || (self.rewrite_to_get && *method != Method::GET),
            303 => *method != Method::GET,
            _ => false,
        };
        match rewrites && *method != Method::HEAD {
            true => (Method::GET, false),
            false => (method.clone(), true),
        }
    }

    /// Drops what must not reach the next address.
    pub(crate) fn clean(&self, headers: &mut Headers, from: &Url, to: &Url) {
        if from.origin() == to.origin() {
            return;
        }
        let _ = headers.remove("host");
        let upgrade = self.keep_authorization_on_upgrade
            && from.host() == to.host()
            && (from.scheme(), from.port_or_known_default()) == ("http", Some(80))
            && (to.scheme(), to.port_or_known_default()) == ("https", Some(443));
        if !upgrade {
            headers.remove_secrets();
        }
    }
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
