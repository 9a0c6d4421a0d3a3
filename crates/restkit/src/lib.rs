//! What every REST SDK needs, once: credentials, retries, rate limits, pagination, batches, errors.
//!
//! An SDK built on this crate describes its calls as values ([`Request`]), hands them to a
//! [`Client`], and gets a [`Response`] or an [`Error`] that tells what happened. The client does the
//! rest in a fixed order:
//!
//! ```text
//! Request ─► credentials ─► rate limits ─► attempt loop ─► Transport
//!            (one refresh     (composed      (declared       (reqivo, recording, a mock,
//!             at a time)       quotas)        idempotency)     or your own)
//! ```
//!
//! * **Requests are values.** They are built and compared without IO; see [`Request::to_http`].
//! * **IO is one trait**, [`Transport`]. [`MockTransport`](transport::MockTransport) and
//!   [`RecordingTransport`](transport::RecordingTransport) are part of the crate.
//! * **Writes are sacred.** A request says whether it may be repeated ([`Idempotency`]). What may
//!   not is never sent twice once the server may have seen it: the error is then
//!   [`ErrorKind::UnclearWrite`].
//! * **No background tasks.** Token refresh and rate limits work inside the calls that need them,
//!   so a program that blocks between calls loses nothing.
//! * **Both faces.** The module `blocking` has the same names without `await`.
//! * **Time is injected** ([`Clock`]), and so are randomness and transport.
//!
//! ```
//! use restkit::{Client, Request, transport::MockTransport};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), restkit::Error> {
//! let transport = MockTransport::new().json(200, r#"{"id":"7","name":"lathe"}"#);
//! let client = Client::builder()
//!     .transport(transport)
//!     .base_url("https://api.example.com/v1")
//!     .build()?;
//!
//! #[derive(serde::Deserialize)]
//! struct Machine { name: String }
//!
//! let machine: Machine = client
//!     .send(Request::get("/machines").segment("7").operation("get machine"))
//!     .await?
//!     .json()?;
//! assert_eq!(machine.name, "lathe");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/sdk.rs` shows a small SDK with both faces in a screenful.
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `blocking` | the module `blocking` | yes |
//! | `reqivo` | `transport::ReqivoTransport`, and it as the default transport | yes |
//!
//! Without `reqivo` the crate holds no IO at all, and a client must be given a transport.

pub mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
pub mod clock;
pub mod credentials;
mod decode;
mod error;
mod interrupted;
mod masking;
pub mod pagination;
pub mod rate_limit;
mod record;
mod request;
mod response;
pub mod retry;
pub mod transport;

pub use crate::client::{Client, ClientBuilder, DryRun};
pub use crate::clock::Clock;
pub use crate::error::{Error, ErrorDecoder, ErrorDetails, ErrorKind, JsonErrorDecoder};
pub use crate::pagination::Paginator;
pub use crate::record::Record;
pub use crate::request::{Idempotency, Request};
pub use crate::response::Response;
pub use crate::transport::Transport;

/// A boxed, sendable future, as the traits of this crate return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[doc(hidden)]
pub mod __private {
    pub use crate::record::open_text;
    pub use serde;
}
