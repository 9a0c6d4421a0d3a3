//! What the threads of a server share with the test.

use std::{
    net::{Shutdown, SocketAddr},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use rustls::{HandshakeKind, ServerConnection};
use socket2::Socket;

use crate::{Gate, Request, watchdog::PATIENCE};

/// How many connections there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connections accepted so far.
    pub opened: usize,
    /// Those of them that have ended.
    pub closed: usize,
}

impl Connections {
    /// Returns how many are open.
    pub fn open(self) -> usize {
        self.opened - self.closed
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The client closed between two requests.
    ClientClosed,
    /// The client closed, or the transport failed, in the middle of a request or of a reply.
    ClientAborted,
    /// The script closed it.
    ServerClosed,
    /// The script reset it.
    Reset,
    /// The TLS handshake failed, with the reason as this side saw it.
    Handshake(String),
    /// What came was not HTTP/1, with the reason.
    Malformed(String),
    /// Nothing was scripted for the request.
    Unexpected,
    /// The server was dropped.
    Stopped,
    /// The thread of the connection panicked.
    Panicked,
}

/// What is known about one connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectionRecord {
    /// The number of requests whose head was read.
    pub requests: usize,
    /// The address of the client; a Unix-domain socket has none.
    pub peer: Option<SocketAddr>,
    /// The protocol chosen by ALPN.
    pub alpn: Option<Vec<u8>>,
    /// The host name asked for by SNI.
    pub server_name: Option<String>,
    /// The version of TLS, such as `TLSv1_3`.
    pub tls_version: Option<String>,
    /// Whether an earlier TLS session was resumed.
    pub resumed: bool,
    /// The certificate that the client showed, in DER.
    pub client_certificate: Option<Vec<u8>>,
    /// How it ended; `None` while it is open.
    pub end: Option<End>,
}

/// The state of a server, as [`Server::wait_until`](crate::Server::wait_until) shows it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct View<'a> {
    /// The requests so far, in the order in which they were recorded.
    pub requests: &'a [Request],
    /// The number of connections.
    pub connections: Connections,
    /// Every connection, in the order of accepting.
    pub records: &'a [ConnectionRecord],
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    heads: usize,
    records: Vec<ConnectionRecord>,
    closed: usize,
    failures: Vec<String>,
    gates: Vec<Gate>,
    sockets: Vec<(usize, Weak<Socket>)>,
    workers: Vec<JoinHandle<()>>,
}

impl State {
    fn view(&self) -> View<'_> {
        View {
            requests: &self.requests,
            connections: self.connections(),
            records: &self.records,
        }
    }

    fn connections(&self) -> Connections {
        Connections {
            opened: self.records.len(),
            closed: self.closed,
        }
    }
}

impl Shared {
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    pub(crate) fn connections(&self) -> Connections {
        self.lock().connections()
    }

    pub(crate) fn records(&self) -> Vec<ConnectionRecord> {
        self.lock().records.clone()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits until the condition holds.
    pub(crate) fn wait_until(&self, mut condition: impl FnMut(View<'_>) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while !condition(state.view()) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the server did not come to the state waited for: {:#?}",
                state.view()
            );
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Registers a connection and returns its number.
    pub(crate) fn opened(&self, socket: &Arc<Socket>) -> usize {
        let mut state = self.lock();
        let index = state.records.len();
        let peer = socket.peer_addr().ok().and_then(|addr| addr.as_socket());
        state.records.push(ConnectionRecord {
            peer,
            ..ConnectionRecord::default()
        });
        state.sockets.push((index, Arc::downgrade(socket)));
        drop(state);
        self.changed.notify_all();
        index
    }

    pub(crate) fn closed(&self, index: usize, end: End) {
        let mut state = self.lock();
        state.sockets.retain(|(other, _)| *other != index);
        if let Some(record) = state.records.get_mut(index) {
            record.end = Some(end);
        }
        state.closed += 1;
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn secured(&self, index: usize, conn: &ServerConnection) {
        if let Some(record) = self.lock().records.get_mut(index) {
            record.alpn = conn.alpn_protocol().map(<[u8]>::to_vec);
            record.server_name = conn.server_name().map(str::to_owned);
            record.tls_version = conn.protocol_version().map(|it| format!("{it:?}"));
            record.resumed = conn.handshake_kind() == Some(HandshakeKind::Resumed);
            record.client_certificate = conn
                .peer_certificates()
                .and_then(|chain| Some(chain.first()?.to_vec()));
        }
        self.changed.notify_all();
    }

    /// Numbers a request whose head has been read.
    pub(crate) fn number(&self, request: &mut Request) {
        let mut state = self.lock();
        request.number = state.heads;
        state.heads += 1;
        if let Some(record) = state.records.get_mut(request.connection) {
            request.index = record.requests;
            record.requests += 1;
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn record(&self, request: &Request) {
        self.lock().requests.push(request.clone());
        self.changed.notify_all();
    }

    pub(crate) fn fail(&self, text: String) {
        self.lock().failures.push(text);
        self.changed.notify_all();
    }

    pub(crate) fn take_failures(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().failures)
    }

    /// Waits at a gate; false when the server stopped meanwhile.
    pub(crate) fn wait_at(&self, gate: &Gate) -> bool {
        self.lock().gates.push(gate.clone());
        gate.wait_unless(|| self.is_stopped())
    }

    pub(crate) fn add_worker(&self, worker: JoinHandle<()>) {
        let mut finished = Vec::new();
        let mut state = self.lock();
        let mut at = 0;
        while at < state.workers.len() {
            if state.workers[at].is_finished() {
                finished.push(state.workers.swap_remove(at));
            } else {
                at += 1;
            }
        }
        state.workers.push(worker);
        drop(state);
        for worker in finished {
            self.join(worker);
        }
    }

    pub(crate) fn cut_connections(&self) {
        let sockets: Vec<_> = self
            .lock()
            .sockets
            .iter()
            .filter_map(|(_, socket)| socket.upgrade())
            .collect();
        for socket in sockets {
            drop(socket.shutdown(Shutdown::Both));
        }
    }

    /// Ends every wait of the connection threads; the acceptor is the caller's.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.cut_connections();
        let gates = self.lock().gates.clone();
        for gate in gates {
            gate.nudge();
        }
    }

    /// Joins the connection threads. Those that do not end in time become a failure.
    pub(crate) fn join_workers(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        while state.closed < state.records.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state
                    .failures
                    .push("a connection thread did not end".to_owned());
                return;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let workers = std::mem::take(&mut state.workers);
        drop(state);
        for worker in workers {
            self.join(worker);
        }
    }

    pub(crate) fn join(&self, worker: JoinHandle<()>) {
        if let Err(panic) = worker.join() {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "of unknown kind".to_owned());
            self.fail(format!("a server thread panicked: {text}"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
