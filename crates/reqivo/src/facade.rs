use http::Method;

use crate::error::Error;
use crate::headers::Headers;
use crate::hooks::RequestHead;
use crate::proto::Limits;
use crate::request::RequestBuilder;
use crate::response::Response;
use crate::session::{Session, SessionBuilder};
use crate::timeouts::Timeouts;
use crate::url_text::IntoUrl;

/// One client for one service: a [`Session`] that is set up in a chain of steps.
///
/// Everything a session can do is there, by [`session`](Self::session) or by making the client [from one](Self::from). Cloning is
/// cheap and shares settings, credentials, hooks and connections. Dropping the last clone closes the connections, also when that
/// happens because of an error.
///
/// ```
/// use std::time::Duration;
/// use reqivo::{Reqivo, RequestHead};
///
/// # async fn example() -> Result<(), reqivo::Error> {
/// let client = Reqivo::builder()
///     .base_url("https://api.example.com/v1/")
///     .timeout(Duration::from_secs(10))
///     .header("X-Team", "blue")
///     .build()?
///     .bearer_token("token")?
///     .on_request(|head: RequestHead| {
///         println!("{} {}", head.method, head.url);
///         Ok(head)
///     });
/// let devices = client.get("devices").send().await?.text().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Reqivo(Session);

#[bifrons::dual(blocking = crate::blocking::Reqivo)]
impl Reqivo {
    /// Creates a client with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts building a client.
    #[blocking(wrap = crate::blocking::ReqivoBuilder)]
    pub fn builder() -> ReqivoBuilder {
        ReqivoBuilder::default()
    }

    /// Sends this user name and password as `Authorization: Basic` from now on, instead of a token.
    ///
    /// # Errors
    ///
    /// When the user name holds a colon, or one of them a control character.
    pub fn basic_auth(self, user: &str, password: &str) -> Result<Self, Error> {
        self.0.set_basic_auth(user, password)?;
        Ok(self)
    }

    /// Sends this token as `Authorization: Bearer` from now on, instead of a user name and password.
    ///
    /// # Errors
    ///
    /// When the token cannot stand in a header field.
    pub fn bearer_token(self, token: &str) -> Result<Self, Error> {
        self.0.set_bearer_auth(token)?;
        Ok(self)
    }

    /// Adds a function that gets each request before it is sent and may change it; see
    /// [`SessionBuilder::pre_request_hook`].
    #[must_use]
    pub fn on_request(
        self,
        hook: impl Fn(RequestHead) -> Result<RequestHead, Error> + Send + Sync + 'static,
    ) -> Self {
        self.0.add_pre_request_hook(hook);
        self
    }

    /// Adds a function that gets each final response and returns the one that the caller gets; see
    /// [`SessionBuilder::post_response_hook`].
    #[blocking(skip = "takes a callback that gets a response; by hand with a blocking one")]
    #[must_use]
    pub fn on_response(
        self,
        hook: impl Fn(Response) -> Result<Response, Error> + Send + Sync + 'static,
    ) -> Self {
        self.0.add_post_response_hook(hook);
        self
    }

    /// Starts a GET request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.get(url)
    }

    /// Starts a HEAD request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.head(url)
    }

    /// Starts an OPTIONS request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn options(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.options(url)
    }

    /// Starts a POST request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.post(url)
    }

    /// Starts a PUT request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.put(url)
    }

    /// Starts a PATCH request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.patch(url)
    }

    /// Starts a DELETE request.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.0.delete(url)
    }

    /// Starts a request with any method. A relative URL is resolved against the base URL.
    #[blocking(wrap = crate::blocking::RequestBuilder)]
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        self.0.request(method, url)
    }

    /// Returns the session behind the client.
    #[blocking(wrap = crate::blocking::Session)]
    #[must_use]
    pub fn session(&self) -> Session {
        self.0.clone()
    }

    /// Closes every idle connection. The client stays usable.
    pub fn close(&self) {
        self.0.close_idle();
    }
}

impl From<Session> for Reqivo {
    fn from(session: Session) -> Self {
        Self(session)
    }
}

/// Builds a [`Reqivo`]. A mistake in one step is reported by [`build`](Self::build).
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug, Default)]
pub struct ReqivoBuilder(SessionBuilder);

#[bifrons::dual(blocking = crate::blocking::ReqivoBuilder)]
impl ReqivoBuilder {
    /// Resolves relative URLs against this one; see [`SessionBuilder::base_url`].
    pub fn base_url(self, url: impl IntoUrl) -> Self {
        Self(self.0.base_url(url))
    }

    /// Sets the time limits of each call. A plain `Duration` limits connect, read and total; the default is 5 s for each.
    pub fn timeout(self, timeouts: impl Into<Timeouts>) -> Self {
        Self(self.0.timeout(timeouts))
    }

    /// Sends a header field with every request that does not set one of this name itself.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self(self.0.header(name, value))
    }

    /// Sends these header fields with every request that does not set them itself.
    pub fn headers(self, headers: &Headers) -> Self {
        Self(self.0.headers(headers))
    }

    /// Sets the limits for replies.
    pub fn limits(self, limits: Limits) -> Self {
        Self(self.0.limits(limits))
    }

    /// Builds the client. No connection is opened yet.
    ///
    /// # Errors
    ///
    /// When a setting is malformed: the URL, a header field, a time limit of zero.
    #[blocking(wrap = crate::blocking::Reqivo)]
    pub fn build(self) -> Result<Reqivo, Error> {
        self.0.build().map(Reqivo)
    }
}
