//! The blocking face: the same names and the same results without `await`.
//!
//! A blocking value drives the async one on the caller's thread; see [`bifrons`]. Inside an async
//! task a call returns an error of kind [`ErrorKind::Blocking`](crate::ErrorKind::Blocking) at once.
//!
//! ```
//! use restkit::pagination::PageStyle;
//! use restkit::transport::MockTransport;
//! use restkit::{Request, blocking::Client};
//!
//! let mock = MockTransport::new()
//!     .json(200, r#"{"items":[1,2],"pages":{"nextKey":"b"}}"#)
//!     .json(200, r#"{"items":[3],"pages":{}}"#);
//! let client = Client::builder().transport(mock).base_url("https://api.example.com").build()?;
//! let numbers = client.paginate::<u32>(Request::get("/numbers"), PageStyle::key());
//! let sum: u32 = numbers.sum::<Result<u32, _>>()?;
//! assert_eq!(sum, 6);
//! # Ok::<(), restkit::Error>(())
//! ```
//!
//! A limit set with `with_timeout` on a blocking value ends the call from outside. A write that was
//! under way then fails as [`ErrorKind::UnclearWrite`](crate::ErrorKind::UnclearWrite).

use bytes::Bytes;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::BoxFuture;
use crate::credentials::{AuthContext, Credentials, Ticket};
use crate::error::Error;

bifrons::blocking_type! {
    /// Blocking form of [`crate::Client`].
    #[derive(Clone, Debug)]
    #[blocking(used = crate::Client::is_used)]
    pub struct Client wraps crate::Client;

    /// Blocking form of [`crate::ClientBuilder`].
    #[derive(Debug)]
    pub struct ClientBuilder wraps crate::ClientBuilder;

    /// Blocking form of [`crate::Paginator`]: an iterator of items.
    #[derive(Debug)]
    #[blocking(iter = Result<T, Error>)]
    pub struct Paginator<T> wraps crate::Paginator<T> where T: DeserializeOwned + Send;

    /// Blocking form of [`crate::pagination::Pages`]: an iterator of pages.
    #[derive(Debug)]
    #[blocking(iter = Result<crate::pagination::Page<T>, Error>)]
    pub struct Pages<T> wraps crate::pagination::Pages<T> where T: DeserializeOwned + Send;

    /// Blocking form of [`crate::credentials::Oauth2ClientCredentials`].
    #[derive(Clone, Debug)]
    pub struct Oauth2ClientCredentials wraps crate::credentials::Oauth2ClientCredentials;
}

/// Blocking credentials serve a client of either face.
impl Credentials for Oauth2ClientCredentials {
    fn authorize<'a>(
        &'a self,
        request: &'a mut http::Request<Bytes>,
        context: &'a AuthContext,
    ) -> BoxFuture<'a, Result<Ticket, Error>> {
        self.as_async().authorize(request, context)
    }

    fn rejected(&self, ticket: Ticket) -> bool {
        self.as_async().rejected(ticket)
    }

    fn preview(&self, headers: &mut HeaderMap) {
        self.as_async().preview(headers);
    }
}
