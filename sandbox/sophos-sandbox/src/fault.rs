//! Faults that can be switched on.

use std::{fmt, str::FromStr, time::Duration};

use http::{Method, StatusCode};

use crate::error::Error;

/// One way to misbehave, with the requests it applies to.
///
/// A fault has a text form, which the command line and the control route take and which `Display` gives back:
///
/// ```text
/// KIND[=VALUE][@[METHOD ]PATH][+SKIP][*TIMES]
/// ```
///
/// `PATH` is a prefix, `SKIP` is how many matching requests pass unharmed first, `TIMES` is how many are harmed (`always` for all).
///
/// ```
/// use sophos_sandbox::Fault;
///
/// let fault: Fault = "rate-limit=2@GET /endpoint/v1/endpoints+1*3".parse().unwrap();
/// assert_eq!(fault, Fault::rate_limit().retry_after("2").on("GET /endpoint/v1/endpoints").after(1).times(3));
/// ```
///
/// | kind | what happens |
/// |---|---|
/// | `rate-limit` | 429 without `Retry-After` |
/// | `rate-limit=TEXT` | 429 with `Retry-After: TEXT`, garbage too |
/// | `rate-limit=date:N` | 429 with the HTTP date N seconds from now |
/// | `status=N` | the status, with the usual error body; the request is not carried out |
/// | `applied-500` | the request is carried out and answered with 500 |
/// | `html-503` | 503 with an HTML body |
/// | `unauthorized` | 401 for a valid token |
/// | `expire-tokens` | every token issued so far becomes invalid, then the request goes on |
/// | `drop-body` | the connection is cut in the middle of the body |
/// | `drop-request` | the connection is cut without an answer; the request is carried out |
/// | `stall` | no answer until the client gives up |
/// | `malformed` | a 200 whose JSON ends too early |
/// | `wrong-type` | a 200 whose `items` is a number |
/// | `latency=TIME` | waits (`50ms`, `2s`) and goes on |
/// | `short-page` | a page by key with half of its items, and a next key |
/// | `empty-page` | a page by key without items, and a next key |
/// | `repeat-key` | a page by key whose next key is the one just sent |
/// | `bare-array` | a list as `[…]` without its envelope |
/// | `missing-pages` | a list without `pages` |
/// | `max-page-size=N` | lists deliver at most N items and say so in `maxSize` |
/// | `reject-page-size=N` | lists refuse a `pageSize` above N with 400 |
///
/// By default a fault strikes once; `latency`, `bare-array`, `missing-pages`, `max-page-size` and `reject-page-size` strike always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) kind: Kind,
    method: Option<Method>,
    path: String,
    skip: u32,
    times: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    RateLimit(Option<String>),
    Status(StatusCode),
    AppliedThen500,
    Html503,
    Unauthorized,
    ExpireTokens,
    DropBody,
    DropRequest,
    Stall,
    Malformed,
    WrongType,
    Latency(Duration),
    ShortPage,
    EmptyPage,
    RepeatKey,
    BareArray,
    MissingPages,
    MaxPageSize(usize),
    RejectPageSize(usize),
}

impl Fault {
    /// 429; see also [`retry_after`](Self::retry_after).
    pub fn rate_limit() -> Self {
        Self::new(Kind::RateLimit(None))
    }

    /// Any status of 400 and above, without carrying the request out.
    ///
    /// # Errors
    ///
    /// When the number is not such a status.
    pub fn status(status: u16) -> Result<Self, Error> {
        StatusCode::from_u16(status)
            .ok()
            .filter(|status| status.is_client_error() || status.is_server_error())
            .map(|status| Self::new(Kind::Status(status)))
            .ok_or_else(|| Error::setting("status", status.to_string(), "not an error status"))
    }

    /// Carries the request out and answers 500.
    pub fn applied_then_500() -> Self {
        Self::new(Kind::AppliedThen500)
    }

    /// 503 with an HTML body.
    pub fn html_503() -> Self {
        Self::new(Kind::Html503)
    }

    /// 401 for a valid token.
    pub fn unauthorized() -> Self {
        Self::new(Kind::Unauthorized)
    }

    /// Makes every token issued so far invalid.
    pub fn expire_tokens() -> Self {
        Self::new(Kind::ExpireTokens)
    }

    /// Cuts the connection in the middle of the body.
    pub fn drop_body() -> Self {
        Self::new(Kind::DropBody)
    }

    /// Carries the request out and cuts the connection without an answer.
    pub fn drop_request() -> Self {
        Self::new(Kind::DropRequest)
    }

    /// Never answers.
    pub fn stall() -> Self {
        Self::new(Kind::Stall)
    }

    /// Ends the JSON of the body too early.
    pub fn malformed() -> Self {
        Self::new(Kind::Malformed)
    }

    /// Answers a list whose `items` is a number.
    pub fn wrong_type() -> Self {
        Self::new(Kind::WrongType)
    }

    /// Waits before the request is carried out. Always, unless limited.
    pub fn latency(time: Duration) -> Self {
        Self::new(Kind::Latency(time))
    }

    /// Gives half of a page by key.
    pub fn short_page() -> Self {
        Self::new(Kind::ShortPage)
    }

    /// Gives a page by key without items, with a next key.
    pub fn empty_page() -> Self {
        Self::new(Kind::EmptyPage)
    }

    /// Repeats the key that was sent as the next key.
    pub fn repeat_key() -> Self {
        Self::new(Kind::RepeatKey)
    }

    /// Gives lists without their envelope. Always, unless limited.
    pub fn bare_array() -> Self {
        Self::new(Kind::BareArray)
    }

    /// Gives lists without `pages`. Always, unless limited.
    pub fn missing_pages() -> Self {
        Self::new(Kind::MissingPages)
    }

    /// Delivers at most so many items per page, and says so in `maxSize`. Always, unless limited.
    pub fn max_page_size(items: usize) -> Self {
        Self::new(Kind::MaxPageSize(items.max(1)))
    }

    /// Refuses a larger `pageSize` with 400. Always, unless limited.
    pub fn reject_page_size(items: usize) -> Self {
        Self::new(Kind::RejectPageSize(items.max(1)))
    }

    /// Sets the `Retry-After` of a [`rate_limit`](Self::rate_limit): seconds, `date:N` for the HTTP date N seconds from now, or any garbage. No effect on other kinds.
    #[must_use]
    pub fn retry_after(mut self, text: impl Into<String>) -> Self {
        if let Kind::RateLimit(retry_after) = &mut self.kind {
            *retry_after = Some(text.into());
        }
        self
    }

    /// Limits it to requests whose path starts with this, or to a method and a path: `"PATCH /endpoint"`. Default: every request but those of the control routes.
    #[must_use]
    pub fn on(mut self, route: &str) -> Self {
        let (method, path) = split_route(route);
        self.method = method;
        path.clone_into(&mut self.path);
        self
    }

    /// Lets so many matching requests pass first. Default: 0.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes so many times, then no more. The default depends on the kind: once, or always.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Strikes every time.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    fn new(kind: Kind) -> Self {
        let times = if kind.lasts() { None } else { Some(1) };
        Self {
            kind,
            method: None,
            path: String::new(),
            skip: 0,
            times,
        }
    }

    /// Counts a request; true when the fault strikes it.
    pub(crate) fn strikes(&mut self, method: &Method, path: &str) -> bool {
        if self.method.as_ref().is_some_and(|wanted| wanted != method)
            || !path.starts_with(&self.path)
            || self.times == Some(0)
        {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if let Some(times) = &mut self.times {
            *times -= 1;
        }
        true
    }
}

impl Kind {
    fn lasts(&self) -> bool {
        matches!(
            self,
            Self::Latency(_)
                | Self::BareArray
                | Self::MissingPages
                | Self::MaxPageSize(_)
                | Self::RejectPageSize(_)
        )
    }

    fn parse(word: &str, value: Option<&str>) -> Option<Self> {
        if let Some(value) = value {
            return Some(match word {
                "rate-limit" => Self::RateLimit(Some(value.to_owned())),
                "status" => Fault::status(value.parse().ok()?).ok()?.kind,
                "latency" => Self::Latency(parse_time(value)?),
                "max-page-size" => Self::MaxPageSize(positive(value)?),
                "reject-page-size" => Self::RejectPageSize(positive(value)?),
                _ => return None,
            });
        }
        Some(match word {
            "rate-limit" => Self::RateLimit(None),
            "applied-500" => Self::AppliedThen500,
            "html-503" => Self::Html503,
            "unauthorized" => Self::Unauthorized,
            "expire-tokens" => Self::ExpireTokens,
            "drop-body" => Self::DropBody,
            "drop-request" => Self::DropRequest,
            "stall" => Self::Stall,
            "malformed" => Self::Malformed,
            "wrong-type" => Self::WrongType,
            "short-page" => Self::ShortPage,
            "empty-page" => Self::EmptyPage,
            "repeat-key" => Self::RepeatKey,
            "bare-array" => Self::BareArray,
            "missing-pages" => Self::MissingPages,
            _ => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RateLimit(None) => f.write_str("rate-limit"),
            Self::RateLimit(Some(text)) => write!(f, "rate-limit={text}"),
            Self::Status(status) => write!(f, "status={}", status.as_u16()),
            Self::AppliedThen500 => f.write_str("applied-500"),
            Self::Html503 => f.write_str("html-503"),
            Self::Unauthorized => f.write_str("unauthorized"),
            Self::ExpireTokens => f.write_str("expire-tokens"),
            Self::DropBody => f.write_str("drop-body"),
            Self::DropRequest => f.write_str("drop-request"),
            Self::Stall => f.write_str("stall"),
            Self::Malformed => f.write_str("malformed"),
            Self::WrongType => f.write_str("wrong-type"),
            Self::Latency(time) => write!(f, "latency={}ms", time.as_millis()),
            Self::ShortPage => f.write_str("short-page"),
            Self::EmptyPage => f.write_str("empty-page"),
            Self::RepeatKey => f.write_str("repeat-key"),
            Self::BareArray => f.write_str("bare-array"),
            Self::MissingPages => f.write_str("missing-pages"),
            Self::MaxPageSize(items) => write!(f, "max-page-size={items}"),
            Self::RejectPageSize(items) => write!(f, "reject-page-size={items}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match (&self.method, self.path.as_str()) {
            (None, "") => {}
            (None, path) => write!(f, "@{path}")?,
            (Some(method), path) => write!(f, "@{method} {path}")?,
        }
        if self.skip > 0 {
            write!(f, "+{}", self.skip)?;
        }
        match self.times {
            Some(1) if !self.kind.lasts() => Ok(()),
            None if self.kind.lasts() => Ok(()),
            None => f.write_str("*always"),
            Some(times) => write!(f, "*{times}"),
        }
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::setting("fault", text, why);
        let (rest, times) = match text.rsplit_once('*') {
            Some((rest, "always")) => (rest, Some(None)),
            Some((rest, times)) => {
                let times = times.parse().map_err(|_| wrong("no number after *"))?;
                (rest, Some(Some(times)))
            }
            None => (text, None),
        };
        let (rest, skip) = match rest.rsplit_once('+') {
            Some((rest, skip)) => (rest, skip.parse().map_err(|_| wrong("no number after +"))?),
            None => (rest, 0),
        };
        let (kind, route) = match rest.split_once('@') {
            Some((kind, route)) => (kind, route),
            None => (rest, ""),
        };
        let kind = match kind.split_once('=') {
            Some((word, value)) => Kind::parse(word, Some(value)),
            None => Kind::parse(kind, None),
        }
        .ok_or_else(|| wrong("no such kind, or not its kind of value"))?;
        let fault = Self::new(kind).on(route).after(skip);
        Ok(match times {
            None => fault,
            Some(None) => fault.always(),
            Some(Some(times)) => fault.times(times),
        })
    }
}

fn split_route(route: &str) -> (Option<Method>, &str) {
    match route.trim().split_once(' ') {
        Some((method, path)) => (method.parse().ok(), path.trim()),
        None => (None, route.trim()),
    }
}

fn parse_time(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?
        .parse()
        .ok()
        .map(Duration::from_secs)
}

fn positive(text: &str) -> Option<usize> {
    text.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_way_through_its_text() {
        let all = [
            Fault::rate_limit(),
            Fault::rate_limit().retry_after("date:2").times(3),
            Fault::status(502).unwrap(),
            Fault::applied_then_500().on("PATCH /endpoint"),
            Fault::html_503(),
            Fault::unauthorized().always(),
            Fault::expire_tokens(),
            Fault::drop_body().after(2),
            Fault::drop_request(),
            Fault::stall(),
            Fault::malformed(),
            Fault::wrong_type(),
            Fault::latency(Duration::from_millis(50)).on("/common"),
            Fault::short_page(),
            Fault::empty_page(),
            Fault::repeat_key(),
            Fault::bare_array().times(1),
            Fault::missing_pages(),
            Fault::max_page_size(7),
            Fault::reject_page_size(20),
        ];
        for fault in all {
            let text = fault.to_string();
            assert_eq!(text.parse::<Fault>().unwrap(), fault, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "nothing",
            "latency",
            "latency=3",
            "status=200",
            "rate-limit*x",
            "stall=1",
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.is_setting(), "{text}");
        }
    }

    #[test]
    fn a_fault_strikes_after_what_it_skips_and_as_often_as_it_says() {
        let mut fault = Fault::stall().on("GET /a").after(1).times(2);
        let struck: Vec<bool> = (0..5)
            .map(|_| fault.strikes(&Method::GET, "/a/b"))
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
        let mut other = Fault::stall().on("GET /a");
        assert!(!other.strikes(&Method::POST, "/a"));
        assert!(!other.strikes(&Method::GET, "/b"));
        assert!(other.strikes(&Method::GET, "/a"));
    }
}
