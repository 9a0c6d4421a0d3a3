use bytes::Bytes;

use crate::error::Error;
use crate::headers::Headers;
use crate::proto::Limits;

/// The decoder of a build without any: there is no value of it.
#[derive(Debug)]
pub(crate) enum ContentDecoder {}

impl ContentDecoder {
    pub(crate) const ACCEPTED: Option<&'static str> = None;

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the same signature as with decoders"
    )]
    pub(crate) fn of(_: &Headers, _: &Limits) -> Result<Option<Self>, Error> {
        Ok(None)
    }

    pub(crate) fn feed(&mut self, _: Bytes) {
        match *self {}
    }

    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match *self {}
    }

    pub(crate) fn finish(&self) -> Result<(), Error> {
        match *self {}
    }
}
