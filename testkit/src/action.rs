//! What a server does, step by step.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;

use crate::{Gate, Reply, Wire};

/// One step of a [`Script`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Action {
    /// Sends a reply that fits the request: no body for `HEAD`.
    Reply(Box<Reply>),
    /// Writes bytes as they are.
    Write(Bytes),
    /// Writes bytes in separate writes of at most the given size, without delay between them.
    ///
    /// The client's kernel may join what it has not read yet; put a [`Gate`] between two writes where the border matters.
    WritePieces(Bytes, usize),
    /// Waits until the test opens the gate.
    Wait(Gate),
    /// Never answers: swallows what comes until the client goes away or the server is dropped.
    Stall,
    /// Closes with a TCP reset. Bytes the client has not read yet may be lost to it.
    Reset,
    /// Closes in good order, with TLS's close message where there is TLS.
    Close,
    /// Closes TCP without TLS's close message. Without TLS this is the same as [`Close`](Self::Close).
    Cut,
    /// Closes the sending side only, and swallows what comes until the client closes.
    HalfClose,
    /// Runs a closure on the connection.
    Run(Run),
}

/// A closure over the open connection.
pub type Run = Arc<dyn Fn(&mut Wire) -> io::Result<()> + Send + Sync>;

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => f.debug_tuple("Reply").field(reply).finish(),
            Self::Write(bytes) => f.debug_tuple("Write").field(bytes).finish(),
            Self::WritePieces(bytes, size) => f
                .debug_tuple("WritePieces")
                .field(bytes)
                .field(size)
                .finish(),
            Self::Wait(_) => f.write_str("Wait"),
            Self::Stall => f.write_str("Stall"),
            Self::Reset => f.write_str("Reset"),
            Self::Close => f.write_str("Close"),
            Self::Cut => f.write_str("Cut"),
            Self::HalfClose => f.write_str("HalfClose"),
            Self::Run(_) => f.write_str("Run"),
        }
    }
}

/// What the server does about one request, in order.
///
/// When the list ends and nothing closed the connection, the server reads the next request from it.
///
/// ```
/// use testkit::{Gate, Reply, Script};
///
/// let gate = Gate::new();
/// let half_a_head = Script::new().write("HTTP/1.1 200 OK\r\ncontent-le").wait(&gate).reset();
/// let then_idle_close = Script::from(Reply::ok("done")).wait(&gate).close();
/// # drop((half_a_head, then_idle_close));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub(crate) actions: Vec<Action>,
}

impl Script {
    /// Returns a script that does nothing: the request stays without an answer and the server reads the next one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a step.
    #[must_use]
    pub fn then(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    /// Sends a reply; see [`Action::Reply`].
    #[must_use]
    pub fn reply(self, reply: Reply) -> Self {
        self.then(Action::Reply(Box::new(reply)))
    }

    /// Writes bytes; see [`Action::Write`].
    #[must_use]
    pub fn write(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Action::Write(bytes.into()))
    }

    /// Writes bytes in pieces; see [`Action::WritePieces`].
    #[must_use]
    pub fn write_pieces(self, bytes: impl Into<Bytes>, size: usize) -> Self {
        self.then(Action::WritePieces(bytes.into(), size))
    }

    /// Waits at a gate; see [`Action::Wait`].
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Self {
        self.then(Action::Wait(gate.clone()))
    }

    /// Never answers; see [`Action::Stall`].
    #[must_use]
    pub fn stall(self) -> Self {
        self.then(Action::Stall)
    }

    /// Resets the connection; see [`Action::Reset`].
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Action::Reset)
    }

    /// Closes the connection; see [`Action::Close`].
    #[must_use]
    pub fn close(self) -> Self {
        self.then(Action::Close)
    }

    /// Closes TCP under TLS; see [`Action::Cut`].
    #[must_use]
    pub fn cut(self) -> Self {
        self.then(Action::Cut)
    }

    /// Closes the sending side; see [`Action::HalfClose`].
    #[must_use]
    pub fn half_close(self) -> Self {
        self.then(Action::HalfClose)
    }

    /// Runs a closure; see [`Action::Run`]. An error it returns ends the connection and is not a failure of the test.
    #[must_use]
    pub fn run(
        self,
        closure: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.then(Action::Run(Arc::new(closure)))
    }
}

impl From<Reply> for Script {
    fn from(reply: Reply) -> Self {
        Self::new().reply(reply)
    }
}

impl From<Action> for Script {
    fn from(action: Action) -> Self {
        Self {
            actions: vec![action],
        }
    }
}

impl From<Vec<Action>> for Script {
    fn from(actions: Vec<Action>) -> Self {
        Self { actions }
    }
}
