//! The blocking face: the same types and methods for code that is not async.
//!
//! Every method is generated from its async one and drives it on the calling thread; see [`bifrons`]. A call from
//! inside an async task is refused with an [`Error`](crate::Error) whose
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

bifrons::blocking_type! {
    /// Blocking form of [`crate::Session`].
    #[derive(Clone, Debug)]
    pub struct Session wraps crate::Session;

    /// Blocking form of [`crate::SessionBuilder`].
    #[derive(Debug)]
    pub struct SessionBuilder wraps crate::SessionBuilder;

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
    #[blocking(iter = Result<bytes::Bytes, crate::Error>)]
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
