use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::Method;

use super::clock::{Clock, Waiting};
use super::conn::{Conn, Sent};
use super::upload::{Broken, Step, Upload};
use crate::error::{Error, Phase};
use crate::proto::{BodyLength, Decoder, Event, Head, Limits, Tolerance, Violation};

/// One request and its reply on a connection, driven by the task that wants the reply.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) decoder: Decoder,
    /// What is left of a body that is too large to be copied behind the head.
    body: Bytes,
    sending: Sending,
    /// What was to be sent and was not begun.
    unused: Option<Box<Upload>>,
    any_sent: bool,
    unclean_close: bool,
    close_asked: bool,
    on_interim: Option<OnInterim>,
}

/// What came of sending as much as goes at once.
enum Progress {
    /// It could go on, but first it is time to read.
    Paused,
    /// It is done, or waits.
    Halted,
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
    /// The head, and a body that is there as a whole.
    Going,
    /// A body that has a source, or waits for the server's leave.
    Uploading(Box<Upload>),
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
            unused: None,
            any_sent: false,
            unclean_close: tolerance.unclean_tls_close,
            close_asked,
            on_interim: None,
        }
    }

    /// Tells somebody about interim responses.
    pub(crate) fn tell(&mut self, on_interim: Option<&OnInterim>) {
        self.on_interim = on_interim.cloned();
    }

    /// Sends this behind the head.
    pub(crate) fn upload(&mut self, upload: Option<Box<Upload>>) {
        if let Some(upload) = upload {
            self.sending = Sending::Uploading(upload);
        }
    }

    /// Moves the exchange to a place that a connection keeps for it: it is large.
    pub(crate) fn boxed(self, conn: &mut Conn) -> Box<Self> {
        match conn.spare.take() {
            Some(mut place) => {
                *place = self;
                place
            }
            None => Box::new(self),
        }
    }

    /// Leaves its place for the next one, and what belongs to others.
    pub(crate) fn retire(mut self: Box<Self>, conn: &mut Conn) {
        self.body = Bytes::new();
        self.sending = Sending::Done;
        self.unused = None;
        self.on_interim = None;
        conn.spare = Some(self);
    }

    /// Gives back an upload whose source was not asked for anything and which will not be sent here.
    pub(crate) fn take_unused(&mut self) -> Option<Box<Upload>> {
        self.unused.take()
    }

    /// What is left of the request will not be sent.
    pub(crate) fn stop_sending(&mut self, error: Option<io::Error>) {
        if self.is_sending() {
            let before = std::mem::replace(&mut self.sending, Sending::Broken(error));
            if let Sending::Uploading(upload) = before
                && !upload.is_touched()
            {
                self.unused = Some(upload);
            }
        }
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
            let sent = match self.is_sending() {
                true => match self.send_some(conn, clock, cx) {
                    Ok(sent) => sent,
                    Err(error) => return Poll::Ready(Err(self.failure(error, conn, false))),
                },
                false => Progress::Halted,
            };
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
                            self.consider(&head);
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
                        Sending::Going | Sending::Uploading(_) => {
                            Error::network(error, Phase::Write)
                        }
                        Sending::Done => Error::network(error, Phase::Head),
                    };
                    return Poll::Ready(Err(self.failure(error, conn, true)));
                }
                Poll::Pending => {
                    if let Progress::Paused = sent {
                        continue;
                    }
                }
            }
            let (waiting, phase) = match &self.sending {
                Sending::Going => (Waiting::Write, Phase::Write),
                Sending::Uploading(upload) if upload.waits_for_peer(conn) => {
                    (Waiting::Write, Phase::Write)
                }
                Sending::Uploading(_) => (Waiting::Source, Phase::Write),
                _ if self.decoder.has_started(&conn.input) => (Waiting::Read, Phase::Head),
                _ => (Waiting::FirstByte, Phase::Head),
            };
            let expiry = ready!(conn.poll_expired(cx, clock, waiting));
            return Poll::Ready(Err(self.failure(expiry.error(phase), conn, false)));
        }
    }

    fn is_sending(&self) -> bool {
        matches!(self.sending, Sending::Going | Sending::Uploading(_))
    }

    /// Sends what goes at once.
    fn send_some(
        &mut self,
        conn: &mut Conn,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        loop {
            let mut pause = false;
            let step = match &mut self.sending {
                Sending::Going => match conn.poll_send(cx, &self.body) {
                    Poll::Ready(Ok(Sent::Some { of_body })) => {
                        self.body.advance(of_body);
                        pause = !self.body.is_empty();
                        Poll::Ready(Ok(Step::Moved))
                    }
                    Poll::Ready(Ok(Sent::All)) => Poll::Ready(Ok(Step::Done)),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(Broken::Connection(error))),
                    Poll::Pending => Poll::Pending,
                },
                Sending::Uploading(upload) => {
                    let step = upload.poll_send(conn, cx);
                    pause = upload.is_unheard();
                    step
                }
                _ => return Ok(Progress::Halted),
            };
            match step {
                Poll::Ready(Ok(Step::Moved)) => {
                    self.any_sent = true;
                    clock.progress();
                    if pause {
                        return Ok(Progress::Paused);
                    }
                }
                Poll::Ready(Ok(Step::Done)) => {
                    self.sending = Sending::Done;
                    clock.request_sent();
                }
                Poll::Ready(Err(Broken::Connection(error))) => {
                    self.stop_sending(Some(error));
                }
                Poll::Ready(Err(Broken::Source(error))) => {
                    self.stop_sending(None);
                    return Err(error);
                }
                Poll::Pending => return Ok(Progress::Halted),
            }
        }
    }

    /// Decides about the rest of the request when the head of the final response is there.
    ///
    /// A server that refuses does not want it. One that answers well while the body is still on its way may need it
    /// for the rest of its answer, so it is sent while that is read.
    fn consider(&mut self, head: &Head) {
        let refused = head.status() >= 300;
        let begun = !matches!(&self.sending, Sending::Uploading(upload) if !upload.is_touched());
        if refused || !begun {
            self.stop_sending(None);
        }
    }

    fn decode_head(&mut self, conn: &mut Conn) -> Result<Option<Head>, Error> {
        loop {
            let event = self.decoder.decode(&mut conn.input);
            match event.map_err(|error| Error::protocol(error, Phase::Head))? {
                None => return Ok(None),
                Some(Event::Head(head)) => return Ok(Some(head)),
                Some(Event::Interim(head)) => {
                    if let Sending::Uploading(upload) = &mut self.sending
                        && head.status() == 100
                    {
                        upload.give_leave();
                    }
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
            let sent = self.send_aside(conn, clock, cx)?;
            match self.decoder.decode(&mut conn.input) {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(Error::protocol(error, Phase::Body))),
            }
            let filled = conn.poll_fill(cx);
            if let (Poll::Pending, Progress::Paused) = (&filled, sent) {
                continue;
            }
            if let Some(event) = ready!(self.after_read(filled, conn, clock, cx))? {
                return Poll::Ready(Ok(event));
            }
        }
    }

    /// Sends more of a request whose answer has begun.
    fn send_aside(
        &mut self,
        conn: &mut Conn,
        clock: &mut Clock,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        match self.is_sending() {
            true => self.send_some(conn, clock, cx),
            false => Ok(Progress::Halted),
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
        let filled = loop {
            let sent = self.send_aside(conn, clock, cx)?;
            match (conn.poll_fill_into(cx, buffer, limit), sent) {
                (Poll::Pending, Progress::Paused) => {}
                (filled, _) => break filled,
            }
        };
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
