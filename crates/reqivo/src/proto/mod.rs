//! The HTTP/1.1 protocol core: bytes in, events and bytes out, no IO.
//!
//! [`Decoder`] turns the bytes of one exchange into [`Event`]s. It gives the same result for every way
//! the input is split into reads, never recurses, and holds no more memory than its [`Limits`] and
//! one read allow. [`encode`] writes request heads. The transport of this crate drives both; a user
//! who brings his own transport can do the same.
//!
//! ```
//! use bytes::BytesMut;
//! use reqivo::proto::{Decoder, Event};
//!
//! let mut decoder = Decoder::new(&http::Method::GET, &Default::default(), &Default::default());
//! let mut input = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
//! assert!(matches!(decoder.decode(&mut input)?, Some(Event::Head(head)) if head.status() == 200));
//! assert!(matches!(decoder.decode(&mut input)?, Some(Event::Data(data)) if data == "hi"));
//! assert!(matches!(decoder.decode(&mut input)?, Some(Event::End)));
//! assert!(decoder.is_reusable());
//! # Ok::<(), reqivo::proto::ProtocolError>(())
//! ```

mod chunked;
mod decoder;
pub mod encode;
mod error;
mod framing;
mod head;
mod limits;

pub use decoder::{Decoder, Event};
pub use error::{LimitKind, ProtocolError, Violation};
pub use framing::BodyLength;
pub(crate) use framing::list;
pub use head::Head;
pub use limits::{Limits, Tolerance};

#[cfg(test)]
mod tests;

/// Counts bytes that are looked at, so that tests can tell how the work grows.
#[cfg(test)]
fn count_work(bytes: usize) {
    tests::WORK.set(tests::WORK.get() + bytes as u64);
}

#[cfg(not(test))]
#[inline(always)]
fn count_work(_: usize) {}
