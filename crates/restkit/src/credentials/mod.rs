//! What proves to a service who is calling.
//!
//! | type | puts on a request | renews itself |
//! |---|---|---|
//! | [`Basic`] | `Authorization: Basic ..` | no |
//! | [`Bearer`] | `Authorization: Bearer ..` | no |
//! | [`StaticHeaders`] | headers of your choice | no |
//! | [`Oauth2ClientCredentials`] | `Authorization: Bearer ..` | before it expires, and once after a 401 |
//!
//! Credentials only go to the origin of the client's base URL and to those named with
//! [`allow_origin`](crate::ClientBuilder::allow_origin). A request to another origin fails before
//! anything is sent, unless it says
//! [`without_credentials`](crate::Request::without_credentials).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::BoxFuture;
use crate::error::Error;
use crate::masking::MASK;

mod fixed;
mod oauth2;

pub use self::fixed::{Basic, Bearer, StaticHeaders};
pub use self::oauth2::{ClientAuthentication, Oauth2ClientCredentials};
pub use crate::client::AuthContext;

/// Puts what proves the caller's identity on each request.
pub trait Credentials: Send + Sync + 'static {
    /// Authorizes one request, fetching or renewing a token first if one is needed.
    ///
    /// The returned ticket names the token that was used, so that a later
    /// [`rejected`](Self::rejected) drops that one and not its successor.
    ///
    /// # Cancel safety
    /// The future may be dropped at any point; other callers that wait for the same token must not
    /// be left waiting.
    fn authorize<'a>(
        &'a self,
        request: &'a mut http::Request<Bytes>,
        context: &'a AuthContext,
    ) -> BoxFuture<'a, Result<Ticket, Error>>;

    /// Learns that the service refused the token of `ticket` with 401. True means that another
    /// [`authorize`](Self::authorize) may do better; the client then repeats the request once.
    fn rejected(&self, ticket: Ticket) -> bool {
        let _ = ticket;
        false
    }

    /// Shows on the headers of a dry run what would be sent, with secrets masked and without IO.
    fn preview(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, HeaderValue::from_static(MASK));
    }
}

impl<C: Credentials + ?Sized> Credentials for Arc<C> {
    fn authorize<'a>(
        &'a self,
        request: &'a mut http::Request<Bytes>,
        context: &'a AuthContext,
    ) -> BoxFuture<'a, Result<Ticket, Error>> {
        (**self).authorize(request, context)
    }

    fn rejected(&self, ticket: Ticket) -> bool {
        (**self).rejected(ticket)
    }

    fn preview(&self, headers: &mut HeaderMap) {
        (**self).preview(headers);
    }
}

impl fmt::Debug for dyn Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(********)")
    }
}

/// Names the token that authorized a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// Makes a ticket from a number that is different for each token.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}
