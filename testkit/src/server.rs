//! The server and its builder.

use std::{
    collections::VecDeque,
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::{Builder, JoinHandle},
};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    ConnectionRecord, Connections, Identity, Request, Script, View, Wire,
    connection::{Plan, serve},
    state::Shared,
};

/// A server of the test, on `127.0.0.1` with a port of its own, or on a Unix-domain socket.
///
/// Dropping it ends its connections, joins its threads, and panics when one of them panicked, when a request came that nothing was scripted for, or when one did not parse.
pub struct Server {
    addr: SockAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that answers every request with what the closure returns: a [`Reply`](crate::Reply) or a [`Script`].
    pub fn start<S: Into<Script>>(handler: impl Fn(&Request) -> S + Send + Sync + 'static) -> Self {
        Self::builder().start(handler)
    }

    /// Starts a server that gives each request, over all connections and in the order of arrival, the next answer of the list. A request after the last is unexpected.
    pub fn replies<S: Into<Script>>(replies: impl IntoIterator<Item = S>) -> Self {
        Self::builder().replies(replies)
    }

    /// Starts a server that hands every connection to a closure, and closes it when that returns. An error it returns is not a failure of the test: clients go away.
    pub fn raw(closure: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::builder().raw(closure)
    }

    /// Returns a builder, for TLS and for hooks before the body or before the first byte.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            plan: Plan::default(),
            unix: None,
        }
    }

    /// Returns the address.
    ///
    /// # Panics
    ///
    /// When the server listens on a Unix-domain socket.
    pub fn addr(&self) -> SocketAddr {
        self.addr.as_socket().expect("a unix socket has a path")
    }

    /// Returns the URL of a path, with the address as the host; `localhost` is the host of a Unix-domain socket.
    pub fn url(&self, path: &str) -> String {
        match self.addr.as_socket() {
            Some(addr) => format!("{}://{addr}{path}", self.scheme),
            None => format!("{}://localhost{path}", self.scheme),
        }
    }

    /// Returns the URL of a path, with `localhost` as the host.
    ///
    /// # Panics
    ///
    /// When the server listens on a Unix-domain socket.
    pub fn localhost_url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.addr().port())
    }

    /// Returns the requests so far. One whose body has not been read to the end is not among them yet.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests()
    }

    /// Returns the only request.
    ///
    /// # Panics
    ///
    /// When there was none, or more than one.
    pub fn only_request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(
            requests.len(),
            1,
            "exactly one request was expected: {requests:#?}"
        );
        requests.remove(0)
    }

    /// Returns how many connections were opened and closed so far.
    pub fn connections(&self) -> Connections {
        self.shared.connections()
    }

    /// Returns what is known about every connection, in the order of accepting.
    pub fn records(&self) -> Vec<ConnectionRecord> {
        self.shared.records()
    }

    /// Waits until the condition holds. The closure must not call the server.
    ///
    /// # Panics
    ///
    /// When it does not hold within [`PATIENCE`](crate::PATIENCE), with the state.
    pub fn wait_until(&self, condition: impl FnMut(View<'_>) -> bool) {
        self.shared.wait_until(condition);
    }

    /// Waits until no connection is open.
    ///
    /// # Panics
    ///
    /// When some are still open after [`PATIENCE`](crate::PATIENCE).
    pub fn wait_until_idle(&self) {
        self.wait_until(|view| view.connections.open() == 0);
    }

    /// Ends every open connection at once, as a server that dies would. New ones are still accepted.
    pub fn cut_connections(&self) {
        self.shared.cut_connections();
    }

    /// Returns and forgets the failures so far, for tests that want one.
    pub fn take_failures(&self) -> Vec<String> {
        self.shared.take_failures()
    }

    fn stop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        self.shared.stop();
        // Wakes the acceptor, which then sees that it is over and drops the listener.
        if let Ok(socket) = Socket::new(self.addr.domain(), Type::STREAM, None) {
            drop(socket.connect(&self.addr));
        }
        self.shared.join(acceptor);
        // A connection may have been accepted between the first cut and the end of the acceptor.
        self.shared.stop();
        self.shared.join_workers();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let failures = self.shared.take_failures();
        if !failures.is_empty() && !std::thread::panicking() {
            panic!("the test server saw:\n  {}", failures.join("\n  "));
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addr", &self.addr)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// Builds a [`Server`].
pub struct ServerBuilder {
    plan: Plan,
    unix: Option<PathBuf>,
}

impl ServerBuilder {
    /// Speaks TLS with this certificate. Default: plain TCP.
    #[must_use]
    pub fn tls(mut self, identity: Identity) -> Self {
        self.plan.tls = Some(identity.server_config());
        self
    }

    /// Listens on a Unix-domain socket at this path, which must not exist yet. Default: `127.0.0.1` and a port of its own.
    #[must_use]
    pub fn unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix = Some(path.into());
        self
    }

    /// Runs a script when a connection is accepted, before anything is read and before TLS. The closure gets the number of the connection; `None` means to go on.
    #[must_use]
    pub fn on_connect(
        mut self,
        hook: impl Fn(usize) -> Option<Script> + Send + Sync + 'static,
    ) -> Self {
        self.plan.on_connect = Some(Box::new(hook));
        self
    }

    /// Runs a script when a head has been read, before the body and before `100 Continue`. `None` means to go on; after `Some` the body stays unread, so the script should
    /// close.
    #[must_use]
    pub fn on_head(
        mut self,
        hook: impl Fn(&Request) -> Option<Script> + Send + Sync + 'static,
    ) -> Self {
        self.plan.on_head = Some(Box::new(hook));
        self
    }

    /// Sends no `100 Continue` to a client that waits for one.
    #[must_use]
    pub fn without_continue(mut self) -> Self {
        self.plan.silent_continue = true;
        self
    }

    /// Does not count a request that does not parse as a failure of the test.
    #[must_use]
    pub fn tolerate_malformed(mut self) -> Self {
        self.plan.tolerate_malformed = true;
        self
    }

    /// Starts it with a closure; see [`Server::start`].
    pub fn start<S: Into<Script>>(
        mut self,
        handler: impl Fn(&Request) -> S + Send + Sync + 'static,
    ) -> Server {
        self.plan.handler = Some(Box::new(move |request| Some(handler(request).into())));
        self.launch()
    }

    /// Starts it with one answer per request; see [`Server::replies`].
    pub fn replies<S: Into<Script>>(mut self, replies: impl IntoIterator<Item = S>) -> Server {
        let queue: VecDeque<Script> = replies.into_iter().map(Into::into).collect();
        let queue = Mutex::new(queue);
        // Recording and taking the answer are one step, so that the n-th recorded request has the n-th answer.
        self.plan.turn = Some(Mutex::new(()));
        self.plan.handler = Some(Box::new(move |_| {
            queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        }));
        self.launch()
    }

    /// Starts it with one list of answers per connection. A request beyond its list, or on a connection without one, is unexpected.
    pub fn connections<S: Into<Script>, L: IntoIterator<Item = S>>(
        mut self,
        lists: impl IntoIterator<Item = L>,
    ) -> Server {
        let lists: Vec<Vec<Script>> = lists
            .into_iter()
            .map(|list| list.into_iter().map(Into::into).collect())
            .collect();
        self.plan.handler = Some(Box::new(move |request| {
            lists
                .get(request.connection)
                .and_then(|list| list.get(request.index))
                .cloned()
        }));
        self.launch()
    }

    /// Starts it with a closure over the open connection, after the TLS handshake; see [`Server::raw`].
    pub fn raw(
        mut self,
        closure: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Server {
        self.plan.raw = Some(Arc::new(closure));
        self.launch()
    }

    fn launch(self) -> Server {
        let scheme = if self.plan.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let listener = match &self.unix {
            None => {
                let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
                Socket::from(bound.expect("a loopback port can be bound"))
            }
            Some(path) => {
                let addr = SockAddr::unix(path).expect("a path that fits a socket address");
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
                socket.bind(&addr).expect("the path can be bound");
                socket.listen(128).expect("listen");
                socket
            }
        };
        let addr = listener
            .local_addr()
            .expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let acceptor = Builder::new()
            .name("testkit-accept".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                let plan = Arc::new(self.plan);
                move || accept(&listener, &plan, &shared)
            })
            .expect("a thread can be started");
        Server {
            addr,
            scheme,
            shared,
            acceptor: Some(acceptor),
        }
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}

fn accept(listener: &Socket, plan: &Arc<Plan>, shared: &Arc<Shared>) {
    loop {
        let socket = match listener.accept() {
            Ok((socket, _)) => socket,
            // The client reset before we accepted; the listener itself is fine.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => panic!("accept: {error}"),
        };
        if shared.is_stopped() {
            return;
        }
        // A failure means that the client is gone; the first read will say so.
        drop(socket.set_tcp_nodelay(true));
        let socket = Arc::new(socket);
        let index = shared.opened(&socket);
        let worker = Builder::new()
            .name(format!("testkit-{index}"))
            .spawn({
                let (plan, shared) = (Arc::clone(plan), Arc::clone(shared));
                move || serve(&plan, &shared, socket, index)
            })
            .expect("a thread can be started");
        shared.add_worker(worker);
    }
}
