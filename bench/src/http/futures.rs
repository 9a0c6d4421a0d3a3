//! Clients for futures.

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use super::{PIECE, Row, Run, Urls, WAYS, check};

/// One client, or one connection where there is no more to a client.
pub(super) trait Peer: Send + Sized + 'static {
    fn fresh(urls: &Urls) -> impl Future<Output = Self> + Send;
    /// For another task.
    fn another(&self, urls: &Urls) -> impl Future<Output = Self> + Send;
    /// Makes one call and returns the length of the reply.
    fn call(&mut self, row: Row, urls: &Urls) -> impl Future<Output = usize> + Send;
}

/// `spawned`: as a task of a multi-thread runtime, otherwise as the root of a current-thread one.
pub(super) fn prepare<P: Peer>(
    row: Row,
    urls: &Urls,
    spawned: bool,
) -> anyhow::Result<Option<Run>> {
    // The concurrent row is for tasks.
    if row == Row::Get64 && spawned {
        return Ok(None);
    }
    let urls = urls.clone();
    let runtime = match (spawned, row) {
        (_, Row::Get64) => multi_thread(2)?,
        (true, _) => multi_thread(1)?,
        (false, _) => Builder::new_current_thread().enable_all().build()?,
    };
    if row == Row::Get64 {
        return Ok(Some(concurrent::<P>(runtime, urls)));
    }
    let mut kept: Option<P> = None;
    Ok(Some(Box::new(move |calls| {
        let (urls, before) = (urls.clone(), kept.take());
        let work = async move {
            let mut peer = match before {
                Some(peer) => peer,
                None => P::fresh(&urls).await,
            };
            for call in 0..calls {
                if row == Row::ColdStart && call > 0 {
                    peer = P::fresh(&urls).await;
                }
                check(row, peer.call(row, &urls).await);
            }
            (row != Row::ColdStart).then_some(peer)
        };
        kept = match spawned {
            true => runtime.block_on(async { tokio::spawn(work).await.unwrap() }),
            false => runtime.block_on(work),
        };
    })))
}

fn multi_thread(workers: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
}

fn concurrent<P: Peer>(runtime: Runtime, urls: Urls) -> Run {
    let mut peers: Vec<P> = Vec::new();
    Box::new(move |calls| {
        runtime.block_on(async {
            if peers.is_empty() {
                peers.push(P::fresh(&urls).await);
                for _ in 1..WAYS {
                    let another = peers[0].another(&urls).await;
                    peers.push(another);
                }
            }
            let mut tasks = Vec::new();
            for mut peer in peers.drain(..) {
                let urls = urls.clone();
                tasks.push(tokio::spawn(async move {
                    for _ in 0..calls / WAYS {
                        check(Row::Get64, peer.call(Row::Get64, &urls).await);
                    }
                    peer
                }));
            }
            for task in tasks {
                peers.push(task.await.unwrap());
            }
        });
    })
}

/// The floor: a bare socket with one write, a parsed head and no other checks.
pub(super) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The head of its one kind of request, once that is known.
    head: Bytes,
}

impl Socket {
    /// Reads one reply. Its body is copied out when it is to be kept, as every client does.
    async fn reply(&mut self, keep: bool) -> usize {
        let mut filled = 0;
        let (head, length) = loop {
            filled += self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            if let Some(found) = super::parse(&self.buffer[..filled]) {
                break found;
            }
        };
        if head + length <= self.buffer.len() {
            while filled < head + length {
                filled += self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            }
            return self.buffer[head..head + length].to_vec().len();
        }
        let mut seen = filled - head;
        if !keep {
            while seen < length {
                seen += self.stream.read(&mut self.buffer).await.unwrap();
            }
            return seen;
        }
        let mut body = vec![0; length];
        body[..seen].copy_from_slice(&self.buffer[head..filled]);
        self.stream.read_exact(&mut body[seen..]).await.unwrap();
        body.len()
    }
}

impl Peer for Socket {
    async fn fresh(urls: &Urls) -> Self {
        let stream = TcpStream::connect(&urls.authority).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; super::FLOOR_BUFFER],
            head: Bytes::new(),
        }
    }

    async fn another(&self, urls: &Urls) -> Self {
        Self::fresh(urls).await
    }

    async fn call(&mut self, row: Row, urls: &Urls) -> usize {
        if self.head.is_empty() {
            self.head = super::floor_request(row, urls);
        }
        self.stream.write_all(&self.head).await.unwrap();
        match row {
            Row::UploadBytes => self.stream.write_all(&urls.bulk).await.unwrap(),
            Row::UploadStream => {
                for piece in urls.bulk.chunks(PIECE) {
                    self.stream.write_all(piece).await.unwrap();
                }
            }
            _ => {}
        }
        self.reply(row != Row::DownloadStreamed).await
    }
}

impl Peer for reqivo::Session {
    async fn fresh(_: &Urls) -> Self {
        Self::builder()
            .pool(reqivo::PoolConfig::default().per_origin(WAYS))
            .build()
            .unwrap()
    }

    async fn another(&self, _: &Urls) -> Self {
        self.clone()
    }

    async fn call(&mut self, row: Row, urls: &Urls) -> usize {
        let request = match row {
            Row::Post => self
                .post(&urls.sink)
                .header("content-type", "application/json")
                .body(urls.json.clone()),
            Row::DownloadStreamed | Row::DownloadCollected => self.get(&urls.large),
            Row::UploadBytes => self.post(&urls.sink).body(urls.bulk.clone()),
            Row::UploadStream => {
                let pieces = stream::iter(pieces(&urls.bulk).map(Ok::<_, Infallible>));
                self.post(&urls.sink).body(reqivo::Body::stream(pieces))
            }
            _ => self.get(&urls.items),
        };
        let mut reply = request.send().await.unwrap();
        if row != Row::DownloadStreamed {
            return reply.bytes().await.unwrap().len();
        }
        let mut seen = 0;
        while let Some(piece) = reply.chunk().await.unwrap() {
            seen += piece.len();
        }
        seen
    }
}

impl Peer for reqwest::Client {
    async fn fresh(_: &Urls) -> Self {
        Self::new()
    }

    async fn another(&self, _: &Urls) -> Self {
        self.clone()
    }

    async fn call(&mut self, row: Row, urls: &Urls) -> usize {
        let request = match row {
            Row::Post => self
                .post(&urls.sink)
                .header("content-type", "application/json")
                .body(urls.json.clone()),
            Row::DownloadStreamed | Row::DownloadCollected => self.get(&urls.large),
            Row::UploadBytes => self.post(&urls.sink).body(urls.bulk.clone()),
            Row::UploadStream => {
                let pieces = stream::iter(pieces(&urls.bulk).map(Ok::<_, Infallible>));
                self.post(&urls.sink)
                    .body(reqwest::Body::wrap_stream(pieces))
            }
            _ => self.get(&urls.items),
        };
        let mut reply = request.send().await.unwrap();
        if row != Row::DownloadStreamed {
            return reply.bytes().await.unwrap().len();
        }
        let mut seen = 0;
        while let Some(piece) = reply.chunk().await.unwrap() {
            seen += piece.len();
        }
        seen
    }
}

/// A connection of hyper. Its other half runs as a task.
pub(super) struct Connection {
    sender: hyper::client::conn::http1::SendRequest<HyperBody>,
    authority: HeaderValue,
}

type Pieces =
    StreamBody<stream::Iter<Box<dyn Iterator<Item = Result<Frame<Bytes>, Infallible>> + Send>>>;
type HyperBody = Either<Full<Bytes>, Pieces>;

impl Peer for Connection {
    async fn fresh(urls: &Urls) -> Self {
        let stream = TcpStream::connect(&urls.authority).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (sender, other_half) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(other_half);
        Self {
            sender,
            authority: HeaderValue::from_str(&urls.authority).unwrap(),
        }
    }

    async fn another(&self, urls: &Urls) -> Self {
        Self::fresh(urls).await
    }

    async fn call(&mut self, row: Row, urls: &Urls) -> usize {
        let (request, body) = match row {
            Row::Post => (
                hyper::Request::post("/sink").header("content-type", "application/json"),
                Either::Left(Full::new(urls.json.clone())),
            ),
            Row::DownloadStreamed | Row::DownloadCollected => {
                (hyper::Request::get("/large"), Either::Left(Full::default()))
            }
            Row::UploadBytes => (
                hyper::Request::post("/sink"),
                Either::Left(Full::new(urls.bulk.clone())),
            ),
            Row::UploadStream => {
                let frames = pieces(&urls.bulk).map(|piece| Ok(Frame::data(piece)));
                let frames: Box<dyn Iterator<Item = _> + Send> = Box::new(frames);
                (
                    hyper::Request::post("/sink"),
                    Either::Right(StreamBody::new(stream::iter(frames))),
                )
            }
            _ => (hyper::Request::get("/items"), Either::Left(Full::default())),
        };
        let request = request
            .header(HOST, self.authority.clone())
            .header(USER_AGENT, HeaderValue::from_static("hyper"))
            .header(ACCEPT, HeaderValue::from_static("*/*"))
            .body(body)
            .unwrap();
        self.sender.ready().await.unwrap();
        let mut body = self.sender.send_request(request).await.unwrap().into_body();
        if row != Row::DownloadStreamed {
            return body.collect().await.unwrap().to_bytes().len();
        }
        let mut seen = 0;
        while let Some(frame) = body.frame().await {
            seen += frame.unwrap().data_ref().map_or(0, Bytes::len);
        }
        seen
    }
}

fn pieces(bulk: &Bytes) -> impl Iterator<Item = Bytes> + Send + 'static {
    let mut rest = bulk.clone();
    std::iter::from_fn(move || {
        let size = PIECE.min(rest.len());
        (size > 0).then(|| rest.split_to(size))
    })
}
