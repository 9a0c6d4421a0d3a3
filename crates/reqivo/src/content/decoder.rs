use bytes::{Bytes, BytesMut};

use super::codec::{Codec, Coding, Corrupt};
use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::proto::{LimitKind, Limits, ProtocolError};

/// Undoes the content codings of a body, as its pieces arrive.
///
/// It holds what was fed and not decoded yet, and for each coding the window that its format needs; it never gives
/// more than 64 KiB at once. What comes out may be at most a thousand times what went in once that is more than 1 MiB,
/// unless [`Limits::buffered_bytes`] was set; what one coding gives to the next is always held to that.
#[derive(Debug)]
pub struct ContentDecoder {
    /// In the order in which they undo the codings.
    layers: Vec<Layer>,
    coded_bytes: u64,
    ratio_guard: bool,
}

/// The outcome of a bounded amount of decoding.
pub(crate) enum Step {
    /// A piece of the body.
    Data(Bytes),
    /// Nothing yet; there is more to decode.
    Working,
    /// More of the coded body is needed.
    NeedsInput,
}

impl ContentDecoder {
    /// Creates the decoder for a body with these header fields. `None` when the body is not coded or one of its
    /// codings is not known: it is to be left as it is then.
    ///
    /// # Errors
    ///
    /// When there are more than five codings.
    pub fn new(headers: &Headers, limits: &Limits) -> Result<Option<Self>, Error> {
        let mut codings = Vec::new();
        for value in headers.get_all("content-encoding") {
            for name in crate::proto::list(value) {
                if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                    continue;
                }
                match Coding::named(name) {
                    Some(coding) => codings.push(coding),
                    None => return Ok(None),
                }
            }
        }
        if codings.is_empty() {
            return Ok(None);
        }
        if codings.len() > MAX_CODINGS {
            let error = ProtocolError::limit(LimitKind::ContentCodings, MAX_CODINGS as u64);
            return Err(Error::protocol(error, Phase::Body));
        }
        Ok(Some(Self {
            // The last one was applied last.
            layers: codings.into_iter().rev().map(Layer::new).collect(),
            coded_bytes: 0,
            ratio_guard: limits.ratio_guard,
        }))
    }

    /// Gives the decoder more of the coded body.
    pub fn feed(&mut self, data: Bytes) {
        self.coded_bytes = self.coded_bytes.saturating_add(data.len() as u64);
        if let Some(first) = self.layers.first_mut() {
            first.feed(data);
        }
    }

    /// Returns the next piece of the body, up to 64 KiB; `None` when more of the coded body is needed.
    ///
    /// # Errors
    ///
    /// When the data is corrupt, or what comes out is absurdly much for what went in.
    pub fn decode(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.step()? {
                Step::Data(data) => return Ok(Some(data)),
                Step::Working => {}
                Step::NeedsInput => return Ok(None),
            }
        }
    }

    /// Tells the decoder that the coded body ended. Call it after [`decode`](Self::decode) returned `None`.
    /// An empty coded body is an empty body.
    ///
    /// # Errors
    ///
    /// When the data is truncated.
    pub fn finish(&self) -> Result<(), Error> {
        if self.coded_bytes > 0 && !self.layers.iter().all(Layer::is_complete) {
            return Err(failed(Corrupt("the coded data is truncated")));
        }
        Ok(())
    }

    /// Decodes up to 64 KiB of one layer.
    pub(crate) fn step(&mut self) -> Result<Step, Error> {
        // From the inside out: what is there goes on before more is made.
        let last = self.layers.len().saturating_sub(1);
        for at in (0..=last).rev() {
            let Some(data) = self.layers[at].decode().map_err(failed)? else {
                continue;
            };
            self.check_ratio(at)?;
            let Some(next) = self.layers.get_mut(at + 1) else {
                return Ok(Step::Data(data));
            };
            next.feed(data);
            return Ok(Step::Working);
        }
        Ok(Step::NeedsInput)
    }

    pub(crate) fn was_fed(&self) -> bool {
        self.coded_bytes > 0
    }

    /// How much one coding gave to the next at most.
    pub(crate) fn inner_bytes(&self) -> u64 {
        let inner = self.layers.len().saturating_sub(1);
        let inner = self.layers.iter().take(inner);
        inner.map(|layer| layer.given).max().unwrap_or(0)
    }

    fn check_ratio(&self, at: usize) -> Result<(), Error> {
        if !self.ratio_guard && at + 1 == self.layers.len() {
            return Ok(());
        }
        let given = self.layers[at].given;
        // What was fed but not looked at yet does not excuse what came out.
        let unread = self.layers.first().map_or(0, |first| first.input.len());
        let coded = self.coded_bytes.saturating_sub(unread as u64);
        if given > RATIO_FREE_BYTES && given > coded.saturating_mul(MAX_RATIO) {
            let error = ProtocolError::limit(LimitKind::CompressionRatio, MAX_RATIO);
            return Err(Error::protocol(error, Phase::Body));
        }
        Ok(())
    }
}

/// One coding with what it was fed and did not use yet.
#[derive(Debug)]
struct Layer {
    codec: Box<dyn Codec>,
    input: BytesMut,
    /// How much it gave.
    given: u64,
    /// Whether it may have more to give without more input.
    full: bool,
}

impl Layer {
    fn new(coding: Coding) -> Self {
        Self {
            codec: coding.codec(),
            input: BytesMut::new(),
            given: 0,
            full: false,
        }
    }

    fn feed(&mut self, data: Bytes) {
        if self.input.is_empty() {
            // Takes the buffer over when nobody else holds it.
            self.input = BytesMut::from(data);
        } else {
            self.input.extend_from_slice(&data);
        }
    }

    fn decode(&mut self) -> Result<Option<Bytes>, Corrupt> {
        if self.input.is_empty() && !self.full {
            return Ok(None);
        }
        // A quarter more than the usual ratio, so that small bodies do not take the whole step.
        let room = match self.full {
            true => MAX_STEP,
            false => self.input.len().saturating_mul(5).clamp(MIN_STEP, MAX_STEP),
        };
        let mut output = Vec::with_capacity(room);
        // The end of the data may have waited for room only, and then uses nothing up.
        let mut again = self.full;
        loop {
            let before = self.input.len();
            self.codec.decode(&mut self.input, &mut output)?;
            self.full = output.len() == output.capacity();
            if !output.is_empty() {
                self.given = self.given.saturating_add(output.len() as u64);
                return Ok(Some(Bytes::from(output)));
            }
            let progress = self.input.len() < before || std::mem::take(&mut again);
            if self.input.is_empty() || !progress {
                return Ok(None);
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.input.is_empty() && self.codec.is_complete()
    }
}

fn failed(cause: Corrupt) -> Error {
    Error::new(ErrorKind::Decode, Phase::Body)
        .with_message("cannot decode the body")
        .with_source(cause)
}

/// More codings than this are an attack, not a format.
const MAX_CODINGS: usize = 5;
const MAX_RATIO: u64 = 1000;
const RATIO_FREE_BYTES: u64 = 1024 * 1024;
const MIN_STEP: usize = 1024;
const MAX_STEP: usize = 64 * 1024;
