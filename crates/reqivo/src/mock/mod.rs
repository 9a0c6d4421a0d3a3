//! Stand-ins for servers, for the tests of programs that use this crate.
//!
//! A [`MockTransport`] in place of the network answers what it was told to and remembers what it was asked. Hooks, cookies, middleware, redirects, limits and
//! content codings work as ever; no socket is opened and nothing waits.
//!
#![cfg_attr(
    feature = "json",
    doc = "A [`Recorder`] keeps what a real server answered, and the [`Cassette`] with it answers in its place later."
)]
//!
//! ```
//! use reqivo::mock::{MockFault, MockTransport, Reply};
//! use reqivo::{Error, Session};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let mock = MockTransport::new();
//! mock.get("/devices").query("page", "1").reply(Reply::ok("[1, 2]"));
//! mock.get("/old").reply(Reply::redirect(301, "/devices?page=1"));
//! let restart = mock.post("/devices/*/restart").replies([Reply::new(503), Reply::new(204)]);
//! mock.get("/broken").fail(MockFault::ConnectionRefused);
//!
//! let session = Session::builder()
//!     .base_url("https://api.example.com/")
//!     .transport(mock.clone())
//!     .build()?;
//! assert_eq!(session.get("old").send().await?.text().await?, "[1, 2]");
//! assert_eq!(session.post("devices/7/restart").send().await?.status(), 503);
//! assert_eq!(session.post("devices/8/restart").send().await?.status(), 204);
//! assert!(session.get("broken").send().await.unwrap_err().is_connect());
//!
//! assert_eq!(restart.requests()[1].url().path(), "/devices/8/restart");
//! mock.assert_done();
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "json")]
mod cassette;
mod pattern;
#[cfg(feature = "json")]
mod recorder;
mod request;
mod route;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;

#[cfg(feature = "json")]
pub use self::cassette::{Cassette, Player};
#[cfg(feature = "json")]
pub use self::recorder::{RecordedHop, RecordedResponse, Recorder};
pub use self::request::MockRequest;
pub use self::route::{MockAnswer, MockFault, MockHandle, MockRoute};
use self::route::{Route, Rule};
use crate::error::Error;
pub use crate::middleware::Reply;
use crate::middleware::{HopRequest, HopResponse, Middleware, Next};

/// A transport that answers from a list of routes instead of over the network. Clones share the routes.
///
/// Give it to [`SessionBuilder::transport`](crate::SessionBuilder::transport), on either face. Of the routes that match a
/// request and have answers left the first one answers. A request that none answers fails with a text that says what was
/// asked and what there is.
#[derive(Clone, Default)]
pub struct MockTransport {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    routes: Vec<Route>,
    seen: Vec<MockRequest>,
    unanswered: Vec<String>,
}

impl MockTransport {
    /// Creates a transport without routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a route for GET requests; see [`on`](Self::on).
    pub fn get(&self, url: &str) -> MockRoute {
        self.on(Method::GET, url)
    }

    /// Starts a route for POST requests; see [`on`](Self::on).
    pub fn post(&self, url: &str) -> MockRoute {
        self.on(Method::POST, url)
    }

    /// Starts a route for PUT requests; see [`on`](Self::on).
    pub fn put(&self, url: &str) -> MockRoute {
        self.on(Method::PUT, url)
    }

    /// Starts a route for DELETE requests; see [`on`](Self::on).
    pub fn delete(&self, url: &str) -> MockRoute {
        self.on(Method::DELETE, url)
    }

    /// Starts a route for requests of this method to this URL.
    ///
    /// The URL is a whole one, or a path from `/` on for any host. In both `*` stands for any text, also for none and
    /// also for `/`. Without `?` in it any query matches.
    pub fn on(&self, method: Method, url: &str) -> MockRoute {
        self.route().method(method).url(url)
    }

    /// Starts a route for all requests, to be narrowed down by the methods of [`MockRoute`].
    pub fn route(&self) -> MockRoute {
        MockRoute::new(self.clone(), Rule::default())
    }

    /// Returns every request so far, in order, also those that had no answer.
    #[must_use]
    pub fn requests(&self) -> Vec<MockRequest> {
        self.lock().seen.clone()
    }

    /// Checks that every request had an answer, and that every answer with a number was given.
    ///
    /// # Panics
    ///
    /// When one was not; the text says which.
    #[track_caller]
    pub fn assert_done(&self) {
        let state = self.lock();
        let mut open: Vec<String> = state.unanswered.clone();
        open.extend(state.routes.iter().filter_map(Route::open));
        drop(state);
        assert!(open.is_empty(), "the mock is not done: {}", open.join("; "));
    }

    /// What answers a request, and how.
    fn answer(&self, request: &MockRequest) -> Result<MockAnswer, Error> {
        let mut state = self.lock();
        state.seen.push(request.clone());
        let at = state.seen.len() - 1;
        let found = state
            .routes
            .iter_mut()
            .find_map(|route| route.take(request, at));
        match found {
            Some(answer) => {
                drop(state);
                Ok(answer.of(request))
            }
            None => {
                let routes: Vec<String> = state.routes.iter().map(ToString::to_string).collect();
                let text = format!(
                    "no mock answers {} {}; there are {} routes: {}",
                    request.method(),
                    crate::error::without_secrets(request.url()),
                    routes.len(),
                    routes.join(", "),
                );
                state.unanswered.push(text.clone());
                Err(Error::custom(text))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Middleware for MockTransport {
    async fn handle(&self, mut request: HopRequest, _: Next<'_>) -> Result<HopResponse, Error> {
        let seen = MockRequest::of(&mut request).await?;
        match self.answer(&seen)? {
            MockAnswer::Reply(reply) => request.reply(*reply),
            MockAnswer::Fault(fault) => Err(fault.error(&request)),
        }
    }
}

impl fmt::Debug for MockTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let routes: Vec<String> = state.routes.iter().map(ToString::to_string).collect();
        f.debug_struct("MockTransport")
            .field("routes", &routes)
            .field("requests", &state.seen.len())
            .finish()
    }
}
