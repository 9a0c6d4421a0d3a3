//! What requests carry.

mod source;
mod stream;
mod threaded;

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use tokio::io::AsyncRead;

use self::source::Source;
pub(crate) use self::source::{BoxError, BoxSource, Opened};
use self::stream::{FromAsyncRead, FromHttpBody, FromStream};
use self::threaded::{FromIter, FromRead, Threaded};
use crate::error::{Error, ErrorKind, Phase};
use crate::proto::encode::{InvalidRequest, check_name};

/// The body of a request.
///
/// | made from | length | sent again on a redirect or a repeat |
/// |---|---|---|
/// | text, bytes, vectors | known | yes |
/// | [`file`](Self::file), or a [`File`] | known when it is sent | yes |
/// | [`stream`](Self::stream), [`async_reader`](Self::async_reader), [`wrap`](Self::wrap) | chunked, or [declared](Self::with_length) | no |
/// | [`reader`](Self::reader), [`iter`](Self::iter) | chunked, or [declared](Self::with_length) | no |
/// | [`replayable`](Self::replayable) | as what it makes | yes |
/// | [`chain`](Self::chain) | known when that of each part is | when each part can be |
///
/// A body of unknown length is sent with `Transfer-Encoding: chunked`; each piece of the source is a chunk, as soon
/// as it is there. At most a few pieces are in memory at once, whatever the length of the body.
///
/// The same body serves both faces. Sources that block (files, readers, iterators) are read on the threads that the
/// runtime keeps for such work, so that neither an executor is blocked nor a time limit missed.
///
/// ```
/// # fn example(session: reqivo::Session) -> Result<(), reqivo::Error> {
/// use reqivo::Body;
///
/// let text = session.post("https://example.com/").body("text");
/// let file = session.put("https://example.com/disk.img").body(Body::file("disk.img"));
/// let lines = session.post("https://example.com/").body(Body::iter(["one\n", "two\n"]));
/// # Ok(())
/// # }
/// ```
pub struct Body(Repr);

enum Repr {
    Bytes(Bytes),
    Streamed(Box<Streamed>),
    /// A mistake in one of the steps that made it.
    Invalid(Error),
}

#[derive(Clone)]
struct Streamed {
    origin: Arc<Origin>,
    declared: Option<u64>,
    trailers: Vec<Trailer>,
}

enum Origin {
    Bytes(Bytes),
    /// Taken by the first hop that sends it.
    Once(Mutex<Option<BoxSource>>),
    /// One after the other. When some can be sent only once, what was made ready and not begun is put here.
    Chain(Vec<Body>, Mutex<Option<Opened>>),
    Made(Box<dyn Fn() -> Body + Send + Sync>),
    Path {
        path: Arc<Path>,
        /// A pipe or a device, which gives its bytes once.
        special: AtomicBool,
    },
    File {
        file: Arc<File>,
        start: u64,
    },
}

/// A trailer field, whose value is made when the body has been sent.
#[derive(Clone)]
pub(crate) struct Trailer {
    pub(crate) name: Arc<str>,
    pub(crate) value: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
}

impl Body {
    /// Creates a body of no bytes, which is sent with a length of 0.
    #[must_use]
    pub fn empty() -> Self {
        Self(Repr::Bytes(Bytes::new()))
    }

    /// Sends the items of an async stream: bytes or text, or results of them.
    ///
    /// An error of the stream ends the call and closes the connection; it is the source of the error.
    ///
    /// ```
    /// # fn example(session: reqivo::Session, response: reqivo::Response) {
    /// // What another server sends, passed on as it arrives.
    /// let upload = session
    ///     .post("https://example.com/")
    ///     .body(reqivo::Body::stream(response.into_stream()));
    /// # }
    /// ```
    #[must_use]
    pub fn stream<S>(stream: S) -> Self
    where
        S: Stream<Item: IntoPiece> + Send + 'static,
    {
        Self::once(FromStream(Box::pin(stream)))
    }

    /// Sends the items of an iterator: bytes or text, or results of them. The iterator may block.
    #[must_use]
    pub fn iter<I>(iter: I) -> Self
    where
        I: IntoIterator<Item: IntoPiece, IntoIter: Send + 'static>,
    {
        Self::once(Threaded::new(FromIter(iter.into_iter())))
    }

    /// Sends what a reader gives, up to its end. The reader may block.
    ///
    /// A call that ends early may leave a read behind that goes on until it returns, as one from a terminal does.
    #[must_use]
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::once(Threaded::new(FromRead::new(reader)))
    }

    /// Sends what an async reader gives, up to its end.
    #[must_use]
    pub fn async_reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::once(FromAsyncRead {
            reader: Box::pin(reader),
            buffer: BytesMut::new(),
        })
    }

    /// Sends the file at this path. It is opened when the request is sent, and its length is the one it has then.
    ///
    /// That it cannot be opened is an error before anything is sent. A file that grows meanwhile is sent as long as
    /// it was; one that shrinks is an error. Pipes and devices are sent up to their end, in chunks.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::streamed(Origin::Path {
            path: path.into().into(),
            special: AtomicBool::new(false),
        })
    }

    /// Sends a body of the `http-body` crate, with its trailers.
    #[must_use]
    pub fn wrap<B>(body: B) -> Self
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let length = body.size_hint().exact();
        let this = Self::once(FromHttpBody {
            body: Box::pin(body),
            trailers: None,
        });
        match length {
            Some(length) => this.with_length(length),
            None => this,
        }
    }

    /// Calls a function for the body each time it is needed: once, and again for a redirect that keeps the body and
    /// for a repeat on a fresh connection.
    ///
    /// ```
    /// # fn make_report() -> std::io::Cursor<Vec<u8>> { Default::default() }
    /// let body = reqivo::Body::replayable(|| reqivo::Body::reader(make_report()));
    /// assert!(body.is_replayable());
    /// ```
    #[must_use]
    pub fn replayable(make: impl Fn() -> Self + Send + Sync + 'static) -> Self {
        Self::streamed(Origin::Made(Box::new(make)))
    }

    /// Sends several bodies as one, one after the other. The length is known when that of each is. Trailers of the
    /// bodies are not sent; give them to the whole.
    #[must_use]
    pub fn chain(bodies: impl IntoIterator<Item = Self>) -> Self {
        let bodies: Result<Vec<Self>, Error> = bodies.into_iter().map(Self::checked).collect();
        match bodies {
            Ok(bodies) => Self::streamed(Origin::Chain(bodies, Mutex::new(None))),
            Err(error) => Self(Repr::Invalid(error)),
        }
    }

    /// Declares the length of a streamed body, which is then sent with `Content-Length` instead of in chunks.
    ///
    /// The call fails, and the connection is closed, when the source has fewer bytes or more. The last piece is sent
    /// when the source has ended, so that the server never takes a body for complete that is too long.
    #[must_use]
    pub fn with_length(self, length: u64) -> Self {
        self.change(|streamed| {
            streamed.declared = Some(length);
            Ok(())
        })
    }

    /// Adds a trailer field, whose value is asked for when the last byte of the body was taken from its source.
    ///
    /// A body with trailers is sent in chunks even when its length is known, and its request announces the names in
    /// `Trailer`. Fields that frame, route or authenticate a message, or that describe its content, cannot be
    /// trailers (RFC 9110 6.5.1): sending such a body is an error.
    ///
    /// ```
    /// # let checksum = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    /// let body = reqivo::Body::iter(["a", "b"])
    ///     .with_trailer("X-Checksum", move || checksum.lock().unwrap().clone());
    /// ```
    #[must_use]
    pub fn with_trailer<V: AsRef<[u8]>>(
        self,
        name: &str,
        value: impl Fn() -> V + Send + Sync + 'static,
    ) -> Self {
        self.change(|streamed| {
            check_name(name)?;
            if !may_trail(name) {
                return Err(InvalidRequest::Trailer.into());
            }
            streamed.trailers.push(Trailer {
                name: name.into(),
                value: Arc::new(move || value().as_ref().to_vec()),
            });
            Ok(())
        })
    }

    /// Returns the length, when it is known before the body is sent. That of a file is not.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Repr::Streamed(streamed) if streamed.declared.is_some() => streamed.declared,
            Repr::Streamed(streamed) => match &*streamed.origin {
                Origin::Bytes(bytes) => Some(bytes.len() as u64),
                Origin::Chain(bodies, _) => bodies
                    .iter()
                    .try_fold(0_u64, |sum, body| sum.checked_add(body.length()?)),
                _ => None,
            },
            Repr::Bytes(bytes) => Some(bytes.len() as u64),
            Repr::Invalid(_) => None,
        }
    }

    /// Returns the bytes of a body that was made from text, bytes or vectors.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.bytes().map(|bytes| &**bytes)
    }

    /// Copies the body, or returns `None` when it can be sent only once. Copies share the memory of the bytes.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        self.is_replayable().then(|| self.share())
    }

    /// Returns whether the body can be sent more than once, as a redirect with status 307 or 308 asks for.
    #[must_use]
    pub fn is_replayable(&self) -> bool {
        match &self.0 {
            Repr::Bytes(_) => true,
            Repr::Streamed(streamed) => match &*streamed.origin {
                Origin::Bytes(_) | Origin::Made(_) | Origin::File { .. } => true,
                Origin::Once(_) => false,
                Origin::Chain(bodies, _) => bodies.iter().all(Self::is_replayable),
                Origin::Path { special, .. } => !special.load(Ordering::Relaxed),
            },
            Repr::Invalid(_) => false,
        }
    }
}

impl Body {
    fn once(source: impl Source + 'static) -> Self {
        Self::streamed(Origin::Once(Mutex::new(Some(Box::new(source)))))
    }

    fn streamed(origin: Origin) -> Self {
        Self(Repr::Streamed(Box::new(Streamed {
            origin: Arc::new(origin),
            declared: None,
            trailers: Vec::new(),
        })))
    }

    #[cfg(feature = "multipart")]
    pub(crate) fn invalid(error: Error) -> Self {
        Self(Repr::Invalid(error))
    }

    fn change(self, change: impl FnOnce(&mut Streamed) -> Result<(), Error>) -> Self {
        let mut streamed = match self.0 {
            Repr::Invalid(_) => return self,
            Repr::Streamed(streamed) => streamed,
            Repr::Bytes(bytes) => Box::new(Streamed {
                origin: Arc::new(Origin::Bytes(bytes)),
                declared: None,
                trailers: Vec::new(),
            }),
        };
        Self(match change(&mut streamed) {
            Ok(()) => Repr::Streamed(streamed),
            Err(error) => Repr::Invalid(error),
        })
    }

    /// The same body. One that can be sent only once is spent for both when either is sent.
    pub(crate) fn share(&self) -> Self {
        Self(match &self.0 {
            Repr::Bytes(bytes) => Repr::Bytes(bytes.clone()),
            Repr::Streamed(streamed) => Repr::Streamed(streamed.clone()),
            Repr::Invalid(error) => Repr::Invalid(again(error)),
        })
    }

    /// Hands out a mistake in making it.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        match self.0 {
            Repr::Invalid(error) => Err(error),
            repr => Ok(Self(repr)),
        }
    }

    /// The bytes of a body that is in memory.
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Bytes(bytes) => Some(bytes),
            Repr::Streamed(streamed) => match &*streamed.origin {
                Origin::Bytes(bytes) => Some(bytes),
                _ => None,
            },
            Repr::Invalid(_) => None,
        }
    }

    /// The bytes that go out as they are, without a source to ask.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether its source can be asked now: a body that is sent once is there no more after that.
    pub(crate) fn can_be_opened(&self) -> bool {
        match &self.0 {
            Repr::Streamed(streamed) => match &*streamed.origin {
                Origin::Once(source) => lock(source).is_some(),
                Origin::Chain(bodies, ready) => {
                    lock(ready).is_some() || bodies.iter().all(Self::can_be_opened)
                }
                _ => self.is_replayable(),
            },
            _ => true,
        }
    }

    /// Makes the source ready.
    pub(crate) fn open(&self) -> Opening<'_> {
        Box::pin(async move {
            let streamed = match &self.0 {
                Repr::Bytes(bytes) => return Ok(Opened::whole(bytes.clone())),
                Repr::Streamed(streamed) => streamed,
                Repr::Invalid(error) => return Err(again(error)),
            };
            let unreadable = |error: io::Error| {
                Error::builder("the file of the body cannot be read").with_source(error)
            };
            let mut opened = match &*streamed.origin {
                Origin::Bytes(bytes) => Opened::whole(bytes.clone()),
                Origin::Once(source) => match lock(source).take() {
                    Some(source) => Opened {
                        source,
                        length: None,
                        trailers: Vec::new(),
                    },
                    None => return Err(spent()),
                },
                Origin::Chain(bodies, ready) => {
                    if let Some(opened) = lock(ready).take() {
                        return Ok(opened);
                    }
                    let mut opened = Vec::with_capacity(bodies.len());
                    for body in bodies {
                        opened.push(body.open().await?);
                    }
                    Opened::chain(opened)
                }
                Origin::Made(make) => make().checked()?.open().await?,
                Origin::Path { path, special } => {
                    let opened = threaded::open_path(Arc::clone(path)).await;
                    let (opened, regular) = opened.map_err(unreadable)?;
                    special.store(!regular, Ordering::Relaxed);
                    opened
                }
                Origin::File { file, start } => threaded::rewind(Arc::clone(file), *start)
                    .await
                    .map_err(unreadable)?,
            };
            if let Some(declared) = streamed.declared {
                opened = match opened.length {
                    Some(length) if length == declared => opened,
                    Some(_) => return Err(InvalidRequest::ContradictingLength.into()),
                    None => opened.with_length(declared),
                };
            }
            opened.trailers.extend(streamed.trailers.iter().cloned());
            Ok(opened)
        })
    }

    /// Takes back what was opened and not asked for anything.
    pub(crate) fn restore(&self, opened: Opened) {
        if let Repr::Streamed(streamed) = &self.0 {
            match &*streamed.origin {
                Origin::Once(place) => *lock(place) = Some(opened.source),
                Origin::Chain(_, place) if !self.is_replayable() => *lock(place) = Some(opened),
                _ => {}
            }
        }
    }
}

pub(crate) type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send + 'a>>;

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

fn again(error: &Error) -> Error {
    Error::builder("the body is malformed").with_source(error.to_string())
}

/// The error for a body that was sent and would have to be sent again.
fn spent() -> Error {
    Error::new(ErrorKind::RequestBody, Phase::Build).with_message("the body cannot be replayed")
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Repr::Streamed(streamed) => match (&*streamed.origin, self.length()) {
                (Origin::Path { path, .. }, _) => write!(f, "Body(file {})", path.display()),
                (_, Some(length)) => write!(f, "Body({length} bytes)"),
                (_, None) => f.write_str("Body(streamed)"),
            },
            Repr::Invalid(error) => write!(f, "Body({error})"),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

macro_rules! from_bytes {
    ($($from:ty),*) => {$(
        impl From<$from> for Body {
            fn from(bytes: $from) -> Self {
                Self(Repr::Bytes(bytes.into()))
            }
        }

        impl IntoPiece for $from {
            fn into_piece(self) -> Result<Bytes, BoxError> {
                Ok(self.into())
            }
        }

        impl sealed::Sealed for $from {}
    )*};
}

from_bytes!(
    Bytes,
    BytesMut,
    Vec<u8>,
    Box<[u8]>,
    &'static [u8],
    String,
    &'static str
);

impl<const N: usize> From<&'static [u8; N]> for Body {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

/// No bytes.
impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

/// From where the file stands to its end.
impl From<File> for Body {
    fn from(mut file: File) -> Self {
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        match file.stream_position() {
            Ok(start) if regular => Self::streamed(Origin::File {
                file: Arc::new(file),
                start,
            }),
            _ => Self::reader(file),
        }
    }
}

/// What a streamed body may consist of: bytes, text, or results of them.
pub trait IntoPiece: sealed::Sealed {
    /// Turns the item into bytes.
    #[doc(hidden)]
    fn into_piece(self) -> Result<Bytes, BoxError>;
}

impl<T: IntoPiece, E: Into<BoxError>> IntoPiece for Result<T, E> {
    fn into_piece(self) -> Result<Bytes, BoxError> {
        self.map_err(Into::into)?.into_piece()
    }
}

impl<T: IntoPiece, E: Into<BoxError>> sealed::Sealed for Result<T, E> {}

mod sealed {
    /// Keeps the trait open for additions.
    #[expect(unnameable_types, reason = "only this crate implements it")]
    pub trait Sealed {}
}

/// Whether a field may come after the body.
pub(crate) fn may_trail(name: &str) -> bool {
    let mut barred = NO_TRAILERS.iter();
    !barred.any(|other| other.eq_ignore_ascii_case(name))
}

const NO_TRAILERS: [&str; 22] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
];
