use std::fmt;

use bytes::BytesMut;

/// One coding that is being undone.
pub(super) trait Codec: fmt::Debug + Send + Sync {
    /// Decodes from the front of the input into the room of the output, which is empty, and takes what it used off
    /// the input. When it neither used nor gave anything it needs more input.
    fn decode(&mut self, input: &mut BytesMut, output: &mut Vec<u8>) -> Result<(), Corrupt>;

    /// Whether the data may end here, when all of the input was used.
    fn is_complete(&self) -> bool;
}

/// What is wrong with coded data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Corrupt(pub(super) &'static str);

/// The codings that this build can undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "deflate")]
    Deflate,
    #[cfg(feature = "brotli")]
    Brotli,
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Coding {
    /// The coding of this name, if it is a known one.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        #[cfg(feature = "gzip")]
        if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        #[cfg(feature = "deflate")]
        if name.eq_ignore_ascii_case(b"deflate") {
            return Some(Self::Deflate);
        }
        #[cfg(feature = "brotli")]
        if name.eq_ignore_ascii_case(b"br") {
            return Some(Self::Brotli);
        }
        #[cfg(feature = "zstd")]
        if name.eq_ignore_ascii_case(b"zstd") {
            return Some(Self::Zstd);
        }
        let _ = name;
        None
    }

    pub(super) fn codec(self) -> Box<dyn Codec> {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => Box::<super::gzip::Gzip>::default(),
            #[cfg(feature = "deflate")]
            Self::Deflate => Box::<super::deflate::Deflate>::default(),
            #[cfg(feature = "brotli")]
            Self::Brotli => Box::<super::brotli::Brotli>::default(),
            #[cfg(feature = "zstd")]
            Self::Zstd => Box::<super::zstd::Zstd>::default(),
        }
    }
}

/// The value of Accept-Encoding to send, if any. A part of a coded body cannot be decoded, so none is asked for.
pub(crate) fn accept_encoding(of_a_range: bool) -> Option<&'static str> {
    match of_a_range {
        true => Some("identity"),
        false => Some(ACCEPTED).filter(|accepted| !accepted.is_empty()),
    }
}

/// The value of Accept-Encoding, which names exactly the codings of this build.
pub(super) const ACCEPTED: &str = match std::str::from_utf8(&JOINED) {
    Ok(list) => list,
    Err(_) => "",
};

const NAMES: &[&str] = &[
    #[cfg(feature = "gzip")]
    "gzip",
    #[cfg(feature = "deflate")]
    "deflate",
    #[cfg(feature = "brotli")]
    "br",
    #[cfg(feature = "zstd")]
    "zstd",
];

const JOINED: [u8; joined_length()] = {
    let mut joined = [b' '; joined_length()];
    let (mut at, mut name) = (0, 0);
    while name < NAMES.len() {
        if name > 0 {
            joined[at] = b',';
            at += 2;
        }
        let bytes = NAMES[name].as_bytes();
        let mut byte = 0;
        while byte < bytes.len() {
            joined[at] = bytes[byte];
            (at, byte) = (at + 1, byte + 1);
        }
        name += 1;
    }
    joined
};

const fn joined_length() -> usize {
    let (mut length, mut name) = (0, 0);
    while name < NAMES.len() {
        length += NAMES[name].len() + if name > 0 { 2 } else { 0 };
        name += 1;
    }
    length
}
