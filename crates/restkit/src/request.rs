//! Requests as values: built, compared and printed without IO.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use url::Url;

use crate::error::Error;
use crate::masking;

/// Says what may be done with a request whose fate is unknown.
///
/// The answer is read by the retry loop, which never guesses: see [`retry`](crate::retry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Idempotency {
    /// The request only reads, so it may be repeated. The default of GET, HEAD, OPTIONS and TRACE.
    Safe,
    /// The request changes something, but doing it twice is the same as doing it once.
    Idempotent,
    /// The request must not be repeated once the service may have processed it. The default of all
    /// other methods, PUT and DELETE included: services were seen to break the promise.
    Once,
}

impl Idempotency {
    /// Returns true if the request may be repeated after the service may have processed it.
    #[must_use]
    pub fn may_repeat(self) -> bool {
        !matches!(self, Self::Once)
    }
}

/// One call to a service as a value: method, target, query, headers, body, and how it may be treated.
///
/// Setters never fail. Something that cannot be sent, such as a header value with a line break, is
/// reported by [`to_http`](Self::to_http) and so by the call itself, before anything is sent.
///
/// ```
/// use restkit::Request;
///
/// let request = Request::get("/endpoint/v1/endpoints")
///     .query("pageSize", 100)
///     .query_opt("view", None::<&str>)
///     .query_list("healthStatus", ["bad", "suspicious"]);
/// assert_eq!(request.query_string(), "pageSize=100&healthStatus=bad,suspicious");
/// ```
#[derive(Clone)]
pub struct Request {
    method: Method,
    target: Cow<'static, str>,
    query: Vec<(Cow<'static, str>, String)>,
    headers: HeaderMap,
    body: Bytes,
    idempotency: Idempotency,
    operation: Option<Cow<'static, str>>,
    timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    with_credentials: bool,
    fault: Option<Box<Error>>,
}

impl Request {
    /// Makes a request with a method and a target.
    ///
    /// The target is a path, which is joined to the client's base URL with exactly one slash, or an
    /// absolute URL. It is taken as it is, so text from outside goes in with
    /// [`segment`](Self::segment). A query in it is kept.
    #[must_use]
    pub fn new(method: Method, target: impl Into<Cow<'static, str>>) -> Self {
        let idempotency =
            if [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(&method) {
                Idempotency::Safe
            } else {
                Idempotency::Once
            };
        Self {
            method,
            target: target.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            idempotency,
            operation: None,
            timeout: None,
            attempt_timeout: None,
            with_credentials: true,
            fault: None,
        }
    }

    /// Makes a GET request.
    #[must_use]
    pub fn get(target: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::GET, target)
    }

    /// Makes a POST request, which is sent at most once unless [`idempotency`](Self::idempotency)
    /// says otherwise.
    #[must_use]
    pub fn post(target: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::POST, target)
    }

    /// Makes a PUT request, which is sent at most once unless [`idempotency`](Self::idempotency)
    /// says otherwise.
    #[must_use]
    pub fn put(target: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::PUT, target)
    }

    /// Makes a PATCH request, which is sent at most once unless [`idempotency`](Self::idempotency)
    /// says otherwise.
    #[must_use]
    pub fn patch(target: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::PATCH, target)
    }

    /// Makes a DELETE request, which is sent at most once unless [`idempotency`](Self::idempotency)
    /// says otherwise.
    #[must_use]
    pub fn delete(target: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Method::DELETE, target)
    }

    /// Appends a path segment, percent-encoded, so that an id from outside cannot change the route.
    ///
    /// An empty segment, `.` and `..` make the call fail as a configuration error.
    #[must_use]
    pub fn segment(mut self, segment: impl AsRef<str>) -> Self {
        let segment = segment.as_ref();
        if segment.is_empty() || segment == "." || segment == ".." {
            return self.faulty(format!("`{segment}` cannot be a path segment"));
        }
        let target = self.target.to_mut();
        // A query that came with the target stays behind the path.
        let at = target.find('?').unwrap_or(target.len());
        let tail = target.split_off(at);
        if !target.ends_with('/') {
            target.push('/');
        }
        target.extend(utf8_percent_encode(segment, UNRESERVED));
        target.push_str(&tail);
        self
    }

    /// Appends a query parameter, percent-encoded. Order is kept, and names may repeat.
    #[must_use]
    pub fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        self.query.push((
            name.into(),
            utf8_percent_encode(&value, UNRESERVED).to_string(),
        ));
        self
    }

    /// Appends a query parameter if there is a value.
    #[must_use]
    pub fn query_opt(
        self,
        name: impl Into<Cow<'static, str>>,
        value: Option<impl fmt::Display>,
    ) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Appends a list as one parameter with values separated by commas, each value percent-encoded
    /// by itself. An empty list is not sent.
    #[must_use]
    pub fn query_list<V: fmt::Display>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let mut joined = String::new();
        let mut any = false;
        for value in values {
            if any {
                joined.push(',');
            }
            any = true;
            joined.extend(utf8_percent_encode(&value.to_string(), UNRESERVED));
        }
        if any {
            self.query.push((name.into(), joined));
        }
        self
    }

    /// Sets a query parameter: the first of that name gets the value in its place, others of that
    /// name are removed. Without one it is appended.
    #[must_use]
    pub fn set_query(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
    ) -> Self {
        let name = name.into();
        let value = utf8_percent_encode(&value.to_string(), UNRESERVED).to_string();
        match self.query.iter().position(|(other, _)| *other == name) {
            None => self.query.push((name, value)),
            Some(first) => {
                let mut index = 0;
                self.query.retain(|(other, _)| {
                    let keep = index <= first || *other != name;
                    index += 1;
                    keep
                });
                if let Some(place) = self.query.get_mut(first) {
                    place.1 = value;
                }
            }
        }
        self
    }

    /// Removes all query parameters of that name.
    #[must_use]
    pub fn remove_query(mut self, name: &str) -> Self {
        self.query.retain(|(other, _)| other != name);
        self
    }

    /// Sets a header, replacing earlier values of that name.
    #[must_use]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(mut value)) => {
                if masking::is_secret_header(&name) {
                    value.set_sensitive(true);
                }
                self.headers.insert(name, value);
                self
            }
            (Err(_), _) => self.faulty("a header name of the request is not valid"),
            // The value may be a secret, so it is not shown.
            (Ok(name), Err(_)) => self.faulty(format!("the value of header `{name}` is not valid")),
        }
    }

    /// Sets a JSON body and its content type.
    ///
    /// # Errors
    /// A configuration error if the value cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|source| {
            Error::configuration("the request body cannot be written as JSON").with_source(source)
        })?;
        Ok(self.body(body, "application/json"))
    }

    /// Sets a form body (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn form<K: AsRef<str>, V: AsRef<str>>(
        self,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            body.append_pair(name.as_ref(), value.as_ref());
        }
        self.body(body.finish(), "application/x-www-form-urlencoded")
    }

    /// Sets a body of bytes and its content type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>, content_type: &str) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE, content_type)
    }

    /// Declares whether the request may be repeated after the service may have processed it.
    /// The default follows from the method; see [`Idempotency`].
    #[must_use]
    pub fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// Names the call for errors and traces, such as `get endpoint 3f2a`. Without a name they show
    /// method and URL.
    #[must_use]
    pub fn operation(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.operation = Some(name.into());
        self
    }

    /// Limits the whole call: retries, waiting for quotas and a token refresh included.
    /// The default is the [retry policy's](crate::retry::RetryPolicy::overall_timeout).
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Limits each attempt. The default is the
    /// [retry policy's](crate::retry::RetryPolicy::attempt_timeout), 30 seconds.
    #[must_use]
    pub fn with_attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = Some(limit);
        self
    }

    /// Sends the request without the client's credentials.
    #[must_use]
    pub fn without_credentials(mut self) -> Self {
        self.with_credentials = false;
        self
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the target as it was given, segments appended, without the query parameters.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the query parameters, encoded and joined.
    #[must_use]
    pub fn query_string(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.query {
            if !out.is_empty() {
                out.push('&');
            }
            out.extend(utf8_percent_encode(name, QUERY_NAME));
            out.push('=');
            out.push_str(value);
        }
        out
    }

    /// Returns the decoded value of the first query parameter of that name.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        let (_, value) = self.query.iter().find(|(other, _)| other == name)?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    }

    /// Returns the headers set on this request; the client adds its own where these say nothing.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body; empty if there is none.
    #[must_use]
    pub fn body_bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns what may be done if the request's fate is unknown.
    #[must_use]
    pub fn declared_idempotency(&self) -> Idempotency {
        self.idempotency
    }

    /// Returns the name given with [`operation`](Self::operation).
    #[must_use]
    pub fn operation_name(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// Returns true if the client puts its credentials on the request.
    #[must_use]
    pub fn wants_credentials(&self) -> bool {
        self.with_credentials
    }

    /// Returns the limit for the whole call, if the request sets one.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the limit for one attempt, if the request sets one.
    #[must_use]
    pub fn attempt_timeout(&self) -> Option<Duration> {
        self.attempt_timeout
    }

    /// Returns the URL the request goes to.
    ///
    /// # Errors
    /// A configuration error if the request is faulty, or if target and base make no HTTP URL.
    pub fn url(&self, base: Option<&Url>) -> Result<Url, Error> {
        if let Some(fault) = &self.fault {
            return Err((**fault).clone());
        }
        let absolute = self.target.starts_with("http://") || self.target.starts_with("https://");
        let mut url = if absolute {
            Url::parse(&self.target).map_err(|source| {
                Error::configuration("the request's URL is not valid").with_source(source)
            })?
        } else {
            let base = base.ok_or_else(|| {
                Error::configuration("the request has a path only, and the client has no base URL")
            })?;
            joined(base, &self.target)?
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::configuration("the request's URL is not an HTTP URL"));
        }
        if !self.query.is_empty() {
            let mut query = url.query().unwrap_or_default().to_owned();
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&self.query_string());
            url.set_query(Some(&query));
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Returns the request as it goes on the wire, without what the client adds: credentials,
    /// default headers, the user agent.
    ///
    /// `Accept: application/json` is set unless the request says otherwise.
    ///
    /// # Errors
    /// A configuration error if the request is faulty, or if target and base make no HTTP URL.
    pub fn to_http(&self, base: Option<&Url>) -> Result<http::Request<Bytes>, Error> {
        let url = self.url(base)?;
        self.to_http_at(&url)
    }

    pub(crate) fn to_http_at(&self, url: &Url) -> Result<http::Request<Bytes>, Error> {
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(url.as_str())
            .body(self.body.clone())
            .map_err(|source| {
                Error::configuration("the request's URL is not valid").with_source(source)
            })?;
        *request.headers_mut() = self.headers.clone();
        request
            .headers_mut()
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// Replaces the body and keeps everything else.
    pub(crate) fn set_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    fn faulty(mut self, text: impl Into<String>) -> Self {
        // The first fault is the one to mend.
        if self.fault.is_none() {
            self.fault = Some(Box::new(Error::configuration(text)));
        }
        self
    }
}

/// Shows the request with secrets masked and the body as its length.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Url::parse("http://base.invalid")
            .ok()
            .and_then(|base| self.url(Some(&base)).ok())
            .map(|url| masking::url(&url).replace("http://base.invalid", ""));
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &shown.as_deref().unwrap_or("(faulty)"))
            .field("headers", &masking::headers(&self.headers))
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("idempotency", &self.idempotency)
            .finish_non_exhaustive()
    }
}

/// Parses a base URL as the client and its views take it.
pub(crate) fn base_url(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text)
        .map_err(|source| Error::configuration("the base URL is not valid").with_source(source))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Error::configuration("the base URL is not an HTTP URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::configuration(
            "the base URL carries user info; give credentials to the client instead",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::configuration(
            "the base URL carries a query or a fragment",
        ));
    }
    Ok(url)
}

/// Joins a base and a path with exactly one slash.
fn joined(base: &Url, target: &str) -> Result<Url, Error> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut url = base.clone();
    let stem = base.path().trim_end_matches('/');
    let path = path.trim_start_matches('/');
    url.set_path(&if path.is_empty() {
        format!("{stem}/")
    } else {
        format!("{stem}/{path}")
    });
    url.set_query(query);
    Ok(url)
}

/// Everything but RFC 3986 unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Names of parameters may also hold the `$` of OData and the brackets of nested names.
const QUERY_NAME: &AsciiSet = &UNRESERVED.remove(b'$').remove(b'[').remove(b']');

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Url {
        base_url(text).unwrap()
    }

    fn url_of(request: &Request, at: &str) -> String {
        request.to_http(Some(&base(at))).unwrap().uri().to_string()
    }

    #[test]
    fn base_and_path_meet_in_exactly_one_slash() {
        for at in ["http://h:1/v1", "http://h:1/v1/"] {
            for path in ["/a/b", "a/b"] {
                assert_eq!(url_of(&Request::get(path), at), "http://h:1/v1/a/b");
            }
        }
        assert_eq!(url_of(&Request::get("/a"), "http://h"), "http://h/a");
    }

    #[test]
    fn an_absolute_target_ignores_the_base() {
        let request = Request::get("https://other.example/x?a=1").query("b", 2);
        assert_eq!(
            url_of(&request, "http://h"),
            "https://other.example/x?a=1&b=2"
        );
        assert!(request.to_http(None).is_ok());
        assert!(
            Request::get("/x")
                .to_http(None)
                .unwrap_err()
                .is_configuration()
        );
    }

    #[test]
    fn each_value_of_a_list_is_encoded_and_the_commas_are_not() {
        let request = Request::get("/x").query_list("cloud", ["aws:i-1", "a,b", "c d+e"]);
        assert_eq!(request.query_string(), "cloud=aws%3Ai-1,a%2Cb,c%20d%2Be");
        assert_eq!(request.query_value("cloud").unwrap(), "aws:i-1,a,b,c d+e");
        assert_eq!(
            Request::get("/x")
                .query_list("ids", Vec::<&str>::new())
                .query_string(),
            ""
        );
    }

    #[test]
    fn set_query_keeps_the_place_and_drops_repetitions() {
        let request = Request::get("/x")
            .query("a", 1)
            .query("k", 2)
            .query("b", 3)
            .query("k", 4)
            .set_query("k", "n/1");
        assert_eq!(request.query_string(), "a=1&k=n%2F1&b=3");
        assert_eq!(
            request.remove_query("k").set_query("c", 0).query_string(),
            "a=1&b=3&c=0"
        );
    }

    #[test]
    fn a_segment_cannot_change_the_route() {
        let request = Request::get("/endpoints")
            .segment("../admin?x=1#y")
            .segment("isolation");
        assert_eq!(
            url_of(&request, "http://h"),
            "http://h/endpoints/..%2Fadmin%3Fx%3D1%23y/isolation"
        );
        for bad in ["", ".", ".."] {
            let error = Request::delete("/endpoints")
                .segment(bad)
                .to_http(None)
                .unwrap_err();
            assert!(error.is_configuration(), "{error}");
        }
        assert_eq!(
            url_of(&Request::get("/a?q=1").segment("b"), "http://h"),
            "http://h/a/b?q=1"
        );
    }

    #[test]
    fn the_method_decides_what_may_be_repeated_unless_declared() {
        assert_eq!(Request::get("/").declared_idempotency(), Idempotency::Safe);
        for once in [
            Request::post("/"),
            Request::put("/"),
            Request::patch("/"),
            Request::delete("/"),
        ] {
            assert_eq!(once.declared_idempotency(), Idempotency::Once);
        }
        let search = Request::post("/search").idempotency(Idempotency::Safe);
        assert!(search.declared_idempotency().may_repeat());
    }

    #[test]
    fn bodies_carry_their_content_type() {
        let json = Request::post("/x").json(&serde_json::json!({})).unwrap();
        assert_eq!(json.body_bytes(), "{}");
        assert_eq!(json.headers()[CONTENT_TYPE], "application/json");
        let form = Request::post("/x").form([("a", "1 2"), ("secret", "&=")]);
        assert_eq!(form.body_bytes(), "a=1+2&secret=%26%3D");
        assert_eq!(
            form.headers()[CONTENT_TYPE],
            "application/x-www-form-urlencoded"
        );
    }

    #[test]
    fn a_faulty_header_is_reported_without_its_value() {
        let error = Request::get("/x")
            .header("x-api-key", "hunter2\n")
            .to_http(Some(&base("http://h")))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the value of header `x-api-key` is not valid"
        );
    }

    #[test]
    fn accept_is_json_unless_said_otherwise() {
        let base = base("http://h");
        let default = Request::get("/x").to_http(Some(&base)).unwrap();
        assert_eq!(default.headers()[ACCEPT], "application/json");
        let csv = Request::get("/x")
            .header(ACCEPT, "text/csv")
            .to_http(Some(&base))
            .unwrap();
        assert_eq!(csv.headers()[ACCEPT], "text/csv");
    }

    #[test]
    fn a_base_url_with_secrets_or_another_scheme_is_refused() {
        for bad in ["ftp://h", "http://u:p@h", "http://h/?a=1", "h", "/v1"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_masks_secrets() {
        let request = Request::post("/x")
            .query("api_key", "hunter2")
            .header("x-auth-token", "hunter2")
            .body("hunter2", "text/plain");
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
