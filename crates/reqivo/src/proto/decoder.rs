use bytes::{Bytes, BytesMut};
use http::Method;

use super::chunked::{Chunked, Piece};
use super::framing::Framing;
use super::head::Scanner;
use super::{BodyLength, Head, LimitKind, Limits, ProtocolError, Tolerance, Violation};
use crate::headers::Headers;

/// What a reply is made of, in the order of its arrival.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// An interim (1xx) response; the final one follows.
    Interim(Head),
    /// The head of the final response.
    Head(Head),
    /// Bytes of the body, freed from the transfer coding; never empty.
    Data(Bytes),
    /// The trailer fields of a chunked body, without those that decide framing or routing.
    Trailers(Headers),
    /// The end of the reply.
    End,
}

/// The state of one exchange, seen from the receiving side.
///
/// Feed the bytes of the connection into one buffer and call [`decode`](Self::decode) until it returns
/// `None`; call [`finish`](Self::finish) when the connection ends. An error is final.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    method: Method,
    limits: Limits,
    tolerance: Tolerance,
    head_bytes: usize,
    interims: u32,
    persistent: bool,
    length: BodyLength,
}

#[derive(Debug)]
enum State {
    Head(Scanner),
    Known {
        left: u64,
    },
    Chunked(Chunked),
    UntilClose {
        seen: u64,
    },
    /// The body ended, the end was not told yet.
    Ending,
    Ended,
    Failed(ProtocolError),
}

impl Decoder {
    /// Creates the decoder for the reply to a request with this method.
    #[must_use]
    pub fn new(method: &Method, limits: &Limits, tolerance: &Tolerance) -> Self {
        Self {
            state: State::Head(Scanner::head(limits, tolerance, 0)),
            method: method.clone(),
            limits: limits.clone(),
            tolerance: tolerance.clone(),
            head_bytes: 0,
            interims: 0,
            persistent: false,
            length: BodyLength::Empty,
        }
    }

    /// Takes the next event off the front of the input. `None` means that more input is needed.
    ///
    /// # Errors
    ///
    /// When the reply breaks a rule or a limit; the same error is returned from then on.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        self.step(input).inspect_err(|error| self.fail(*error))
    }

    /// Tells the decoder that the input ended. Call it after [`decode`](Self::decode) returned `None`.
    ///
    /// # Errors
    ///
    /// When the reply was not complete.
    pub fn finish(&mut self, input: &mut BytesMut) -> Result<Event, ProtocolError> {
        let error = match &self.state {
            State::Ended | State::Ending => return Ok(self.end()),
            State::UntilClose { .. } => return Ok(self.end()),
            State::Head(scanner) if self.interims == 0 && !scanner.started(input) => {
                Violation::ClosedWithoutReply.into()
            }
            State::Head(_) => Violation::IncompleteHead.into(),
            State::Known { .. } | State::Chunked(_) => Violation::IncompleteBody.into(),
            State::Failed(error) => *error,
        };
        self.fail(error);
        Err(error)
    }

    /// Returns how the end of the body is known, once the head was decoded.
    #[must_use]
    pub fn body_length(&self) -> BodyLength {
        self.length
    }

    /// Returns whether the whole reply was decoded.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Returns whether the reply ended and its connection may carry another exchange.
    ///
    /// The caller must see to it that no input is left over and that the request was sent whole.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.persistent && self.is_ended()
    }

    /// Returns whether any part of a reply was decoded or is in `input`.
    #[must_use]
    pub fn has_started(&self, input: &[u8]) -> bool {
        match &self.state {
            State::Head(scanner) => self.interims > 0 || scanner.started(input),
            _ => true,
        }
    }

    /// How many bytes of a body of known length are still to come, when nothing else precedes them.
    pub(crate) fn known_left(&self) -> Option<u64> {
        match &self.state {
            State::Known { left } => Some(*left),
            _ => None,
        }
    }

    /// Accounts for bytes of a body of known length that went around the input buffer.
    pub(crate) fn skip_known(&mut self, count: u64) {
        if let State::Known { left } = &mut self.state {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.state = State::Ending;
            }
        }
    }

    fn step(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        match &mut self.state {
            State::Head(scanner) => {
                let Some((head, length)) = scanner.take_head(input)? else {
                    return Ok(None);
                };
                self.head_bytes += length;
                self.after_head(head).map(Some)
            }
            State::Known { left } => {
                if input.is_empty() {
                    return Ok(None);
                }
                let take = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left -= take as u64;
                if *left == 0 {
                    self.state = State::Ending;
                }
                Ok(Some(Event::Data(input.split_to(take).freeze())))
            }
            State::Chunked(chunked) => {
                match chunked.decode(input, &self.limits, &self.tolerance)? {
                    None => Ok(None),
                    Some(Piece::Data(data)) => Ok(Some(Event::Data(data))),
                    Some(Piece::Trailers(trailers)) => {
                        self.state = State::Ending;
                        Ok(Some(match trailers.is_empty() {
                            true => self.end(),
                            false => Event::Trailers(trailers),
                        }))
                    }
                }
            }
            State::UntilClose { .. } if input.is_empty() => Ok(None),
            State::UntilClose { seen } => {
                let room = match self.limits.body_bytes {
                    None => input.len(),
                    Some(limit) if *seen >= limit => {
                        return Err(ProtocolError::limit(LimitKind::BodyBytes, limit));
                    }
                    Some(limit) => usize::try_from(limit - *seen).unwrap_or(usize::MAX),
                };
                let data = input.split_to(room.min(input.len())).freeze();
                *seen = seen.saturating_add(data.len() as u64);
                Ok(Some(Event::Data(data)))
            }
            State::Ending => Ok(Some(self.end())),
            State::Ended => Ok(Some(Event::End)),
            State::Failed(error) => Err(*error),
        }
    }

    fn after_head(&mut self, mut head: Head) -> Result<Event, ProtocolError> {
        match head.status() {
            101 => return Err(Violation::UnexpectedUpgrade.into()),
            100..200 => {
                self.interims += 1;
                if self.interims > self.limits.interim_responses {
                    let limit = u64::from(self.limits.interim_responses);
                    return Err(ProtocolError::limit(LimitKind::InterimResponses, limit));
                }
                self.state = State::Head(Scanner::head(
                    &self.limits,
                    &self.tolerance,
                    self.head_bytes,
                ));
                return Ok(Event::Interim(head));
            }
            _ => {}
        }
        let framing = Framing::of(&head, &self.method, &self.tolerance)?;
        if framing.drop_content_length {
            let _ = head.headers.remove("content-length");
        }
        self.persistent = framing.persistent;
        self.length = framing.length;
        self.state = match framing.length {
            BodyLength::Empty => State::Ending,
            BodyLength::Known(left) => {
                if let Some(limit) = self.limits.body_bytes
                    && left > limit
                {
                    return Err(ProtocolError::limit(LimitKind::BodyBytes, limit));
                }
                State::Known { left }
            }
            BodyLength::Chunked => State::Chunked(Chunked::new(&self.limits)),
            BodyLength::UntilClose => State::UntilClose { seen: 0 },
        };
        Ok(Event::Head(head))
    }

    fn end(&mut self) -> Event {
        self.state = State::Ended;
        Event::End
    }

    fn fail(&mut self, error: ProtocolError) {
        self.persistent = false;
        self.state = State::Failed(error);
    }
}
