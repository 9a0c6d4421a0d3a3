//! Sockets: connecting, TLS, one connection, one exchange on it.

pub(crate) mod clock;
pub(crate) mod conn;
pub(crate) mod connect;
pub(crate) mod dial;
pub(crate) mod exchange;
pub(crate) mod memory;
pub(crate) mod resolve;
pub(crate) mod route;
pub(crate) mod stream;
mod through;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod upload;
