//! Addresses where nobody answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;

use socket2::{Domain, Socket, Type};

/// Returns a loopback address that refuses connections.
///
/// It is the same one for the whole process: a socket is bound to it and never listens, so no server can be given its port.
///
/// # Panics
///
/// When no port can be bound.
pub fn refused_addr() -> SocketAddr {
    static BOUND: OnceLock<(Socket, SocketAddr)> = OnceLock::new();
    let (_socket, addr) = BOUND.get_or_init(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket
            .bind(&any.into())
            .expect("a loopback port can be bound");
        let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket());
        (socket, addr.expect("an IPv4 socket has an IPv4 address"))
    });
    *addr
}

/// A listening address that never completes a connect: its queue is full and nobody accepts, so the kernel drops the handshake.
///
/// This is the offline way to test a connect timeout. Linux behaves so; other systems may refuse instead.
#[derive(Debug)]
pub struct Blackhole {
    addr: SocketAddr,
    _listener: Socket,
    _queue: Vec<Socket>,
}

impl Blackhole {
    /// Opens the address and fills its queue.
    ///
    /// # Panics
    ///
    /// When the socket calls fail.
    pub fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener
            .bind(&any.into())
            .expect("a loopback port can be bound");
        listener.listen(0).expect("listen");
        let addr = listener
            .local_addr()
            .ok()
            .and_then(|addr| addr.as_socket())
            .expect("a bound socket has an address");
        // A backlog of 0 still queues a connection or two; some more make sure of it.
        let queue = (0..4)
            .map(|_| {
                let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                filler.set_nonblocking(true).expect("non-blocking mode");
                // "In progress" is the expected outcome.
                drop(filler.connect(&addr.into()));
                filler
            })
            .collect();
        Self {
            addr,
            _listener: listener,
            _queue: queue,
        }
    }

    /// Returns the address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the `http` URL of a path on the address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}
