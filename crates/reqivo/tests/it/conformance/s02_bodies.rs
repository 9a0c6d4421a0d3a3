//! Bodies of requests and their framing (RFC 9112 6 and 7, RFC 9110 6.5).

use std::error::Error as _;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use reqivo::{Body, ErrorKind, Method, Phase, TimeLimit, Timeouts};
use testkit::{Gate, Reply, Server, Wire};

use super::super::Session;

/// Reads up to and including these bytes.
fn read_until(wire: &mut Wire, end: &[u8]) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(end) {
        wire.read_exact(&mut byte)?;
        read.push(byte[0]);
    }
    Ok(read)
}

/// An async stream of these items.
fn stream<T: Send + 'static>(
    items: Vec<T>,
) -> impl futures_core::Stream<Item = T> + Send + 'static {
    futures_util::stream::iter(items)
}

/// A reader that fails the test when it is read on the thread that it was made on.
struct Elsewhere<R>(R, std::thread::ThreadId);

impl<R: Read> Read for Elsewhere<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert_ne!(std::thread::current().id(), self.1, "it blocks the caller");
        self.0.read(buffer)
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

scenarios! {
    /// D4: on the wire, size in lower-case hex, empty pieces left out.
    fn d4_each_piece_is_a_chunk_on_the_wire() {
        let (told, seen) = mpsc::channel();
        let server = Server::raw(move |wire| {
            let head = wire.read_head()?;
            let body = read_until(wire, b"\r\n0\r\n\r\n")?;
            told.send((head, body)).unwrap();
            wire.write_all(OK)
        });
        let long = "x".repeat(0xab);
        let pieces = [Bytes::from("one"), Bytes::new(), Bytes::from(long.clone()), Bytes::new()];
        let request = Session::new().post(server.url("/")).body(Body::iter(pieces));
        assert_eq!(wait!(request.send()).unwrap().status(), 200);
        let (head, body) = seen.recv().unwrap();
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("content-length"), "{head}");
        assert_eq!(String::from_utf8(body).unwrap(), format!("3\r\none\r\nab\r\n{long}\r\n0\r\n\r\n"));
    }

    /// D4: pieces of every size keep their borders, those that are copied and those that are not.
    fn d4_pieces_of_any_size_arrive_whole_and_apart() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let sizes = [1, 8191, 8192, 8193, 16, 1, 100_000, 16_384, 3, 1_000_000, 5];
        let pieces: Vec<Vec<u8>> = sizes.iter().zip(b'a'..).map(|(&size, byte)| vec![byte; size]).collect();
        wait!(session.post(server.url("/")).body(Body::stream(stream(pieces.clone()))).send()).unwrap();
        let seen = server.only_request();
        assert_eq!(seen.chunks, sizes);
        assert!(seen.body == pieces.concat());
        assert!(seen.complete && session.pool_stats().idle == 1, "the connection is kept");
    }

    /// D4: to a server that takes little at a time, so that writes end anywhere, and over TLS.
    fn d4_chunks_stay_whole_when_writes_are_cut() {
        let sizes = [9000, 1, 70_000, 20, 8192, 8193, 300_000, 9000, 9001, 9002, 9003, 9004, 9005, 9006, 9007, 5, 5, 400_000];
        let pieces: Vec<Vec<u8>> = sizes.iter().zip(b'A'..).map(|(&size, byte)| vec![byte; size]).collect();
        let mut expected = Vec::new();
        for piece in &pieces {
            write!(expected, "{:x}\r\n", piece.len()).unwrap();
            expected.extend_from_slice(piece);
            expected.extend_from_slice(b"\r\n");
        }
        expected.extend_from_slice(b"0\r\n\r\n");
        let authority = testkit::Authority::new();
        let tls = reqivo::TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let session = Session::builder().tls(tls).build().unwrap();
        for secure in [false, true] {
            let (told, seen) = mpsc::channel();
            let builder = Server::builder();
            let builder = match secure {
                true => builder.tls(authority.good()),
                false => builder,
            };
            let server = builder.raw(move |wire| {
                wire.shrink_receive_buffer(64 * 1024)?;
                wire.read_head()?;
                told.send(read_until(wire, b"\r\n0\r\n\r\n")?).unwrap();
                wire.write_all(OK)
            });
            let request = session.put(server.url("/")).timeout(Duration::from_secs(25));
            let body = Body::stream(stream(pieces.clone()));
            assert_eq!(wait!(request.body(body).send()).unwrap().status(), 200);
            assert!(seen.recv().unwrap() == expected, "tls: {secure}");
        }
    }

    /// D4: bodies of no pieces, or only of empty ones.
    fn d4_a_stream_of_nothing_is_only_the_end_marker() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        for body in [Body::stream(stream(Vec::<Bytes>::new())), Body::iter(vec![""; 10_000]), Body::reader(io::empty())] {
            wait!(session.put(server.url("/")).body(body).send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert_eq!((seen.chunks.len(), seen.body.len(), seen.header("transfer-encoding")), (0, 0, Some("chunked")));
            assert_eq!(seen.header("content-length"), None);
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    /// D4: every kind of source, with every method.
    fn d4_readers_iterators_and_streams_are_sent_as_they_are() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let content: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let here = std::thread::current().id();
        let methods = [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::OPTIONS, Method::PATCH];
        let bodies = [
            ("reader", Body::reader(Elsewhere(io::Cursor::new(content.clone()), here))),
            ("async reader", Body::async_reader(io::Cursor::new(content.clone()))),
            ("iterator", Body::iter(content.chunks(9999).map(<[u8]>::to_vec).collect::<Vec<_>>())),
            ("results", Body::iter(content.chunks(9999).map(|it| Ok::<_, io::Error>(it.to_vec())).collect::<Vec<_>>())),
            ("stream", Body::stream(stream(content.chunks(70_000).map(<[u8]>::to_vec).collect()))),
            ("body", Body::wrap(http_body_util::StreamBody::new(stream(
                content.chunks(70_000).map(|it| Ok::<_, io::Error>(http_body::Frame::data(Bytes::from(it.to_vec())))).collect(),
            )))),
        ];
        for ((name, body), method) in bodies.into_iter().zip(methods) {
            assert!(!body.is_replayable(), "{name}");
            wait!(session.request(method, server.url("/")).body(body).send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert!(seen.body == content, "{name}");
            assert_eq!(seen.header("content-type"), None, "{name}");
        }
    }

    /// D4, D5: a file is sent with its length, from where it stands.
    fn d4_files_are_sent_with_their_length() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let content: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &content).unwrap();
        let mut open = std::fs::File::open(&path).unwrap();
        let mut start = [0; 100];
        open.read_exact(&mut start).unwrap();
        std::fs::write(folder.path().join("empty"), "").unwrap();
        for (body, expected) in [
            (Body::file(&path), &content[..]),
            (Body::from(open), &content[100..]),
            (Body::file(folder.path().join("empty")), &[]),
            (Body::from(std::fs::File::open(folder.path().join("empty")).unwrap()), &[]),
        ] {
            assert!(body.is_replayable());
            wait!(session.put(server.url("/")).body(body).send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert!(seen.body == expected);
            assert_eq!(seen.header("content-length"), Some(expected.len().to_string().as_str()));
            assert_eq!(seen.header("transfer-encoding"), None);
        }
        assert_eq!(session.pool_stats().created, 1);
    }

    /// D4: what is no plain file has no length.
    #[cfg(unix)]
    fn d4_pipes_and_generated_files_are_sent_in_chunks() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let (receiver, mut sender) = io::pipe().unwrap();
        sender.write_all(b"through a pipe").unwrap();
        drop(sender);
        let pipe = Body::from(std::fs::File::from(std::os::fd::OwnedFd::from(receiver)));
        assert!(!pipe.is_replayable());
        wait!(session.put(server.url("/")).body(pipe).send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().text(), "through a pipe");
        if std::path::Path::new("/proc/self/cmdline").exists() {
            wait!(session.put(server.url("/")).body(Body::file("/proc/self/cmdline")).send()).unwrap();
            assert!(!server.requests().pop().unwrap().body.is_empty());
        }
        let devices = wait!(session.put(server.url("/")).body(Body::file("/dev/null")).send());
        assert_eq!(devices.unwrap().status(), 200);
        assert_eq!(server.requests().pop().unwrap().chunks.len(), 0);
    }

    /// D4: what cannot be opened is noticed before anything is sent.
    fn d4_a_file_that_cannot_be_read_fails_before_any_connection() {
        let server = Server::start(|_| Reply::ok("x"));
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("missing"), folder.path().to_owned()] {
            let error = wait!(Session::new().put(server.url("/")).body(Body::file(path)).send()).unwrap_err();
            assert!(error.is_builder() && !error.may_have_been_processed(), "{error:?}");
            assert!(error.source().is_some_and(|source| source.is::<io::Error>()), "{error:?}");
        }
        assert_eq!(server.connections().opened, 0);
    }

    /// D4, T2: what is waited for while a body is opened counts too.
    #[cfg(unix)]
    fn d4_the_total_limit_covers_a_file_that_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let limits = Timeouts::none().total(Duration::from_millis(50));
        let request = Session::new().put("http://127.0.0.1:1/").timeout(limits).body(Body::file(&path));
        let error = wait!(request.send()).unwrap_err();
        assert_eq!((error.time_limit(), error.phase()), (Some(TimeLimit::Total), Phase::Build), "{error}");
        assert!(!error.may_have_been_processed());
        // Ends the read that was left behind.
        drop(std::fs::OpenOptions::new().write(true).open(&path).unwrap());
    }

    /// D4: several bodies as one.
    fn d4_bodies_can_be_chained() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let known = Body::chain([Body::from("one "), Body::iter(["t", "wo"]).with_length(3)]);
        assert_eq!((known.length(), known.is_replayable()), (Some(7), false));
        let unknown = Body::chain([Body::from("one "), Body::replayable(|| Body::from("two"))]);
        assert_eq!((unknown.length(), unknown.is_replayable()), (None, true));
        for body in [known, unknown, Body::chain([Body::chain([]), Body::from("one two"), Body::empty()])] {
            wait!(session.put(server.url("/")).body(body).send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert_eq!((seen.text().as_str(), seen.header("content-length")), ("one two", Some("7")));
        }
        let invalid = Body::chain([Body::from("x").with_trailer("Host", || "x")]);
        assert!(wait!(session.put(server.url("/")).body(invalid).send()).unwrap_err().is_builder());
    }

    /// D4, A3: a source that blocks blocks neither the exchange nor the executor.
    fn d4_pieces_go_out_while_the_reader_blocks_for_more() {
        let (said, heard) = mpsc::channel::<()>();
        let server = Server::raw(move |wire| {
            wire.read_head()?;
            assert_eq!(read_until(wire, b"first\r\n")?, b"5\r\nfirst\r\n");
            said.send(()).unwrap();
            assert_eq!(read_until(wire, b"second\r\n")?, b"6\r\nsecond\r\n");
            read_until(wire, b"0\r\n\r\n")?;
            wire.write_all(OK)
        });
        let mut pieces = ["first", "second"].into_iter();
        let blocking = std::iter::from_fn(move || {
            let piece = pieces.next()?;
            if piece == "second" {
                heard.recv().unwrap();
            }
            Some(piece)
        });
        let request = Session::new().post(server.url("/")).body(Body::iter(blocking));
        assert_eq!(wait!(request.send()).unwrap().status(), 200);
    }

    /// D5: a declared length is sent instead of chunks.
    fn d5_a_declared_length_replaces_the_chunks() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let url = server.url("/");
        for request in [
            session.post(&url).body(Body::iter(["one", "", "two"]).with_length(6)),
            session.post(&url).body(Body::reader(&b"onetwo"[..]).with_length(6)),
            session.post(&url).header("Content-Length", "6").body(Body::stream(stream(vec!["one", "two"]))),
            session.post(&url).body(Body::wrap(http_body_util::Full::new(Bytes::from("onetwo")))),
            session.post(&url).body(Body::from("onetwo").with_length(6)),
            session.post(&url).body(Body::replayable(|| Body::from("onetwo"))),
        ] {
            wait!(request.send()).unwrap();
            let seen = server.requests().pop().unwrap();
            assert_eq!(seen.text(), "onetwo");
            assert_eq!(seen.header_all("content-length").collect::<Vec<_>>(), ["6"]);
            assert_eq!(seen.header("transfer-encoding"), None);
        }
        wait!(session.post(&url).body(Body::iter([""; 3]).with_length(0)).send()).unwrap();
        assert_eq!(server.requests().pop().unwrap().header("content-length"), Some("0"));
        assert_eq!(session.pool_stats().created, 1);
    }

    /// D5: too few bytes.
    fn d5_a_source_that_ends_early_fails_the_call_and_closes() {
        for body in [
            Body::iter(["one"]).with_length(5),
            Body::reader(&b"one"[..]).with_length(5),
            Body::stream(stream(Vec::<&str>::new())).with_length(5),
        ] {
            let server = Server::builder().tolerate_malformed().start(|_| Reply::ok("x"));
            let session = Session::new();
            let error = wait!(session.post(server.url("/")).body(body).send()).unwrap_err();
            assert_eq!((error.kind(), error.phase()), (ErrorKind::RequestBody, Phase::Write));
            assert!(error.is_request_body(), "{error}");
            assert!(error.to_string().contains("of the declared 5 bytes are missing"), "{error}");
            server.wait_until(|view| view.connections.closed == view.connections.opened);
            assert_eq!(session.pool_stats().open, 0);
            assert!(server.requests().iter().all(|request| !request.complete));
        }
    }

    /// D5: too many bytes. The server must not take the body for complete meanwhile.
    fn d5_a_source_with_too_much_fails_the_call_before_the_body_is_complete() {
        for body in [
            Body::iter(["one", "two", "more"]).with_length(6),
            Body::iter(["one", "twomore"]).with_length(6),
            Body::reader(&[b'x'; 500_000][..]).with_length(6),
            Body::iter([vec![b'x'; 100_000], vec![b'x'; 100_000], vec![b'x'; 1]]).with_length(200_000),
            Body::iter(["", "x"]).with_length(0),
        ] {
            let server = Server::builder().tolerate_malformed().start(|_| Reply::ok("x"));
            let session = Session::new();
            let error = wait!(session.post(server.url("/")).body(body).send()).unwrap_err();
            assert!(error.is_request_body(), "{error:?}");
            assert!(error.to_string().contains("more than the declared"), "{error}");
            server.wait_until(|view| view.connections.closed == view.connections.opened);
            assert_eq!(session.pool_stats().open, 0);
            assert!(server.requests().iter().all(|request| !request.complete));
        }
    }

    /// D5, D10: two lengths that differ.
    fn d10_lengths_that_contradict_each_other_fail_before_any_connection() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "text").unwrap();
        let post = || session.post(server.url("/"));
        for (name, request) in [
            ("two declarations", post().header("Content-Length", "3").body(Body::iter(["a"]).with_length(1))),
            ("not a number", post().header("Content-Length", "x").body(Body::iter(["a"]))),
            ("known bytes", post().body(Body::from("text").with_length(3))),
            ("a file", post().header("Content-Length", "3").body(Body::file(folder.path().join("file")))),
            ("declared for a file", post().body(Body::file(folder.path().join("file")).with_length(3))),
            ("chunks because of a trailer", post().header("Content-Length", "1").body(Body::from("a").with_trailer("X-A", || "b"))),
            ("own framing", post().header("Transfer-Encoding", "chunked").body(Body::iter(["a"]))),
            ("repeated", post().append_header("Content-Length", "1").append_header("Content-Length", "1").body(Body::iter(["a"]))),
        ] {
            let error = wait!(request.send()).unwrap_err();
            assert!(error.is_builder() && !error.may_have_been_processed(), "{name}: {error:?}");
        }
        assert_eq!(server.connections().opened, 0);
    }

    /// D4, D5: an error of the source is the source of ours.
    fn d4_an_error_of_the_source_ends_the_call_and_closes() {
        #[derive(Debug, thiserror::Error)]
        #[error("the disk is gone")]
        struct Gone;
        for length in [None, Some(100_000)] {
            for body in [
                Body::iter([Ok("a lot"), Err(Gone)]),
                Body::stream(stream(vec![Ok("a lot"), Err(Gone)])),
                Body::reader(Read::chain(&b"a lot"[..], Failing)),
                Body::async_reader(Box::pin(tokio::io::AsyncReadExt::chain(&b"a lot"[..], Failing))),
            ] {
                let body = match length {
                    Some(length) => body.with_length(length),
                    None => body,
                };
                let server = Server::builder().tolerate_malformed().start(|_| Reply::ok("x"));
                let session = Session::new();
                let error = wait!(session.post(server.url("/")).body(body).send()).unwrap_err();
                assert!(error.is_request_body() && error.phase() == Phase::Write, "{error:?}");
                assert!(error.to_string().ends_with("the source of the body failed: the disk is gone"), "{error}");
                let source = error.source().unwrap();
                assert!(source.is::<Gone>() || source.is::<io::Error>());
                server.wait_until(|view| view.connections.closed == view.connections.opened);
                assert_eq!(session.pool_stats().open, 0);
                assert!(server.requests().iter().all(|request| !request.complete), "a truncated body looks truncated");
            }
        }
    }

    /// D4: fields after the body.
    fn d4_trailers_follow_the_last_chunk_and_are_announced() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::new();
        let sum = Arc::new(AtomicUsize::new(0));
        let seen_so_far = Arc::clone(&sum);
        let pieces = ["one", "three"].into_iter().inspect(move |piece| {
            sum.fetch_add(piece.len(), Ordering::Relaxed);
        });
        let body = Body::iter(pieces)
            .with_trailer("X-Sum", move || seen_so_far.load(Ordering::Relaxed).to_string())
            .with_trailer("X-Other", || "o");
        wait!(session.post(server.url("/")).body(body).send()).unwrap();
        let seen = server.requests().pop().unwrap();
        assert_eq!(seen.header("trailer"), Some("X-Sum, X-Other"));
        assert_eq!(seen.trailers, [("X-Sum".to_owned(), b"8".to_vec()), ("X-Other".to_owned(), b"o".to_vec())]);

        // Known bytes become a chunk.
        let own = session.post(server.url("/")).header("Trailer", "x-mine").body(Body::from("text").with_trailer("X-Mine", || "m"));
        wait!(own.send()).unwrap();
        let seen = server.requests().pop().unwrap();
        assert_eq!(seen.header_all("trailer").collect::<Vec<_>>(), ["x-mine"]);
        assert_eq!((seen.chunks.as_slice(), seen.trailers.len(), seen.header("content-length")), (&[4][..], 1, None));

        // Those of another library; what must not be a trailer is left out.
        let trailers = http::HeaderMap::from_iter([
            (http::HeaderName::from_static("x-late"), http::HeaderValue::from_static("l")),
            (http::header::CONTENT_LENGTH, http::HeaderValue::from_static("9")),
        ]);
        let frames = vec![
            Ok::<_, io::Error>(http_body::Frame::data(Bytes::from("text"))),
            Ok(http_body::Frame::trailers(trailers)),
        ];
        let body = Body::wrap(http_body_util::StreamBody::new(stream(frames)));
        wait!(session.post(server.url("/")).body(body).send()).unwrap();
        let seen = server.requests().pop().unwrap();
        assert_eq!(seen.trailers, [("x-late".to_owned(), b"l".to_vec())]);
        assert_eq!(session.pool_stats().created, 1);

        for name in ["Content-Length", "transfer-encoding", "Host", "Authorization", "a b", ""] {
            let body = Body::from("text").with_trailer(name, || "x");
            let error = wait!(session.post(server.url("/")).body(body).send()).unwrap_err();
            assert!(error.is_builder(), "{name}: {error:?}");
        }
        let body = Body::from("text").with_trailer("X-A", || "line\r\nbreak");
        let error = wait!(session.post(server.url("/")).body(body).send()).unwrap_err();
        assert!(error.is_request_body(), "{error:?}");
    }

    /// D4, S3: an early refusal is heard, and the rest of the body is not sent.
    fn d4_a_server_that_refuses_early_is_heard() {
        let pieces = Arc::new(AtomicUsize::new(0));
        for body in [
            Body::iter(std::iter::repeat_with({
                let pieces = Arc::clone(&pieces);
                move || {
                    pieces.fetch_add(1, Ordering::Relaxed);
                    vec![b'x'; 100_000]
                }
            })),
            Body::stream(futures_util::stream::repeat("x")),
            Body::stream(futures_util::stream::pending::<&str>()),
            Body::from(vec![b'x'; 50_000_000]),
        ] {
            let server = Server::raw(|wire| {
                wire.read_head()?;
                wire.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")?;
                // Not read any more, and not closed with a reset either.
                wire.wait(&Gate::new())
            });
            let session = Session::new();
            let mut response = wait!(session.post(server.url("/")).body(body).send()).unwrap();
            assert_eq!(response.status(), 413);
            assert_eq!(wait!(response.text()).unwrap(), "no");
            assert_eq!(session.pool_stats().open, 0);
        }
        assert!(pieces.load(Ordering::Relaxed) < 1000);
    }

    /// D4: a server that begins its answer early and reads on gets the whole body.
    fn d4_the_body_is_sent_on_while_an_early_answer_is_read() {
        const SIZE: usize = 20_000_000;
        for body in [
            Body::iter(std::iter::repeat_n(vec![b'x'; 50_000], SIZE / 50_000)).with_length(SIZE as u64),
            Body::from(vec![b'x'; SIZE]),
        ] {
            let server = Server::raw(|wire| {
                wire.read_head()?;
                wire.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                // Sends back what it gets, so that neither side can go on when the client only sends.
                let mut buffer = vec![0; 10_000];
                for _ in 0..SIZE / buffer.len() {
                    wire.read_exact(&mut buffer)?;
                    write!(wire, "{:x}\r\n", buffer.len())?;
                    wire.write_all(&buffer)?;
                    wire.write_all(b"\r\n")?;
                }
                wire.write_all(b"0\r\n\r\n")?;
                wire.wait(&Gate::new())
            });
            let session = Session::new();
            let request = session.post(server.url("/")).timeout(Duration::from_secs(30)).body(body);
            let mut response = wait!(request.send()).unwrap();
            assert_eq!(wait!(response.bytes()).unwrap().len(), SIZE);
            assert_eq!(session.pool_stats().idle, 1, "both directions are complete");
        }
    }

    /// T5: the write limit is about the server; how long the source takes is its own matter, within the total.
    fn d4_time_limits_cover_the_upload() {
        let server = Server::raw(|wire| {
            wire.read_head()?;
            wire.wait(&Gate::new())
        });
        let session = Session::new();
        let short = Duration::from_millis(50);
        let endless = Body::stream(futures_util::stream::repeat(vec![b'x'; 100_000]));
        let limits = Timeouts::none().write(short);
        let error = wait!(session.post(server.url("/")).timeout(limits).body(endless).send()).unwrap_err();
        assert_eq!((error.time_limit(), error.phase()), (Some(TimeLimit::Write), Phase::Write), "{error}");

        let never = Body::stream(futures_util::stream::pending::<Bytes>());
        let limits = Timeouts::none().write(short).read(short).total(short * 3);
        let error = wait!(session.post(server.url("/")).timeout(limits).body(never).send()).unwrap_err();
        assert_eq!((error.time_limit(), error.phase()), (Some(TimeLimit::Total), Phase::Write), "{error}");

        // A server that takes everything without a pause cannot hold the call either.
        let greedy = Server::raw(|wire| {
            let mut sink = vec![0; 1 << 20];
            loop {
                if wire.read(&mut sink)? == 0 {
                    return Ok(());
                }
            }
        });
        let endless = Body::stream(futures_util::stream::repeat(vec![b'x'; 100_000]));
        let error = wait!(session.post(greedy.url("/")).timeout(Timeouts::none().total(short)).body(endless).send()).unwrap_err();
        assert_eq!(error.time_limit(), Some(TimeLimit::Total), "{error}");
        assert_eq!(session.pool_stats().open, 0);
    }
}

/// Fails at once.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is gone"))
    }
}

impl tokio::io::AsyncRead for Failing {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Err(io::Error::other("the disk is gone")))
    }
}
