use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::content::{ContentDecoder, Step};
use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::net::clock::Clock;
use crate::net::exchange::Exchange;
use crate::pool::Lease;
use crate::proto::{BodyLength, Event, LimitKind, Limits, ProtocolError};
use crate::stats::Counters;

/// The body of a response.
#[derive(Debug)]
pub(crate) struct Incoming {
    state: State,
    trailers: Option<Box<Headers>>,
}

#[derive(Debug)]
enum State {
    /// All of it is here.
    Whole {
        body: Bytes,
        /// How much of it was handed out in pieces.
        handed: usize,
        /// Whether somebody asked for all of it, and may do so again. A body that merely happened to arrive with its
        /// head is not kept: what a caller may do must not depend on how packets fell.
        kept: bool,
    },
    /// It is still arriving.
    Live(Box<Live>),
    /// It was handed out in pieces.
    Spent,
    Closed,
    /// It could not be read; the error was handed out.
    Failed,
}

impl Incoming {
    /// A body that arrived with its head.
    pub(crate) fn whole(body: Bytes) -> Self {
        Self {
            state: State::Whole {
                body,
                handed: 0,
                kept: false,
            },
            trailers: None,
        }
    }

    pub(crate) fn live(live: Live) -> Self {
        Self {
            state: State::Live(Box::new(live)),
            trailers: None,
        }
    }

    /// The trailer fields, once the body ended and had some.
    pub(crate) fn trailers(&self) -> Option<&Headers> {
        self.trailers.as_deref()
    }

    /// The whole body, when somebody collected it.
    pub(crate) fn kept(&self) -> Option<&Bytes> {
        match &self.state {
            State::Whole {
                body, kept: true, ..
            } => Some(body),
            _ => None,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole { .. })
    }

    /// Fails when nothing is left to hand out, although something was.
    pub(crate) fn check_left(&self) -> Result<(), Error> {
        match &self.state {
            State::Whole { body, handed, kept } if !kept && *handed > 0 => {
                match *handed < body.len() {
                    true => Ok(()),
                    false => Err(gone(IN_PIECES)),
                }
            }
            State::Whole { .. } | State::Live(_) => Ok(()),
            State::Spent => Err(gone(IN_PIECES)),
            State::Closed => Err(gone(CLOSED)),
            State::Failed => Err(lost()),
        }
    }

    /// Fails when any of the body was handed out.
    pub(crate) fn check_all(&self) -> Result<(), Error> {
        match &self.state {
            State::Whole { handed, kept, .. } if !kept && *handed > 0 => Err(gone(IN_PIECES)),
            State::Live(live) if live.handed => Err(gone(IN_PIECES)),
            _ => self.check_left(),
        }
    }

    /// How much can be had without waiting.
    pub(crate) fn at_hand(&self) -> usize {
        match &self.state {
            State::Whole { body, handed, .. } => body.len() - handed,
            State::Live(live) => live.rest.len(),
            State::Spent | State::Closed | State::Failed => 0,
        }
    }

    /// How many bytes are still to be handed out, when that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match &self.state {
            State::Live(live) => live.left(),
            _ => Some(self.at_hand() as u64),
        }
    }

    /// Collects the whole body, which can be had again afterwards.
    pub(crate) fn poll_collect(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        let collected = match &mut self.state {
            State::Whole {
                body,
                handed: 0,
                kept,
            } => {
                *kept = true;
                return Poll::Ready(Ok(body.clone()));
            }
            State::Whole {
                body, kept: true, ..
            } => return Poll::Ready(Ok(body.clone())),
            State::Live(live) if !live.handed => ready!(live.poll_collect(cx)),
            State::Whole { .. } | State::Live(_) | State::Spent => {
                return Poll::Ready(Err(gone(IN_PIECES)));
            }
            State::Closed => return Poll::Ready(Err(gone(CLOSED))),
            State::Failed => return Poll::Ready(Err(lost())),
        };
        Poll::Ready(match collected {
            Ok(body) => {
                self.end(State::Whole {
                    body: body.clone(),
                    handed: 0,
                    kept: true,
                });
                Ok(body)
            }
            Err(error) => Err(error),
        })
    }

    /// The next piece of the body of at most so many bytes, or `None` at its end.
    pub(crate) fn poll_piece(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        let piece = match &mut self.state {
            State::Whole { body, handed, .. } => {
                let size = most.min(body.len() - *handed);
                let piece = body.slice(*handed..*handed + size);
                *handed += size;
                return Poll::Ready(Ok(Some(piece).filter(|piece| !piece.is_empty())));
            }
            State::Live(live) => ready!(live.poll_some(most, cx)),
            State::Spent => return Poll::Ready(Ok(None)),
            State::Closed => return Poll::Ready(Err(gone(CLOSED))),
            State::Failed => return Poll::Ready(Err(lost())),
        };
        Poll::Ready(match piece {
            Ok(None) => {
                let handed = matches!(&self.state, State::Live(live) if live.handed);
                self.end(match handed {
                    true => State::Spent,
                    false => Self::whole(Bytes::new()).state,
                });
                Ok(None)
            }
            Ok(piece) => Ok(piece),
            Err(error) => Err(error),
        })
    }

    /// Leaves the content coding of the body as it is, if it has one.
    pub(crate) fn leave_coded(&mut self, coded: bool) -> Result<(), Error> {
        match &mut self.state {
            _ if !coded => Ok(()),
            State::Live(live) if live.content.is_none() => Ok(()),
            State::Live(live) if live.is_untouched() => {
                live.content = None;
                Ok(())
            }
            State::Live(_) | State::Whole { .. } => Err(gone("the body was already being decoded")),
            _ => self.check_left(),
        }
    }

    /// How much may be collected.
    pub(crate) fn buffered_limit(&self) -> u64 {
        match &self.state {
            State::Live(live) => live.limits.buffered_bytes,
            _ => u64::MAX,
        }
    }

    /// Gives the connection back, or closes it when the rest of the body is large. What was collected stays.
    pub(crate) async fn close(&mut self) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Live(live) => live.drain().await,
            whole @ State::Whole { kept: true, .. } => self.state = whole,
            _ => {}
        }
    }

    fn end(&mut self, state: State) {
        if let State::Live(mut live) = std::mem::replace(&mut self.state, state) {
            self.trailers = live.trailers.take().map(Box::new);
        }
    }

    /// Takes note of an error that reading gave.
    pub(crate) fn failed(&mut self, error: &Error) {
        if let State::Live(live) = &mut self.state {
            live.abandon(error);
            self.state = State::Failed;
        }
    }
}

/// A body that is still arriving, with the connection it arrives on.
#[derive(Debug)]
pub(crate) struct Live {
    lease: Option<Lease>,
    exchange: Box<Exchange>,
    clock: Clock,
    content: Option<ContentDecoder>,
    /// What was collected so far; here, so that a cancelled collection can go on.
    first: Option<Bytes>,
    collected: BytesMut,
    /// What was decoded and is too much for the piece that was asked for.
    rest: Bytes,
    /// Whether anything was handed out in pieces.
    handed: bool,
    plain_bytes: u64,
    limits: Limits,
    pub(crate) trailers: Option<Headers>,
    counters: Option<Arc<Counters>>,
}

impl Live {
    pub(crate) fn new(
        lease: Lease,
        exchange: Box<Exchange>,
        clock: Clock,
        content: Option<ContentDecoder>,
        limits: Limits,
    ) -> Self {
        Self {
            lease: Some(lease),
            exchange,
            clock,
            content,
            first: None,
            collected: BytesMut::new(),
            rest: Bytes::new(),
            handed: false,
            plain_bytes: 0,
            limits,
            trailers: None,
            counters: None,
        }
    }

    /// Counts its errors.
    pub(crate) fn counted(mut self, counters: &Arc<Counters>) -> Self {
        self.counters = Some(Arc::clone(counters));
        self
    }

    /// The next piece of the decoded body of at most so many bytes, or `None` at its end.
    fn poll_some(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        if self.rest.is_empty() {
            // A collection that was cancelled comes first.
            self.rest = match self.first.take() {
                Some(first) => first,
                None => std::mem::take(&mut self.collected).freeze(),
            };
        }
        if self.rest.is_empty() {
            match ready!(self.poll_piece(cx))? {
                Some(piece) => self.rest = piece,
                None => return Poll::Ready(Ok(None)),
            }
        }
        self.handed = true;
        let size = most.min(self.rest.len());
        Poll::Ready(Ok(Some(match size == self.rest.len() {
            true => std::mem::take(&mut self.rest),
            false => self.rest.split_to(size),
        })))
    }

    /// The next piece of the decoded body, or `None` at its end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut steps = 0;
        loop {
            if let Some(content) = &mut self.content {
                match content.step()? {
                    Step::Data(plain) => return Poll::Ready(Ok(Some(plain))),
                    Step::NeedsInput => {}
                    // Layers that give nothing are work all the same: others on this thread get their turn.
                    Step::Working if steps >= PAUSE_AFTER_STEPS => {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Step::Working => {
                        steps += 1;
                        continue;
                    }
                }
            }
            let Some(lease) = &mut self.lease else {
                if let Some(content) = &self.content {
                    content.finish()?;
                }
                return Poll::Ready(Ok(None));
            };
            let Some(conn) = lease.conn() else {
                return Poll::Ready(Err(lost()));
            };
            match ready!(self.exchange.poll_body(conn, &mut self.clock, cx))? {
                Event::Data(data) => match &mut self.content {
                    Some(content) => content.feed(data),
                    None => return Poll::Ready(Ok(Some(data))),
                },
                Event::Trailers(trailers) => self.trailers = Some(trailers),
                Event::End => self.release(),
                Event::Head(_) | Event::Interim(_) => return Poll::Ready(Err(lost())),
            }
        }
    }

    /// Collects what is left of the decoded body.
    pub(crate) fn poll_collect(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        let mut since_pause = 0;
        loop {
            if ready!(self.poll_direct(cx))? {
                continue;
            }
            let Some(piece) = ready!(self.poll_piece(cx))? else {
                return Poll::Ready(Ok(match self.first.take() {
                    Some(only) => only,
                    None => std::mem::take(&mut self.collected).freeze(),
                }));
            };
            since_pause += piece.len();
            self.plain_bytes = self.plain_bytes.saturating_add(piece.len() as u64);
            self.check_size(self.plain_bytes)?;
            if self.collected.is_empty() && self.first.is_none() {
                self.first = Some(piece);
            } else {
                if let Some(first) = self.first.take() {
                    self.collected.extend_from_slice(&first);
                }
                self.collected.extend_from_slice(&piece);
            }
            // Decoding is work: others on this thread get their turn.
            if self.content.is_some() && since_pause > PAUSE_AFTER {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Reads a large body of known length into its final place, without going through the connection's
    /// buffer. Returns whether it read something.
    fn poll_direct(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        if let Some(content) = &self.content {
            // The forms between two codings may be larger than the body, but not out of all proportion.
            let inner = content.inner_bytes().saturating_sub(INNER_FREE_BYTES) / 2;
            return Poll::Ready(self.check_size(inner).map(|()| false));
        }
        let Some(left) = self.exchange.decoder.known_left() else {
            return Poll::Ready(Ok(false));
        };
        self.check_size(self.plain_bytes.saturating_add(left))?;
        let Some(conn) = self.lease.as_mut().and_then(Lease::conn) else {
            return Poll::Ready(Ok(false));
        };
        if !conn.input.is_empty() || left < DIRECT_FROM {
            return Poll::Ready(Ok(false));
        }
        if let Some(first) = self.first.take() {
            self.collected.extend_from_slice(&first);
        }
        let before = self.collected.len();
        if self.collected.capacity() == before {
            let step = left.min(DIRECT_STEP.max(before as u64));
            self.collected
                .reserve(usize::try_from(step).unwrap_or(usize::MAX));
        }
        ready!(
            self.exchange
                .poll_body_into(conn, &mut self.clock, cx, &mut self.collected)
        )?;
        self.plain_bytes += (self.collected.len() - before) as u64;
        Poll::Ready(Ok(true))
    }

    fn check_size(&self, size: u64) -> Result<(), Error> {
        let limit = self.limits.buffered_bytes;
        match size > limit {
            true => {
                let error = ProtocolError::limit(LimitKind::BufferedBytes, limit);
                Err(Error::protocol(error, Phase::Body))
            }
            false => Ok(()),
        }
    }

    /// How many bytes are still to be handed out, when that is known.
    fn left(&self) -> Option<u64> {
        let wire = match (&self.content, &self.lease) {
            (Some(_), _) => return None,
            (None, None) => 0,
            (None, Some(_)) => match self.exchange.decoder.body_length() {
                BodyLength::Known(_) => self.exchange.decoder.known_left().unwrap_or(0),
                _ => return None,
            },
        };
        let here =
            self.first.as_ref().map_or(0, Bytes::len) + self.collected.len() + self.rest.len();
        Some(wire + here as u64)
    }

    /// Whether nothing of the body was decoded or collected yet.
    fn is_untouched(&self) -> bool {
        let fed = self.content.as_ref().is_some_and(ContentDecoder::was_fed);
        !fed && !self.handed && self.plain_bytes == 0
    }

    /// The wire side ended: the connection is free for others.
    fn release(&mut self) {
        if let Some(mut lease) = self.lease.take() {
            let reusable = lease
                .conn()
                .is_some_and(|conn| self.exchange.is_reusable(conn));
            lease.end(reusable, Instant::now());
            if let Some(watch) = &self.clock.watch {
                watch.body_ended();
            }
        }
    }

    /// Closes the connection after an error.
    fn abandon(&mut self, error: &Error) {
        self.lease = None;
        if let Some(counters) = &self.counters {
            counters.error(error.kind());
        }
        if let Some(watch) = &self.clock.watch {
            watch.failed(error);
        }
    }

    /// Reads and forgets what is left, if that is little, so that the connection can be used again.
    pub(crate) async fn drain(mut self: Box<Self>) {
        if self.lease.is_none() || !self.is_worth_draining() {
            return;
        }
        let time = self.limits.drain_time;
        self.content = None;
        let reading = std::future::poll_fn(|cx| {
            loop {
                match ready!(self.poll_piece(cx)) {
                    Ok(Some(piece)) if self.may_drain(&piece) => {}
                    _ => return Poll::Ready(()),
                }
            }
        });
        // Too slow is as good as too large.
        let _ = tokio::time::timeout(time, reading).await;
        self.lease = None;
    }

    /// Takes a piece of an unwanted body off the budget.
    fn may_drain(&mut self, piece: &Bytes) -> bool {
        let left = self.limits.drain_bytes.checked_sub(piece.len() as u64);
        self.limits.drain_bytes = left.unwrap_or(0);
        left.is_some()
    }

    fn is_worth_draining(&self) -> bool {
        let decoder = &self.exchange.decoder;
        match decoder.body_length() {
            BodyLength::Known(_) => decoder
                .known_left()
                .is_none_or(|left| left <= self.limits.drain_bytes),
            BodyLength::Chunked => self.limits.drain_bytes > 0,
            BodyLength::Empty => true,
            BodyLength::UntilClose => false,
        }
    }

    /// Takes what is left from the socket if it is there already and little.
    fn drain_now(&mut self) {
        if !self.is_worth_draining() {
            return;
        }
        let Some(conn) = self.lease.as_mut().and_then(Lease::conn) else {
            return;
        };
        let mut budget = self.limits.drain_bytes;
        loop {
            match self.exchange.decoder.decode(&mut conn.input) {
                Ok(Some(Event::End)) => return self.release(),
                Ok(Some(Event::Data(data))) => match budget.checked_sub(data.len() as u64) {
                    Some(left) => budget = left,
                    None => return,
                },
                Ok(Some(_)) => {}
                Ok(None) => match conn.fill_now() {
                    Some(count) if count > 0 => {}
                    _ => return,
                },
                Err(_) => return,
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.lease.is_some() {
            self.drain_now();
        }
    }
}

pub(crate) fn lost() -> Error {
    gone("the body was lost by an earlier error")
}

fn gone(why: &'static str) -> Error {
    Error::new(ErrorKind::Body, Phase::Body).with_message(why)
}

/// Why a body cannot be had a second time.
const IN_PIECES: &str = "the body was already handed out in pieces";
const CLOSED: &str = "the response was closed";
/// Bodies from this size on are read straight into their final place.
const DIRECT_FROM: u64 = 16 * 1024;
/// What is reserved at once for a declared length that nothing has backed yet.
const DIRECT_STEP: u64 = 1024 * 1024;
const PAUSE_AFTER: usize = 1024 * 1024;
/// Each step decodes up to 64 KiB.
const PAUSE_AFTER_STEPS: u32 = 16;
/// The form between two codings may always be so large.
const INNER_FREE_BYTES: u64 = 64 * 1024;
