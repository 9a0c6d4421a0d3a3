//! Clients for plain threads.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;

use super::{PIECE, Row, Run, Urls, WAYS, check};
use crate::server::LARGE;

/// One client, or one connection where there is no more to a client.
pub(super) trait Peer: Send + Sized + 'static {
    fn fresh(urls: &Urls) -> Self;
    /// For another thread.
    fn another(&self, urls: &Urls) -> Self;
    /// Makes one call and returns the length of the reply.
    fn call(&mut self, row: Row, urls: &Urls) -> usize;
}

pub(super) fn prepare<P: Peer>(row: Row, urls: &Urls) -> Option<Run> {
    let urls = urls.clone();
    if row == Row::ColdStart {
        return Some(Box::new(move |calls| {
            for _ in 0..calls {
                repeat(&mut P::fresh(&urls), row, &urls, 1);
            }
        }));
    }
    let ways = if row == Row::Get64 { WAYS } else { 1 };
    let mut peers: Vec<P> = Vec::new();
    Some(Box::new(move |calls| {
        if peers.is_empty() {
            peers.push(P::fresh(&urls));
            peers.extend(
                (1..ways)
                    .map(|_| peers[0].another(&urls))
                    .collect::<Vec<_>>(),
            );
        }
        if let [peer] = &mut *peers {
            return repeat(peer, row, &urls, calls);
        }
        std::thread::scope(|scope| {
            for peer in &mut peers {
                let urls = &urls;
                scope.spawn(move || repeat(peer, row, urls, calls / ways));
            }
        });
    }))
}

fn repeat(peer: &mut impl Peer, row: Row, urls: &Urls, calls: usize) {
    for _ in 0..calls {
        check(row, peer.call(row, urls));
    }
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
    fn reply(&mut self, keep: bool) -> usize {
        let mut filled = 0;
        let (head, length) = loop {
            filled += self.stream.read(&mut self.buffer[filled..]).unwrap();
            if let Some(found) = super::parse(&self.buffer[..filled]) {
                break found;
            }
        };
        if head + length <= self.buffer.len() {
            while filled < head + length {
                filled += self.stream.read(&mut self.buffer[filled..]).unwrap();
            }
            return self.buffer[head..head + length].to_vec().len();
        }
        let mut seen = filled - head;
        if !keep {
            while seen < length {
                seen += self.stream.read(&mut self.buffer).unwrap();
            }
            return seen;
        }
        let mut body = vec![0; length];
        body[..seen].copy_from_slice(&self.buffer[head..filled]);
        self.stream.read_exact(&mut body[seen..]).unwrap();
        body.len()
    }
}

impl Peer for Socket {
    fn fresh(urls: &Urls) -> Self {
        let stream = TcpStream::connect(&urls.authority).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; super::FLOOR_BUFFER],
            head: Bytes::new(),
        }
    }

    fn another(&self, urls: &Urls) -> Self {
        Self::fresh(urls)
    }

    fn call(&mut self, row: Row, urls: &Urls) -> usize {
        if self.head.is_empty() {
            self.head = super::floor_request(row, urls);
        }
        self.stream.write_all(&self.head).unwrap();
        match row {
            Row::UploadBytes => self.stream.write_all(&urls.bulk).unwrap(),
            Row::UploadStream => {
                for piece in urls.bulk.chunks(PIECE) {
                    self.stream.write_all(piece).unwrap();
                }
            }
            _ => {}
        }
        self.reply(row != Row::DownloadStreamed)
    }
}

impl Peer for reqivo::blocking::Session {
    fn fresh(_: &Urls) -> Self {
        Self::builder()
            .pool(reqivo::PoolConfig::default().per_origin(WAYS))
            .build()
            .unwrap()
    }

    fn another(&self, _: &Urls) -> Self {
        self.clone()
    }

    fn call(&mut self, row: Row, urls: &Urls) -> usize {
        let request = match row {
            Row::Post => self
                .post(&urls.sink)
                .header("content-type", "application/json")
                .body(urls.json.clone()),
            Row::DownloadStreamed | Row::DownloadCollected => self.get(&urls.large),
            Row::UploadBytes => self.post(&urls.sink).body(urls.bulk.clone()),
            Row::UploadStream => {
                let body = std::io::Cursor::new(urls.bulk.clone());
                let body = reqivo::Body::reader(body).with_length(LARGE as u64);
                self.post(&urls.sink).body(body)
            }
            _ => self.get(&urls.items),
        };
        let mut reply = request.send().unwrap();
        if row != Row::DownloadStreamed {
            return reply.bytes().unwrap().len();
        }
        let mut seen = 0;
        while let Some(piece) = reply.chunk().unwrap() {
            seen += piece.len();
        }
        seen
    }
}

impl Peer for reqwest::blocking::Client {
    fn fresh(_: &Urls) -> Self {
        Self::new()
    }

    fn another(&self, _: &Urls) -> Self {
        self.clone()
    }

    fn call(&mut self, row: Row, urls: &Urls) -> usize {
        let request = match row {
            Row::Post => self
                .post(&urls.sink)
                .header("content-type", "application/json")
                .body(urls.json.clone()),
            Row::DownloadStreamed | Row::DownloadCollected => self.get(&urls.large),
            Row::UploadBytes => self.post(&urls.sink).body(urls.bulk.clone()),
            Row::UploadStream => {
                let body = std::io::Cursor::new(urls.bulk.clone());
                let body = reqwest::blocking::Body::sized(body, LARGE as u64);
                self.post(&urls.sink).body(body)
            }
            _ => self.get(&urls.items),
        };
        let mut reply = request.send().unwrap();
        match row {
            Row::DownloadStreamed => count(&mut reply),
            _ => reply.bytes().unwrap().len(),
        }
    }
}

impl Peer for ureq::Agent {
    fn fresh(_: &Urls) -> Self {
        let config = Self::config_builder();
        config
            .max_idle_connections(WAYS)
            .max_idle_connections_per_host(WAYS)
            .build()
            .into()
    }

    fn another(&self, _: &Urls) -> Self {
        self.clone()
    }

    fn call(&mut self, row: Row, urls: &Urls) -> usize {
        let reply = match row {
            Row::Post => self
                .post(&urls.sink)
                .content_type("application/json")
                .send(&urls.json[..]),
            Row::DownloadStreamed | Row::DownloadCollected => self.get(&urls.large).call(),
            Row::UploadBytes => self.post(&urls.sink).send(&urls.bulk[..]),
            Row::UploadStream => self
                .post(&urls.sink)
                .header("content-length", LARGE.to_string())
                .send(ureq::SendBody::from_reader(&mut &urls.bulk[..])),
            _ => self.get(&urls.items).call(),
        };
        let mut body = reply.unwrap().into_body();
        match row {
            Row::DownloadStreamed => count(&mut body.as_reader()),
            _ => {
                let config = body.with_config().limit(2 * LARGE as u64);
                config.read_to_vec().unwrap().len()
            }
        }
    }
}

fn count(reader: &mut impl Read) -> usize {
    let mut buffer = vec![0; PIECE];
    let mut seen = 0;
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => return seen,
            read => seen += read,
        }
    }
}
