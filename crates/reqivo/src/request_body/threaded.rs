//! Bodies from sources that block: their work is done on the threads that the runtime keeps for that.

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::IntoPiece;
use super::source::{Item, Opened, Source};

/// What makes the next piece, and may block meanwhile.
pub(super) trait Work: Send + 'static {
    fn next(&mut self) -> Item;
}

/// Does the work on another thread, one piece ahead of what is being sent.
pub(super) struct Threaded<W>(State<W>);

enum State<W> {
    Idle(Box<W>),
    Busy(JoinHandle<(Box<W>, Item)>),
    Ended,
}

impl<W: Work> Threaded<W> {
    pub(super) fn new(work: W) -> Self {
        Self(State::Idle(Box::new(work)))
    }
}

impl<W: Work> Source for Threaded<W> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        loop {
            match std::mem::replace(&mut self.0, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Idle(work) => self.0 = State::Busy(start(work)),
                State::Busy(mut job) => {
                    let Poll::Ready(done) = Pin::new(&mut job).poll(cx) else {
                        self.0 = State::Busy(job);
                        return Poll::Pending;
                    };
                    let (work, piece) = match done {
                        Ok(done) => done,
                        Err(error) => match error.try_into_panic() {
                            Ok(panic) => std::panic::resume_unwind(panic),
                            Err(ended) => return Poll::Ready(Some(Err(ended.into()))),
                        },
                    };
                    if let Some(Ok(_)) = &piece {
                        self.0 = State::Busy(start(work));
                    }
                    return Poll::Ready(piece);
                }
            }
        }
    }
}

fn start<W: Work>(mut work: Box<W>) -> JoinHandle<(Box<W>, Item)> {
    tokio::task::spawn_blocking(move || {
        let piece = work.next();
        (work, piece)
    })
}

impl<W> Drop for Threaded<W> {
    fn drop(&mut self) {
        if let State::Busy(job) = &self.0 {
            // One that has begun ends with its piece.
            job.abort();
        }
    }
}

/// The items of an iterator.
pub(super) struct FromIter<I>(pub(super) I);

impl<I> Work for FromIter<I>
where
    I: Iterator<Item: IntoPiece> + Send + 'static,
{
    fn next(&mut self) -> Item {
        self.0.next().map(IntoPiece::into_piece)
    }
}

/// What a reader gives with each read.
pub(super) struct FromRead<R> {
    reader: R,
    /// No more than this is read.
    left: u64,
    /// The last pieces. Those that have been sent give their memory to the next.
    pieces: VecDeque<Bytes>,
}

impl<R: Read + Send + 'static> FromRead<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            left: u64::MAX,
            pieces: VecDeque::new(),
        }
    }
}

impl<R: Read + Send + 'static> Work for FromRead<R> {
    fn next(&mut self) -> Item {
        let size = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        if size == 0 {
            return None;
        }
        let sent = self.pieces.iter().position(Bytes::is_unique);
        let sent = sent.and_then(|at| self.pieces.remove(at)?.try_into_mut().ok());
        let mut buffer = sent.unwrap_or_default();
        // What was read before needs no zeroing.
        buffer.resize(size, 0);
        let count = loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => break count.min(size),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(error.into())),
            }
        };
        self.left -= count as u64;
        buffer.truncate(count);
        let piece = buffer.freeze();
        if self.pieces.len() == KEPT_PIECES {
            self.pieces.pop_front();
        }
        self.pieces.push_back(piece.clone());
        Some(Ok(piece))
    }
}

/// Opens a file by its path. Returns whether it is one that can be opened again.
pub(super) async fn open_path(path: Arc<Path>) -> io::Result<(Opened, bool)> {
    on_a_thread(move || {
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let length = match metadata.is_file() {
            true => length(&file, metadata.len(), 0)?,
            false => None,
        };
        Ok((measured(file, length), metadata.is_file()))
    })
    .await
}

/// Begins with a file where it stood when it was handed over.
pub(super) async fn rewind(file: Arc<File>, start: u64) -> io::Result<Opened> {
    on_a_thread(move || {
        (&*file).seek(SeekFrom::Start(start))?;
        let length = length(&file, file.metadata()?.len(), start)?;
        Ok(measured(SharedFile(file), length))
    })
    .await
}

/// How many bytes a file has from where it stands. Files of `/proc` and the like say 0 and have content.
fn length(mut file: &File, size: u64, start: u64) -> io::Result<Option<u64>> {
    let length = size.saturating_sub(start);
    if length > 0 || file.read(&mut [0])? == 0 {
        return Ok(Some(length));
    }
    file.seek(SeekFrom::Start(start))?;
    Ok(None)
}

/// A file that grows meanwhile is sent as long as it was.
fn measured(reader: impl Read + Send + 'static, length: Option<u64>) -> Opened {
    let mut work = FromRead::new(reader);
    work.left = length.unwrap_or(u64::MAX);
    let opened = Opened::new(Threaded::new(work), None);
    match length {
        Some(length) => opened.with_length(length),
        None => opened,
    }
}

struct SharedFile(Arc<File>);

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// How much is read at once.
const PIECE: usize = 128 * 1024;
/// How many of them may be on their way at once.
const KEPT_PIECES: usize = 4;
