//! Proxies of the test: HTTP with tunnels, SOCKS 4, 4a and 5.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use base64::Engine as _;
use bytes::Bytes;

use crate::{
    Connections, Identity, PATIENCE, Request, Server, Wire,
    request::{ReadError, read_body, read_head},
};

/// A proxy of the test, on `127.0.0.1` with a port of its own. It records who wanted to go where.
///
/// Every host name leads to `127.0.0.1`, so that a name that exists nowhere shows who looked it up.
///
/// ```
/// use testkit::{Proxy, Reply, Server};
/// use std::io::{Read, Write};
///
/// let server = Server::start(|_| Reply::ok("behind"));
/// let proxy = Proxy::http().login("user", "secret").start();
/// let mut client = std::net::TcpStream::connect(proxy.addr()).unwrap();
/// write!(client, "CONNECT nowhere.invalid:{} HTTP/1.1\r\n\r\n", server.addr().port()).unwrap();
/// let mut answer = [0; 12];
/// client.read_exact(&mut answer).unwrap();
/// assert_eq!(&answer, b"HTTP/1.1 407");
/// assert!(!proxy.visits()[0].admitted);
/// ```
pub struct Proxy {
    server: Server,
    scheme: &'static str,
    book: Arc<Book>,
}

/// What a proxy was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visit {
    /// `get`, `post` and so on for a request that the proxy reads, `connect`, `socks4`, `socks4a`, `socks5`.
    pub by: String,
    /// Host and port as they were asked for: a name stays a name. For a request that the proxy reads, its target.
    pub target: String,
    /// The head of the request, of an HTTP proxy.
    pub head: String,
    /// User name and password, of a SOCKS proxy.
    pub login: Option<(String, String)>,
    /// Whether it was let through.
    pub admitted: bool,
    /// What the client sent into the tunnel so far.
    pub carried: Vec<u8>,
}

impl Visit {
    /// Returns the value of a header field of the request to an HTTP proxy.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Builds a [`Proxy`].
pub struct ProxyBuilder {
    socks: bool,
    login: Option<(String, String)>,
    tls: Option<Identity>,
    answer: Option<Bytes>,
    code: Option<u8>,
    refused_families: Vec<u8>,
}

impl Proxy {
    /// Returns a builder of an HTTP proxy: it opens tunnels, and forwards what is not `CONNECT`.
    pub fn http() -> ProxyBuilder {
        ProxyBuilder {
            socks: false,
            login: None,
            tls: None,
            answer: None,
            code: None,
            refused_families: Vec::new(),
        }
    }

    /// Returns a builder of a SOCKS proxy, which speaks the version of its client.
    pub fn socks() -> ProxyBuilder {
        ProxyBuilder {
            socks: true,
            ..Self::http()
        }
    }

    /// Returns the address.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Returns the URL: of the scheme `http` or `https`, and for a SOCKS proxy `socks5h`.
    pub fn url(&self) -> String {
        self.url_as(self.scheme)
    }

    /// Returns the URL with another scheme.
    pub fn url_as(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr())
    }

    /// Returns what was asked for so far, in order.
    pub fn visits(&self) -> Vec<Visit> {
        self.book.lock().clone()
    }

    /// Returns the only visit.
    ///
    /// # Panics
    ///
    /// When there was none, or more than one.
    pub fn only_visit(&self) -> Visit {
        let mut visits = self.visits();
        assert_eq!(visits.len(), 1, "exactly one was expected: {visits:#?}");
        visits.remove(0)
    }

    /// Returns how many connections were opened and closed so far.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }

    /// Waits until the visits are as they should be.
    ///
    /// # Panics
    ///
    /// When they are not within [`PATIENCE`], with the visits.
    pub fn wait_until(&self, mut condition: impl FnMut(&[Visit]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut visits = self.book.lock();
        while !condition(&visits) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the proxy saw: {visits:#?}");
            visits = self
                .book
                .changed
                .wait_timeout(visits, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl ProxyBuilder {
    /// Lets only this user in: by Basic, by the login of SOCKS 5, or by the user name of SOCKS 4.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Speaks TLS with its clients.
    #[must_use]
    pub fn tls(mut self, identity: Identity) -> Self {
        self.tls = Some(identity);
        self
    }

    /// Answers every request to an HTTP proxy with these bytes and closes.
    #[must_use]
    pub fn answer(mut self, bytes: impl Into<Bytes>) -> Self {
        self.answer = Some(bytes.into());
        self
    }

    /// Answers every request to a SOCKS proxy with this code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = Some(code);
        self
    }

    /// Answers SOCKS 5 requests for addresses of this type (1, 3 or 4) with "host unreachable".
    #[must_use]
    pub fn unreachable(mut self, kind: u8) -> Self {
        self.refused_families.push(kind);
        self
    }

    /// Starts it.
    pub fn start(mut self) -> Proxy {
        let book = Arc::new(Book::default());
        let scheme = match (self.socks, &self.tls) {
            (true, _) => "socks5h",
            (false, Some(_)) => "https",
            (false, None) => "http",
        };
        let mut server = Server::builder();
        if let Some(identity) = self.tls.take() {
            server = server.tls(identity);
        }
        let server = server.raw({
            let book = Arc::clone(&book);
            move |wire| match self.socks {
                true => self.socks(wire, &book),
                false => self.http(wire, &book),
            }
        });
        Proxy {
            server,
            scheme,
            book,
        }
    }

    fn http(&self, wire: &mut Wire, book: &Book) -> io::Result<()> {
        let mut request = match read_head(wire) {
            Ok(request) => request,
            Err(ReadError::Gone { .. }) => return Ok(()),
            Err(ReadError::Malformed(reason)) => panic!("a malformed request: {reason}"),
        };
        read_body(wire, &mut request).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let known = self.login.as_ref().is_none_or(|(user, password)| {
            let pair = format!("{user}:{password}");
            let pair = base64::engine::general_purpose::STANDARD.encode(pair);
            request.header("proxy-authorization") == Some(&format!("Basic {pair}"))
        });
        let visit = book.enter(Visit {
            by: request.method.to_lowercase(),
            target: request.target.clone(),
            head: String::from_utf8_lossy(&request.head).into_owned(),
            admitted: known && self.answer.is_none(),
            ..Visit::default()
        });
        if let Some(answer) = &self.answer {
            return wire.write_all(answer);
        }
        if !known {
            return wire.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"test\"\r\n\
                  Content-Length: 12\r\n\r\nwho are you?",
            );
        }
        if request.method == "CONNECT" {
            let Some(upstream) = reach(&request.target) else {
                return wire.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
            };
            wire.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            return wire.tunnel(&upstream, |bytes| book.carry(visit, bytes));
        }
        forward(wire, &request)
    }

    fn socks(&self, wire: &mut Wire, book: &Book) -> io::Result<()> {
        match byte(wire)? {
            4 => self.socks4(wire, book),
            5 => self.socks5(wire, book),
            version => panic!("socks version {version}"),
        }
    }

    fn socks4(&self, wire: &mut Wire, book: &Book) -> io::Result<()> {
        assert_eq!(byte(wire)?, 1, "the command is CONNECT");
        let port = u16::from_be_bytes([byte(wire)?, byte(wire)?]);
        let mut address = [0; 4];
        wire.read_exact(&mut address)?;
        let user = to_zero(wire)?;
        let (by, host) = match address {
            [0, 0, 0, last] if last != 0 => ("socks4a", to_zero(wire)?),
            address => ("socks4", Ipv4Addr::from(address).to_string()),
        };
        let known = self.login.as_ref().is_none_or(|(name, _)| *name == user);
        let target = format!("{host}:{port}");
        let code = self.code.unwrap_or(if known { 0x5a } else { 0x5d });
        let visit = book.enter(Visit {
            by: by.to_owned(),
            target: target.clone(),
            login: (!user.is_empty()).then(|| (user, String::new())),
            admitted: code == 0x5a,
            ..Visit::default()
        });
        let upstream = (code == 0x5a).then(|| reach(&target)).flatten();
        let code = match (code, &upstream) {
            (0x5a, None) => 0x5b,
            (code, _) => code,
        };
        wire.write_all(&[0, code, 0, 0, 0, 0, 0, 0])?;
        match upstream {
            Some(upstream) => wire.tunnel(&upstream, |bytes| book.carry(visit, bytes)),
            None => Ok(()),
        }
    }

    fn socks5(&self, wire: &mut Wire, book: &Book) -> io::Result<()> {
        let mut methods = vec![0; usize::from(byte(wire)?)];
        wire.read_exact(&mut methods)?;
        let wanted = if self.login.is_some() { 2 } else { 0 };
        if !methods.contains(&wanted) {
            book.enter(Visit {
                by: "socks5".to_owned(),
                ..Visit::default()
            });
            return wire.write_all(&[5, 0xff]);
        }
        wire.write_all(&[5, wanted])?;
        let mut login = None;
        if wanted == 2 {
            assert_eq!(byte(wire)?, 1, "the version of the login");
            let given = (counted(wire)?, counted(wire)?);
            let known = self.login.as_ref() == Some(&given);
            wire.write_all(&[1, u8::from(!known)])?;
            if !known {
                book.enter(Visit {
                    by: "socks5".to_owned(),
                    login: Some(given),
                    ..Visit::default()
                });
                return Ok(());
            }
            login = Some(given);
        }
        let mut head = [0; 4];
        wire.read_exact(&mut head)?;
        assert_eq!(head[..3], [5, 1, 0], "the command is CONNECT");
        let host = match head[3] {
            1 => {
                let mut address = [0; 4];
                wire.read_exact(&mut address)?;
                Ipv4Addr::from(address).to_string()
            }
            4 => {
                let mut address = [0; 16];
                wire.read_exact(&mut address)?;
                format!("[{}]", IpAddr::from(address))
            }
            _ => counted(wire)?,
        };
        let port = u16::from_be_bytes([byte(wire)?, byte(wire)?]);
        let target = format!("{host}:{port}");
        let code = match self.refused_families.contains(&head[3]) {
            true => 4,
            false => self.code.unwrap_or(0),
        };
        let visit = book.enter(Visit {
            by: "socks5".to_owned(),
            target: target.clone(),
            login,
            admitted: code == 0,
            ..Visit::default()
        });
        let upstream = (code == 0).then(|| reach(&target)).flatten();
        let code = match (code, &upstream) {
            (0, None) => 5,
            (code, _) => code,
        };
        // The address it connects from is told as a name, which is as good as any.
        wire.write_all(&[5, code, 0, 3, 4])?;
        wire.write_all(b"here\x00\x00")?;
        match upstream {
            Some(upstream) => wire.tunnel(&upstream, |bytes| book.carry(visit, bytes)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ProxyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyBuilder").finish_non_exhaustive()
    }
}

/// What the connections of a proxy share with the test.
#[derive(Default)]
struct Book {
    visits: Mutex<Vec<Visit>>,
    changed: Condvar,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Vec<Visit>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, visit: Visit) -> usize {
        let mut visits = self.lock();
        visits.push(visit);
        self.changed.notify_all();
        visits.len() - 1
    }

    fn carry(&self, visit: usize, bytes: &[u8]) {
        let mut visits = self.lock();
        let carried = &mut visits[visit].carried;
        let room = MAX_CARRIED.saturating_sub(carried.len());
        carried.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.changed.notify_all();
    }
}

/// Connects to `host:port`; a name means this machine.
fn reach(target: &str) -> Option<TcpStream> {
    let address = match target.parse::<SocketAddr>() {
        Ok(address) => address,
        Err(_) => {
            let (_, port) = target.rsplit_once(':')?;
            SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?))
        }
    };
    let socket = TcpStream::connect(address).ok()?;
    socket.set_nodelay(true).ok()?;
    Some(socket)
}

/// Passes a request on, and its reply back, one per connection.
fn forward(wire: &mut Wire, request: &Request) -> io::Result<()> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let rest = request.target.strip_prefix("http://").ok_or_else(bad)?;
    let (authority, path) = rest.split_at(rest.find('/').ok_or_else(bad)?);
    let target = match authority.contains(':') {
        true => authority.to_owned(),
        false => format!("{authority}:80"),
    };
    let Some(mut upstream) = reach(&target) else {
        return wire.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    };
    let mut head = format!("{} {path} HTTP/1.1\r\n", request.method).into_bytes();
    for (name, value) in &request.headers {
        let lower = name.to_lowercase();
        if lower.starts_with("proxy-") || ["connection", "transfer-encoding"].contains(&&*lower) {
            continue;
        }
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    if request.header("content-length").is_none() && !request.body.is_empty() {
        head.extend(format!("Content-Length: {}\r\n", request.body.len()).bytes());
    }
    head.extend(b"Connection: close\r\n\r\n");
    upstream.write_all(&head)?;
    upstream.write_all(&request.body)?;
    let mut reply = Vec::new();
    upstream.read_to_end(&mut reply)?;
    wire.write_all(&reply)
}

fn byte(wire: &mut Wire) -> io::Result<u8> {
    let mut byte = [0];
    wire.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Text behind a byte with its length.
fn counted(wire: &mut Wire) -> io::Result<String> {
    let mut text = vec![0; usize::from(byte(wire)?)];
    wire.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn to_zero(wire: &mut Wire) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        match byte(wire)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            byte => text.push(byte),
        }
    }
}

const MAX_CARRIED: usize = 64 * 1024;
