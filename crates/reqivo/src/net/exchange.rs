use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::Method;

use super::clock::{Clock, Waiting};
use super::conn::{Conn, Sent};
use crate::error::{Error, Phase};
use crate::proto::{BodyLength, Decoder, Event, Head, Limits, Tolerance, Violation};

/// One request and its reply on a connection, driven by the task that wants the reply.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) decoder: Decoder,
    /// What is left of a body that is too large to be copied behind the head.
    body: Bytes,
    sending: Sending,
    any_sent: bool,
    unclean_close: bool,
    close_asked: bool,
    on_interim: Option<OnInterim>,
}

/// Who is told about interim responses.
#[derive(Clone)]
pub(crate) struct OnInterim(pub(crate) Arc<dyn Fn(&Head) + Send + Sync>);

impl fmt::Debug for OnInterim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnInterim")
    }
}

#[derive(Debug)]
enum Sending {
    Going,
    Done,
    /// The peer stopped reading; it may have answered all the same.
    Broken(Option<io::Error>),
}

/// Why an exchange gave no head.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether any byte of the request left.
    pub(crate) sent: bool,
    /// Whether any byte of a reply arrived.
    pub(crate) answered: bool,
    /// Whether the connection failed, as opposed to a time limit or a malformed reply.
    pub(crate) broken: bool,
}

impl Exchange {
    pub(crate) fn new(
        method: &Method,
        body: Bytes,
        close_asked: bool,
        limits: &Limits,
        tolerance: &Tolerance,
    ) -> Self {
        Self {
            decoder: Decoder::new(method, limits, tolerance),
            body,
            sending: Sending::Going,
            any_sent: false,
            unclean_close: tolerance.unclean_tls_close,
            close_asked,
            on_interim: None,
        }
    }

    /// Tells somebody about interim responses.
    pub(crate) fn telling(mut self, on_interim: Option<&OnInterim>) -> Self {
        self.on_interim = on_interim.cloned();
        self
    }

    /// Whether the connection may carry another exchange.
    pub(crate) fn is_reusable(&self, conn: &Conn) -> bool {
        self.decoder.is_reusable()
            && matches!(self.sending, Sending::Done)
            && conn.input.is_empty()
            && !self.close_asked
    }

    /// Sends the request and reads up to the head of the final response.
    ///
    /// Keeps reading while the request is being sent: a server that refuses early is heard, and one that
    /// answers before it reads everything does not block both sides.
    pub(crate) fn poll_head(
        &mut self,
        conn: &mut Conn,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Failure>> {
        loop {
            if matches!(self.sending, Sending::Going) {
                match conn.poll_send(cx, &self.body) {
                    Poll::Ready(Ok(Sent::Some { of_body })) => {
                        self.body.advance(of_body);
                        self.any_sent = true;
                        clock.progress();
                        continue;
                    }
                    Poll::Ready(Ok(Sent::All)) => {
                        self.sending = Sending::Done;
                        clock.request_sent();
                    }
                    Poll::Ready(Err(error)) => self.sending = Sending::Broken(Some(error)),
                    Poll::Pending => {}
                }
            }
            match conn.poll_fill(cx) {
                Poll::Ready(Ok(0)) => {
                    let finished = self.decoder.finish(&mut conn.input);
                    return Poll::Ready(Err(self.ended(finished.err())));
                }
                Poll::Ready(Ok(_)) => {
                    clock.received();
                    match self.decode_head(conn) {
                        Ok(None) => continue,
                        Ok(Some(head)) => {
                            clock.head_arrived();
                            return Poll::Ready(Ok(head));
                        }
                        Err(error) => return Poll::Ready(Err(self.failure(error, conn, false))),
                    }
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let finished = self.decoder.finish(&mut conn.input);
                    return Poll::Ready(Err(self.ended(finished.err())));
                }
                Poll::Ready(Err(error)) => {
                    let error = match &mut self.sending {
                        Sending::Broken(first) => {
                            Error::network(first.take().unwrap_or(error), Phase::Write)
                        }
                        Sending::Going => Error::network(error, Phase::Write),
                        Sending::Done => Error::network(error, Phase::Head),
                    };
                    return Poll::Ready(Err(self.failure(error, conn, true)));
                }
                Poll::Pending => {}
            }
            let (waiting, phase) = match self.sending {
                Sending::Going => (Waiting::Write, Phase::Write),
                _ if self.decoder.has_started(&conn.input) => (Waiting::Read, Phase::Head),
                _ => (Waiting::FirstByte, Phase::Head),
            };
            let expiry = ready!(conn.poll_expired(cx, clock, waiting));
            return Poll::Ready(Err(self.failure(expiry.error(phase), conn, false)));
        }
    }

    fn decode_head(&mut self, conn: &mut Conn) -> Result<Option<Head>, Error> {
        loop {
            let event = self.decoder.decode(&mut conn.input);
            match event.map_err(|error| Error::protocol(error, Phase::Head))? {
                None => return Ok(None),
                Some(Event::Head(head)) => return Ok(Some(head)),
                Some(Event::Interim(head)) => {
                    if let Some(on_interim) = &self.on_interim {
                        (on_interim.0)(&head);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// The input ended before the head was complete.
    fn ended(&mut self, error: Option<crate::proto::ProtocolError>) -> Failure {
        let violation = error.map_or(Violation::IncompleteHead, |error| error.violation());
        let write_error = match &mut self.sending {
            Sending::Broken(first) if violation == Violation::ClosedWithoutReply => first.take(),
            _ => None,
        };
        let error = match write_error {
            Some(error) => Error::network(error, Phase::Write),
            None => Error::protocol(violation.into(), Phase::Head),
        };
        Failure {
            error,
            sent: self.any_sent,
            answered: violation != Violation::ClosedWithoutReply,
            broken: true,
        }
    }

    fn failure(&self, error: Error, conn: &Conn, broken: bool) -> Failure {
        Failure {
            error,
            sent: self.any_sent,
            answered: self.decoder.has_started(&conn.input),
            broken,
        }
    }

    /// Reads the next part of the body.
    pub(crate) fn poll_body(
        &mut self,
        conn: &mut Conn,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Event, Error>> {
        loop {
            match self.decoder.decode(&mut conn.input) {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(Error::protocol(error, Phase::Body))),
            }
            let filled = conn.poll_fill(cx);
            if let Some(event) = ready!(self.after_read(filled, conn, clock, cx))? {
                return Poll::Ready(Ok(event));
            }
        }
    }

    /// Reads bytes of a body of known length straight into the buffer. Only while nothing is buffered.
    pub(crate) fn poll_body_into(
        &mut self,
        conn: &mut Conn,
        clock: &mut Clock,
        cx: &mut Context<'_>,
        buffer: &mut bytes::BytesMut,
    ) -> Poll<Result<(), Error>> {
        let room = buffer.capacity() - buffer.len();
        let left = self.decoder.known_left().unwrap_or(0);
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(room);
        let filled = conn.poll_fill_into(cx, buffer, limit);
        if let Poll::Ready(Ok(count)) = filled {
            self.decoder.skip_known(count as u64);
        }
        self.after_read(filled, conn, clock, cx).map_ok(|_| ())
    }

    /// What a read means for the body: an event at its end, nothing when there is more to decode.
    fn after_read(
        &mut self,
        filled: Poll<io::Result<usize>>,
        conn: &mut Conn,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event>, Error>> {
        let finished = match filled {
            Poll::Ready(Ok(0)) => self.decoder.finish(&mut conn.input),
            Poll::Ready(Ok(_)) => {
                clock.progress();
                return Poll::Ready(Ok(None));
            }
            // TLS ended without its closing alert: somebody may have cut the body short.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let open_ended = self.decoder.body_length() == BodyLength::UntilClose;
                if open_ended && !self.unclean_close {
                    let violation = Violation::IncompleteBody;
                    return Poll::Ready(Err(Error::protocol(violation.into(), Phase::Body)));
                }
                self.decoder.finish(&mut conn.input)
            }
            Poll::Ready(Err(error)) => {
                return Poll::Ready(Err(Error::network(error, Phase::Body)));
            }
            Poll::Pending => {
                if tokio::runtime::Handle::try_current().map(|it| it.id()).ok()
                    != Some(conn.runtime)
                {
                    let error = Error::new(crate::ErrorKind::Body, Phase::Body).with_message(
                        "body is read on another runtime than the request was sent on",
                    );
                    return Poll::Ready(Err(error));
                }
                let expiry = ready!(conn.poll_expired(cx, clock, Waiting::Read));
                return Poll::Ready(Err(expiry.error(Phase::Body)));
            }
        };
        Poll::Ready(
            finished
                .map(Some)
                .map_err(|error| Error::protocol(error, Phase::Body)),
        )
    }
}
