use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::conn::{Conn, MOST_PIECES, Piece};
use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::proto::encode;
use crate::request_body::{BoxSource, Opened, Trailer, may_trail};

/// A body on its way out, behind the head that the connection's buffer holds.
///
/// Small pieces are copied into that buffer, large ones go out from where they are; one write sends the head and
/// several of them. No more is taken from the source than such a write.
pub(crate) struct Upload {
    /// Nobody locks it: this is what makes it `Sync`, as the response is that it may become a part of.
    source: Mutex<BoxSource>,
    /// Whether the source has ended.
    ended: bool,
    length: Option<u64>,
    trailers: Vec<Trailer>,
    chunked: bool,
    /// Large pieces, each with its place in the buffer.
    pieces: VecDeque<Piece>,
    /// How much is in them.
    queued: usize,
    /// Whether a part of what is in buffer and pieces was sent.
    begun: bool,
    /// Whether the line end after a large piece is still to be sent.
    chunk_open: bool,
    /// Whether the source was asked for anything.
    touched: bool,
    /// Sent since the last look for a reply.
    unheard: usize,
    leave: Leave,
}

/// Whether the body may be sent.
enum Leave {
    Given,
    /// For how long the server is waited for, once the head is out (RFC 9110 10.1.1).
    Asked(Duration),
    Awaited(Pin<Box<Sleep>>),
}

/// What came of an attempt to send.
pub(crate) enum Step {
    /// Something went out.
    Moved,
    /// All went out.
    Done,
}

/// Why a body is not sent to its end.
pub(crate) enum Broken {
    /// Its source is to blame.
    Source(Error),
    /// The connection is.
    Connection(io::Error),
}

impl Upload {
    pub(crate) fn new(opened: Opened) -> Self {
        // Only chunks have trailers.
        let chunked = opened.length.is_none() || !opened.trailers.is_empty();
        Self {
            source: Mutex::new(opened.source),
            ended: false,
            length: opened.length,
            trailers: opened.trailers,
            chunked,
            pieces: VecDeque::new(),
            queued: 0,
            begun: false,
            chunk_open: false,
            touched: false,
            unheard: 0,
            leave: Leave::Given,
        }
    }

    /// Waits for the server's leave before the body is sent, but not longer than this.
    pub(crate) fn ask_leave(&mut self, wait: Duration) {
        self.leave = Leave::Asked(wait);
    }

    /// The server wants the body.
    pub(crate) fn give_leave(&mut self) {
        self.leave = Leave::Given;
    }

    /// The length that the head announces; `None` for chunks.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length.filter(|_| !self.chunked)
    }

    pub(crate) fn trailers(&self) -> &[Trailer] {
        &self.trailers
    }

    /// Gives the body back if its source was not asked for anything.
    pub(crate) fn into_untouched(self) -> Option<Opened> {
        let source = self
            .source
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        (!self.touched).then_some(Opened {
            source,
            length: self.length,
            trailers: self.trailers,
        })
    }

    /// Whether the source was asked for anything.
    pub(crate) fn is_touched(&self) -> bool {
        self.touched
    }

    /// Whether what is to be sent waits for room in the connection, and not for its source or for leave.
    pub(crate) fn waits_for_peer(&self, conn: &Conn) -> bool {
        !self.is_held() && !self.is_drained(conn)
    }

    /// Whether so much went out that it is time to look whether the server has answered.
    pub(crate) fn is_unheard(&mut self) -> bool {
        let unheard = self.unheard >= LISTEN_AFTER;
        if unheard {
            self.unheard = 0;
        }
        unheard
    }

    /// Sends what there is and what the connection takes.
    pub(crate) fn poll_send(
        &mut self,
        conn: &mut Conn,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Step, Broken>> {
        if self.may_go_on(conn, cx) {
            self.fill(conn, cx).map_err(Broken::Source)?;
        }
        if self.is_held() {
            return Poll::Pending;
        }
        let sent = ready!(conn.poll_send_pieces(cx, &mut self.pieces));
        match sent.map_err(Broken::Connection)? {
            Some(count) => {
                self.begun = true;
                self.unheard = self.unheard.saturating_add(count);
                Poll::Ready(Ok(Step::Moved))
            }
            None if self.ended => Poll::Ready(Ok(Step::Done)),
            None => Poll::Pending,
        }
    }

    fn is_drained(&self, conn: &Conn) -> bool {
        conn.unsent() == 0 && self.pieces.is_empty()
    }

    fn may_go_on(&mut self, conn: &Conn, cx: &mut Context<'_>) -> bool {
        match &mut self.leave {
            Leave::Given => return true,
            _ if conn.unsent() > 0 => return false,
            Leave::Asked(wait) => {
                let mut sleep = Box::pin(tokio::time::sleep(*wait));
                if sleep.as_mut().poll(cx).is_pending() {
                    self.leave = Leave::Awaited(sleep);
                    return false;
                }
            }
            Leave::Awaited(sleep) => {
                if sleep.as_mut().poll(cx).is_pending() {
                    return false;
                }
            }
        }
        self.leave = Leave::Given;
        true
    }

    /// The head of a body of no bytes completes the request, so it waits until the source has none indeed.
    fn is_held(&self) -> bool {
        !self.chunked && self.length == Some(0) && !self.ended
    }

    /// Takes pieces from the source until there is enough for a write.
    fn fill(&mut self, conn: &mut Conn, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut empty_pieces = 0;
        if self.is_drained(conn) {
            (self.begun, self.queued) = (false, 0);
        }
        let source = self
            .source
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        while !self.begun && !self.ended {
            let copied = conn.unsent();
            let enough = copied >= ENOUGH_COPIED || copied + self.queued >= ENOUGH;
            if enough || self.pieces.len() == MOST_PIECES {
                return Ok(());
            }
            self.touched = true;
            let chunked = self.chunked;
            let output = conn.output();
            if std::mem::take(&mut self.chunk_open) {
                output.extend_from_slice(b"\r\n");
            }
            match source.poll_piece(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {
                    empty_pieces += 1;
                    if empty_pieces == MOST_EMPTY_PIECES {
                        // Others on this thread get their turn.
                        cx.waker().wake_by_ref();
                        return Ok(());
                    }
                }
                Poll::Ready(Some(Ok(piece))) => {
                    if chunked {
                        encode::chunk_size(output, piece.len());
                    }
                    if piece.len() > COPIED_PIECE {
                        self.queued += piece.len();
                        self.chunk_open = chunked;
                        self.pieces.push_back(Piece {
                            after: output.len(),
                            data: piece,
                        });
                    } else {
                        output.extend_from_slice(&piece);
                        if chunked {
                            output.extend_from_slice(b"\r\n");
                        }
                    }
                }
                Poll::Ready(Some(Err(error))) => return Err(failed(error)),
                Poll::Ready(None) => {
                    if chunked {
                        let late = source.trailers();
                        let trailers = trailers(&self.trailers, late)?;
                        encode::last_chunk_with(output, trailers.raw());
                    }
                    self.ended = true;
                }
            }
        }
        Ok(())
    }
}

/// The trailer fields: those that were announced, then those that the source came up with.
fn trailers(announced: &[Trailer], late: Option<Headers>) -> Result<Headers, Error> {
    let mut trailers = Headers::new();
    for trailer in announced {
        trailers
            .append(&trailer.name, (trailer.value)())
            .map_err(|error| failed(error.into()))?;
    }
    for (name, value) in late.iter().flat_map(Headers::iter_bytes) {
        if may_trail(name) {
            trailers
                .append(name, value)
                .map_err(|error| failed(error.into()))?;
        }
    }
    Ok(trailers)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(ErrorKind::RequestBody, Phase::Write)
        .with_message("the source of the body failed")
        .with_source(error)
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("length", &self.length)
            .field("touched", &self.touched)
            .finish_non_exhaustive()
    }
}

/// Pieces up to this size are copied.
const COPIED_PIECE: usize = 8 * 1024;
/// No more is taken from the source for one write when there is this much.
const ENOUGH: usize = 256 * 1024;
/// The same for what is copied.
const ENOUGH_COPIED: usize = 32 * 1024;
const LISTEN_AFTER: usize = 256 * 1024;
const MOST_EMPTY_PIECES: u32 = 64;
