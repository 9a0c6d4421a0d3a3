use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::content::ContentDecoder;
use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::net::clock::Clock;
use crate::net::exchange::Exchange;
use crate::pool::Lease;
use crate::proto::{Event, LimitKind, Limits, ProtocolError};
use crate::stats::Counters;

/// The body of a response.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// All of it is here and can be read any number of times.
    Whole(Bytes),
    /// It is still arriving.
    Live(Box<Live>),
    /// It was handed out in pieces.
    Spent,
    /// It could not be read; the error was handed out.
    Failed,
}

/// A body that is still arriving, with the connection it arrives on.
#[derive(Debug)]
pub(crate) struct Live {
    lease: Option<Lease>,
    exchange: Exchange,
    clock: Clock,
    content: Option<ContentDecoder>,
    /// What was collected so far; here, so that a cancelled collection can go on.
    first: Option<Bytes>,
    collected: BytesMut,
    plain_bytes: u64,
    limits: Limits,
    pub(crate) trailers: Option<Headers>,
    counters: Option<Arc<Counters>>,
}

impl Live {
    pub(crate) fn new(
        lease: Lease,
        exchange: Exchange,
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

    /// The next piece of the decoded body, or `None` at its end.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            if let Some(content) = &mut self.content
                && let Some(plain) = content.next()?
            {
                return Poll::Ready(Ok(Some(plain)));
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
        let Some(left) = self.exchange.decoder.known_left() else {
            return Poll::Ready(Ok(false));
        };
        if self.content.is_some() {
            return Poll::Ready(Ok(false));
        }
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
    pub(crate) fn abandon(&mut self, error: &Error) {
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
        let mut left = DRAIN_BYTES;
        self.content = None;
        let reading = std::future::poll_fn(|cx| {
            loop {
                match ready!(self.poll_piece(cx)) {
                    Ok(Some(piece)) if piece.len() <= left => left -= piece.len(),
                    _ => return Poll::Ready(()),
                }
            }
        });
        // Too slow is as good as too large.
        let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
    }

    fn is_worth_draining(&self) -> bool {
        match self.exchange.decoder.body_length() {
            crate::proto::BodyLength::Known(_) => self
                .exchange
                .decoder
                .known_left()
                .is_none_or(|left| left <= DRAIN_BYTES as u64),
            crate::proto::BodyLength::Chunked => true,
            _ => false,
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
        let mut budget = DRAIN_BYTES;
        loop {
            match self.exchange.decoder.decode(&mut conn.input) {
                Ok(Some(Event::End)) => return self.release(),
                Ok(Some(Event::Data(data))) => match budget.checked_sub(data.len()) {
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
    Error::new(ErrorKind::Body, Phase::Body).with_message("the body was lost by an earlier error")
}

/// What may be read and thrown away to keep a connection.
const DRAIN_BYTES: usize = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// Bodies from this size on are read straight into their final place.
const DIRECT_FROM: u64 = 16 * 1024;
/// What is reserved at once for a declared length that nothing has backed yet.
const DIRECT_STEP: u64 = 1024 * 1024;
const PAUSE_AFTER: usize = 1024 * 1024;
