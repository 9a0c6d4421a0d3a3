use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::runtime;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep};

use super::clock::{Clock, Expiry, Waiting};
use super::exchange::Exchange;
use super::stream::Stream;

/// One connection with its buffers and its timer. It belongs to the runtime it was opened on.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: Stream,
    pub(crate) input: BytesMut,
    /// The head of the request that is being sent, and a small body.
    output: Vec<u8>,
    written: usize,
    timer: Option<Timer>,
    /// The place of the next exchange.
    pub(super) spare: Option<Box<Exchange>>,
    read_size: usize,
    pub(crate) runtime: runtime::Id,
    /// Whether that runtime turns by itself, so that it can run a task between requests.
    pub(crate) runtime_turns: bool,
    /// The address of the peer; Unix-domain sockets have none.
    pub(crate) remote: Option<SocketAddr>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<std::sync::Arc<super::tls::TlsInfo>>,
    pub(crate) created: Instant,
    /// When the pool closes it; set when it becomes idle.
    pub(crate) expires: Option<Instant>,
    /// The idle time that the server announced.
    pub(crate) keep_alive: Option<std::time::Duration>,
    pub(crate) exchanges: u64,
    pub(crate) traffic: Traffic,
}

/// Bytes that went over a connection and were not counted yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// A timer that stays registered between requests. It may be set for a moment before the end of the current wait, and
/// is moved further only when it fires there: once in a time limit, and not once in a request.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
}

impl Conn {
    pub(crate) fn new(
        stream: Stream,
        remote: Option<SocketAddr>,
        runtime: &runtime::Handle,
    ) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: Vec::new(),
            written: 0,
            timer: None,
            spare: None,
            read_size: MIN_READ,
            runtime: runtime.id(),
            runtime_turns: !bifrons::is_driven_by_caller(),
            remote,
            #[cfg(feature = "tls")]
            tls: None,
            created: Instant::now(),
            expires: None,
            keep_alive: None,
            exchanges: 0,
            traffic: Traffic::default(),
        }
    }

    /// Remembers what was agreed on about TLS with the origin.
    pub(crate) fn note_tls(&mut self) {
        #[cfg(feature = "tls")]
        if let Stream::Tls(stream) = &self.stream {
            let info = super::tls::TlsInfo::of(stream.get_ref().1);
            self.tls = Some(std::sync::Arc::new(info));
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr()
    }

    /// Whether an idle connection may carry a request.
    pub(crate) fn is_usable(&mut self, cx: &mut Context<'_>) -> bool {
        self.input.is_empty() && self.stream.is_quiet(cx, self.exchanges == 0)
    }

    /// Whether an idle connection is past its time.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Starts a request with this head.
    pub(crate) fn start(&mut self, write_head: impl FnOnce(&mut Vec<u8>)) {
        self.output.clear();
        self.written = 0;
        self.exchanges += 1;
        write_head(&mut self.output);
    }

    /// The buffer that goes out next, for more of the request. To be added to only while all of it or none of it
    /// is still to be sent, or else it would only ever grow.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
        &mut self.output
    }

    /// How much of the buffer is still to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.output.len() - self.written
    }

    /// Gives back memory that only a large exchange needed.
    pub(crate) fn settle(&mut self) {
        if self.output.capacity() > KEEP_CAPACITY {
            self.output = Vec::new();
        }
        if self.read_size > MIN_READ {
            self.read_size = MIN_READ;
            self.input = BytesMut::new();
        }
    }

    /// Sends what is left of the request; `body` follows the head. Returns how much went out.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        body: &[u8],
    ) -> Poll<io::Result<Sent>> {
        let head = &self.output[self.written..];
        if head.is_empty() && body.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            return Poll::Ready(Ok(Sent::All));
        }
        let stream = Pin::new(&mut self.stream);
        let count = ready!(match (head, body) {
            (head, []) => stream.poll_write(cx, head),
            ([], body) => stream.poll_write(cx, body),
            (head, body) => {
                stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
            }
        })?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.traffic.sent += count as u64;
        let of_head = count.min(head.len());
        self.written += of_head;
        Poll::Ready(Ok(Sent::Some {
            of_body: count - of_head,
        }))
    }

    /// Sends what is left of the buffer, with the pieces in their places between its bytes. `None` when all is sent.
    pub(crate) fn poll_send_pieces(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &mut VecDeque<Piece>,
    ) -> Poll<io::Result<Option<usize>>> {
        let mut slices = [IoSlice::new(&[]); MOST_SLICES];
        let mut used = 0;
        let mut push = |bytes| {
            if let Some(slice) = slices.get_mut(used) {
                *slice = IoSlice::new(bytes);
                used += 1;
            }
        };
        let mut at = self.written;
        for piece in pieces.iter() {
            if at < piece.after {
                push(&self.output[at..piece.after]);
                at = piece.after;
            }
            push(&piece.data);
        }
        if at < self.output.len() {
            push(&self.output[at..]);
        }
        let stream = Pin::new(&mut self.stream);
        let mut count = match &slices[..used] {
            [] => {
                ready!(stream.poll_flush(cx))?;
                return Poll::Ready(Ok(None));
            }
            [only] => ready!(stream.poll_write(cx, only))?,
            slices => ready!(stream.poll_write_vectored(cx, slices))?,
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.traffic.sent += count as u64;
        let sent = count;
        while let Some(piece) = pieces.front_mut() {
            let before = piece.after.saturating_sub(self.written);
            if count < before {
                break;
            }
            self.written += before;
            count -= before;
            if count < piece.data.len() {
                piece.data.advance(count);
                return Poll::Ready(Ok(Some(sent)));
            }
            count -= piece.data.len();
            pieces.pop_front();
        }
        self.written += count;
        Poll::Ready(Ok(Some(sent)))
    }

    /// Reads what is there into the input; 0 is the end.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() - self.input.len() < MIN_SPACE {
            self.input.reserve(self.read_size);
        }
        let space = self.input.capacity() - self.input.len();
        let count = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        self.traffic.received += count as u64;
        if count == space {
            self.read_size = (self.read_size * 2).min(MAX_READ);
        }
        Poll::Ready(Ok(count))
    }

    /// Reads at most `limit` bytes straight into another buffer, which must have room; 0 is the end.
    pub(crate) fn poll_fill_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = buffer.limit(limit);
        let count = ready!(pin!(self.stream.read_buf(&mut buffer)).poll(cx))?;
        self.traffic.received += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Reads what is there without a task to wake; for cleaning up.
    pub(crate) fn fill_now(&mut self) -> Option<usize> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.poll_fill(&mut cx) {
            Poll::Ready(Ok(count)) => Some(count),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    /// Ready when the current wait took too long.
    pub(crate) fn poll_expired(
        &mut self,
        cx: &mut Context<'_>,
        clock: &mut Clock,
        waiting: Waiting,
    ) -> Poll<Expiry> {
        let Some(expiry) = clock.expiry(waiting) else {
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            Some(timer) => {
                if timer.at > expiry.at {
                    timer.set(expiry.at);
                }
                timer
            }
            timer => timer.insert(Timer {
                sleep: Box::pin(tokio::time::sleep_until(expiry.at)),
                at: expiry.at,
            }),
        };
        // A peer that always has more uses up the budget of the task, without which timers do not fire.
        if !has_budget_remaining() && Instant::now() >= expiry.at {
            return Poll::Ready(expiry);
        }
        ready!(timer.sleep.as_mut().poll(cx));
        if timer.at < expiry.at {
            // It was set for an earlier wait.
            timer.set(expiry.at);
            ready!(timer.sleep.as_mut().poll(cx));
        }
        Poll::Ready(expiry)
    }
}

impl Timer {
    fn set(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
        self.at = at;
    }
}

/// Bytes that go out between those of the buffer.
#[derive(Debug)]
pub(crate) struct Piece {
    /// How much of the buffer goes before it.
    pub(crate) after: usize,
    pub(crate) data: Bytes,
}

/// The outcome of a write.
pub(crate) enum Sent {
    Some { of_body: usize },
    All,
}

const MIN_READ: usize = 8 * 1024;
const MAX_READ: usize = 128 * 1024;
/// Below this much room in the buffer a read is not worth a system call.
const MIN_SPACE: usize = 1024;
/// The most pieces of a body that one write sends.
pub(crate) const MOST_PIECES: usize = 8;
const MOST_SLICES: usize = 2 * MOST_PIECES + 1;
const KEEP_CAPACITY: usize = 64 * 1024;
