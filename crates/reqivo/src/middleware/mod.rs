//! Code of the user around every exchange of a request and its response.
//!
//! A [`Middleware`] gets each request as it would go out, hands it on with [`Next::run`], and gets the response
//! back. It may change either, answer by itself, or run the rest of the chain more than once.
//!
//! # Order
//!
//! A call makes one exchange, and one more for each redirect: these are its *hops*.
//!
//! 1. The header fields of session and call are put together, and the hooks of the session run.
//! 2. Each hop: the `Cookie` field is made, then the middleware runs, first added outermost, and inside of it the
//!    transport: the network, or what [`SessionBuilder::transport`](crate::SessionBuilder::transport) set in its place, such as a
//!    [mock](crate::mock).
//! 3. Cookies of the response are stored, and a redirect starts the next hop.
//! 4. The content coding of the last response is undone while its body is read.
//!
//! So middleware sees bodies as they are on the wire, and fields with their secrets.
//!
//! ```
//! use reqivo::middleware::{HopRequest, HopResponse, Middleware, Next, Reply};
//! use reqivo::{Error, Session};
//!
//! /// Signs what goes out, and counts what comes back.
//! struct Signed;
//!
//! impl Middleware for Signed {
//!     async fn handle(&self, mut request: HopRequest, mut next: Next<'_>) -> Result<HopResponse, Error> {
//!         let signature = format!("{} {}", request.method(), request.url().path());
//!         request.headers_mut().insert("X-Signature", signature)?;
//!         next.run(request).await
//!     }
//! }
//!
//! /// Stands in for the network.
//! struct Echo;
//!
//! impl Middleware for Echo {
//!     async fn handle(&self, request: HopRequest, _: Next<'_>) -> Result<HopResponse, Error> {
//!         let signature = request.headers().get("x-signature").unwrap_or_default().into_owned();
//!         request.reply(Reply::ok(signature))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let session = Session::builder().middleware(Signed).transport(Echo).build()?;
//! let mut response = session.get("http://example.com/devices").send().await?;
//! assert_eq!(response.text().await?, "GET /devices");
//! # Ok(())
//! # }
//! ```

mod hop;
mod reply;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

pub(crate) use self::hop::Rules;
pub use self::hop::{HopRequest, HopResponse};
pub use self::reply::Reply;
use crate::error::Error;

/// Code around every exchange of a session; see the [module](self).
///
/// The same middleware serves the async and the blocking face. An implementation may be written as an `async fn`.
pub trait Middleware: Send + Sync + 'static {
    /// Handles one exchange. To hand it on, [run](Next::run) the rest of the chain.
    ///
    /// # Errors
    ///
    /// An error ends the call. [`Error::custom`] makes one.
    fn handle(
        &self,
        request: HopRequest,
        next: Next<'_>,
    ) -> impl Future<Output = Result<HopResponse, Error>> + Send;
}

/// The rest of the chain: the middleware further in, and the transport.
pub struct Next<'a> {
    rest: &'a [Link],
    end: &'a mut (dyn Terminal + 'a),
}

impl<'a> Next<'a> {
    pub(crate) fn new(rest: &'a [Link], end: &'a mut (dyn Terminal + 'a)) -> Self {
        Self { rest, end }
    }

    /// Sends the request through the rest of the chain and returns when the head of its response is there.
    ///
    /// It may run again, for example to repeat a request that failed; see [`HopRequest::try_clone`].
    ///
    /// # Errors
    ///
    /// Those of the middleware further in, and of the exchange itself.
    pub async fn run(&mut self, request: HopRequest) -> Result<HopResponse, Error> {
        match self.rest.split_first() {
            Some((first, rest)) => first.0.erased(request, Next::new(rest, self.end)).await,
            None => self.end.exchange(request).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("further", &self.rest.len())
            .finish_non_exhaustive()
    }
}

/// One middleware of a session.
#[derive(Clone)]
pub(crate) struct Link(Arc<dyn Erased>);

impl Link {
    pub(crate) fn new(middleware: impl Middleware) -> Self {
        Self(Arc::new(middleware))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Middleware")
    }
}

/// The exchange itself, behind all middleware.
pub(crate) trait Terminal: Send {
    fn exchange(&mut self, request: HopRequest) -> Handled<'_>;
}

pub(crate) type Handled<'a> = Pin<Box<dyn Future<Output = Result<HopResponse, Error>> + Send + 'a>>;

/// The object-safe form of [`Middleware`].
trait Erased: Send + Sync {
    fn erased<'a>(&'a self, request: HopRequest, next: Next<'a>) -> Handled<'a>;
}

impl<M: Middleware> Erased for M {
    fn erased<'a>(&'a self, request: HopRequest, next: Next<'a>) -> Handled<'a> {
        Box::pin(self.handle(request, next))
    }
}
