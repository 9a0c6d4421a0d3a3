//! Content codings (RFC 9110 8.4): gzip, deflate, br and zstd, with a bound on every step of output.
//!
//! A [`ContentDecoder`] undoes the codings that the header fields of a response name. The client does that by itself;
//! the type is here for those who bring their own transport, beside [`proto`](crate::proto).
//!
//! | coding | format | feature | memory of one decoder |
//! |---|---|---|---|
//! | `gzip`, `x-gzip` | RFC 1952, one or more members | `gzip` | 32 KiB |
//! | `deflate` | RFC 1950, or RFC 1951 without the wrapper that some servers forget | `deflate` | 32 KiB |
//! | `br` | RFC 7932, without the large windows that it does not have | `brotli` | up to 16 MiB, as the data asks |
//! | `zstd` | RFC 8878, one or more frames, windows of up to 8 MiB (RFC 9659) | `zstd` | up to 8 MiB, as the data asks |
//!
//! A request announces exactly these in `Accept-Encoding`. One with a `Range` asks for `identity`, and a response of status
//! 206 is handed out as it is, because a part of a coded body means nothing by itself.
//!
//! ```
//! # #[cfg(feature = "gzip")] {
//! use bytes::Bytes;
//! use reqivo::{Headers, Limits, content::ContentDecoder};
//!
//! let mut headers = Headers::new();
//! headers.append("Content-Encoding", "gzip")?;
//! let mut decoder = ContentDecoder::new(&headers, &Limits::default())?.expect("a known coding");
//! # use std::io::Write;
//! # let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
//! # encoder.write_all(b"hello").unwrap();
//! # let coded = Bytes::from(encoder.finish().unwrap());
//! decoder.feed(coded);
//! let mut plain = Vec::new();
//! while let Some(piece) = decoder.decode()? {
//!     plain.extend_from_slice(&piece);
//! }
//! decoder.finish()?;
//! assert_eq!(plain, b"hello");
//! # }
//! # Ok::<(), reqivo::Error>(())
//! ```

#[cfg(feature = "brotli")]
mod brotli;
mod codec;
mod decoder;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(any(feature = "gzip", feature = "deflate"))]
mod inflate;
#[cfg(feature = "zstd")]
mod zstd;

pub(crate) use codec::accept_encoding;
pub use decoder::ContentDecoder;
pub(crate) use decoder::Step;

#[cfg(test)]
#[cfg(all(
    feature = "gzip",
    feature = "deflate",
    feature = "brotli",
    feature = "zstd"
))]
mod tests;
