//! The blocking face: the same types and methods for code that is not async.
//!
//! Every method is generated from its async one and drives it on the calling thread; see [`bifrons`]. A call from
//! inside an async task is refused with an [`Error`] whose
//! [`blocking`](crate::Error::blocking) says what to do instead.
//!
//! ```
//! use std::io::{Read, Write};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let url = format!("http://{}/", listener.local_addr()?);
//! # let server = std::thread::spawn(move || {
//! #     let (mut socket, _) = listener.accept().unwrap();
//! #     let _ = socket.read(&mut [0; 1024]).unwrap();
//! #     socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
//! # });
//! let session = reqivo::blocking::Session::builder().header("X-Team", "blue").build()?;
//! let mut response = session.get(&url).send()?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.text()?, "hello");
//! # server.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use bifrons::Twin;

use crate::error::Error;
use crate::hooks::After;

pub use crate::one_shot::blocking::{delete, get, head, options, patch, post, put, request};

bifrons::blocking_type! {
    /// Blocking form of [`crate::Session`].
    #[derive(Clone, Debug)]
    pub struct Session wraps crate::Session;

    /// Blocking form of [`crate::SessionBuilder`].
    #[derive(Debug)]
    pub struct SessionBuilder wraps crate::SessionBuilder;

    /// Blocking form of [`crate::Reqivo`].
    #[derive(Clone, Debug)]
    pub struct Reqivo wraps crate::Reqivo;

    /// Blocking form of [`crate::ReqivoBuilder`].
    #[derive(Debug)]
    #[must_use = "a builder does nothing until `build`"]
    pub struct ReqivoBuilder wraps crate::ReqivoBuilder;

    /// Blocking form of [`crate::Connection`].
    #[derive(Debug)]
    pub struct Connection wraps crate::Connection;

    /// Blocking form of [`crate::ConnectionPool`].
    #[derive(Clone, Debug)]
    pub struct ConnectionPool wraps crate::ConnectionPool;

    /// Blocking form of [`crate::RequestBuilder`].
    #[derive(Debug)]
    #[must_use = "a request does nothing until it is sent"]
    pub struct RequestBuilder wraps crate::RequestBuilder;

    /// Blocking form of [`crate::Response`].
    #[derive(Debug)]
    pub struct Response wraps crate::Response;

    /// Blocking form of [`crate::ResponseBody`]: an iterator over pieces as they arrive, and a reader.
    #[derive(Debug)]
    #[blocking(iter = Result<bytes::Bytes, Error>)]
    pub struct ResponseBody wraps crate::ResponseBody;
}

impl AsRef<crate::Connection> for Connection {
    fn as_ref(&self) -> &crate::Connection {
        self.as_async()
    }
}

impl From<Connection> for crate::Connection {
    fn from(connection: Connection) -> Self {
        connection.into_async()
    }
}

impl AsRef<crate::ConnectionPool> for ConnectionPool {
    fn as_ref(&self) -> &crate::ConnectionPool {
        self.as_async()
    }
}

impl Session {
    /// Sends a request of the `http` crate with the settings of the session.
    ///
    /// Blocking form of [`crate::Session::execute()`].
    ///
    /// # Errors
    ///
    /// As [`RequestBuilder::send`].
    pub fn execute(
        &self,
        request: http::Request<impl Into<crate::Body> + Send>,
    ) -> Result<Response, Error> {
        self.prepare(request).send()
    }

    /// Adds a [hook](SessionBuilder::post_response_hook) that runs after each call, after those that are there.
    /// All clones of the session get it.
    ///
    /// Blocking form of [`crate::Session::add_post_response_hook()`].
    pub fn add_post_response_hook(
        &self,
        hook: impl Fn(Response) -> Result<Response, Error> + Send + Sync + 'static,
    ) {
        self.as_async().add_after(After::Blocking(Arc::new(hook)));
    }
}

impl Reqivo {
    /// Adds a function that gets each final response, may read its body, and returns the one that the caller gets; see
    /// [`SessionBuilder::post_response_hook`].
    ///
    /// Blocking form of [`crate::Reqivo::on_response()`].
    #[must_use]
    pub fn on_response(
        self,
        hook: impl Fn(Response) -> Result<Response, Error> + Send + Sync + 'static,
    ) -> Self {
        self.session().add_post_response_hook(hook);
        self
    }
}

impl From<Session> for Reqivo {
    fn from(session: Session) -> Self {
        let (session, bridge) = session.into_held().into_parts();
        Self::from_parts(session.into(), bridge)
    }
}

impl SessionBuilder {
    /// Adds a function that gets each final response, may read its body, and returns the one that the caller gets.
    /// Several run in the order they were added in, on the thread of the call.
    ///
    /// Blocking form of [`crate::SessionBuilder::post_response_hook()`]. The session is then for blocking calls only.
    #[must_use = "a builder does nothing until `build`"]
    pub fn post_response_hook(
        self,
        hook: impl Fn(Response) -> Result<Response, Error> + Send + Sync + 'static,
    ) -> Self {
        let hook = After::Blocking(Arc::new(hook));
        Self::from_held(self.into_held().step(|builder| builder.add_after(hook)))
    }
}

impl RequestBuilder {
    /// Sends the request and returns when the head of the final response is there.
    ///
    /// Blocking form of [`crate::RequestBuilder::send()`]. Hooks run on this thread, and may make calls themselves.
    ///
    /// # Errors
    ///
    /// Those of the async method, and one where a thread may not block, and when the time is up or the call is
    /// cancelled: see [`BlockingError`](bifrons::BlockingError).
    pub fn send(self) -> Result<Response, Error> {
        let (request, bridge) = self.into_held().into_parts();
        crate::hooks::send_blocking(request, &bridge)
    }
}
