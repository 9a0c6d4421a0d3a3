//! Content coding: gzip, one member after the other, with a bound on every step of output.

#[cfg(feature = "gzip")]
mod decoder;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(not(feature = "gzip"))]
mod none;

#[cfg(feature = "gzip")]
pub(crate) use decoder::ContentDecoder;
#[cfg(not(feature = "gzip"))]
pub(crate) use none::ContentDecoder;
