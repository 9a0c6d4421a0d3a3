//! The life of one connection.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::ServerConfig;
use socket2::Socket;

use crate::{
    Action, Reply, Request, Script, Wire,
    action::Run,
    request::{ReadError, has_body, read_body, read_head},
    state::{End, Shared},
};

type OnConnect = Box<dyn Fn(usize) -> Option<Script> + Send + Sync>;
type OnHead = Box<dyn Fn(&Request) -> Option<Script> + Send + Sync>;
type Handler = Box<dyn Fn(&Request) -> Option<Script> + Send + Sync>;

/// What a server was told to do.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) on_connect: Option<OnConnect>,
    pub(crate) on_head: Option<OnHead>,
    pub(crate) raw: Option<Run>,
    pub(crate) handler: Option<Handler>,
    pub(crate) tolerate_malformed: bool,
    pub(crate) silent_continue: bool,
    /// Serialises handlers that were asked to run one at a time.
    pub(crate) turn: Option<Mutex<()>>,
}

/// Serves one connection to its end.
pub(crate) fn serve(plan: &Plan, shared: &Arc<Shared>, socket: Arc<Socket>, index: usize) {
    // Reports the end also when a handler panics.
    let mut report = Report {
        shared,
        index,
        end: End::Panicked,
    };
    let mut wire = Wire::new(socket, index, Arc::clone(shared));
    let end = drive(plan, shared, &mut wire);
    // The socket is closed before the end is told, so that who waits for the end can rely on it.
    drop(wire);
    report.end = if shared.is_stopped() && end == End::ClientAborted {
        End::Stopped
    } else {
        end
    };
}

struct Report<'a> {
    shared: &'a Shared,
    index: usize,
    end: End,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, End::Panicked);
        self.shared.closed(self.index, end);
    }
}

fn drive(plan: &Plan, shared: &Shared, wire: &mut Wire) -> End {
    let index = wire.index();
    if let Some(script) = plan.on_connect.as_ref().and_then(|hook| hook(index))
        && let Some(end) = run(wire, shared, script, "")
    {
        return end;
    }
    if let Some(config) = &plan.tls {
        if let Err(reason) = wire.start_tls(Arc::clone(config)) {
            return End::Handshake(reason);
        }
        if let Some(conn) = wire.tls() {
            shared.secured(index, conn);
        }
    }
    if let Some(raw) = &plan.raw {
        return match raw(wire) {
            Ok(()) => {
                wire.close();
                End::ServerClosed
            }
            Err(_) => End::ClientAborted,
        };
    }
    loop {
        match one_request(plan, shared, wire) {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(ReadError::Gone { partial: false }) => {
                return if shared.is_stopped() {
                    End::Stopped
                } else {
                    End::ClientClosed
                };
            }
            Err(ReadError::Gone { partial: true }) => return End::ClientAborted,
            Err(ReadError::Malformed(reason)) => {
                if !plan.tolerate_malformed {
                    shared.fail(format!("connection {index}: malformed request: {reason}"));
                }
                return End::Malformed(reason);
            }
        }
    }
}

/// Reads one request and answers it; `Some` when the connection is over.
fn one_request(plan: &Plan, shared: &Shared, wire: &mut Wire) -> Result<Option<End>, ReadError> {
    let mut request = read_head(wire)?;
    request.connection = wire.index();
    shared.number(&mut request);
    if let Some(script) = plan.on_head.as_ref().and_then(|hook| hook(&request)) {
        shared.record(&request);
        return Ok(run(wire, shared, script, &request.method));
    }
    if has_body(&request)
        && !plan.silent_continue
        && request.has_token("expect", "100-continue")
        && wire.buffered().is_empty()
    {
        wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let read = read_body(wire, &mut request);
    let scripted = match (&read, &plan.handler) {
        (Ok(()), Some(handler)) => {
            let turn = plan
                .turn
                .as_ref()
                .map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
            // Recorded before the handler runs: what a handler asks of the server includes the request itself.
            shared.record(&request);
            let scripted = handler(&request);
            drop(turn);
            scripted
        }
        _ => {
            shared.record(&request);
            None
        }
    };
    read?;
    let Some(script) = scripted else {
        shared.fail(format!(
            "unexpected request: {} {} (number {}, the {}th on connection {})",
            request.method, request.target, request.number, request.index, request.connection
        ));
        let reply = Reply::ok("unexpected request").status(500).close();
        drop(run(wire, shared, reply.into(), &request.method));
        return Ok(Some(End::Unexpected));
    };
    if let Some(end) = run(wire, shared, script, &request.method) {
        return Ok(Some(end));
    }
    if request.keeps_alive() {
        Ok(None)
    } else {
        wire.close();
        Ok(Some(End::ServerClosed))
    }
}

/// Runs a script; `Some` when it ended the connection.
fn run(wire: &mut Wire, shared: &Shared, script: Script, method: &str) -> Option<End> {
    for action in script.actions {
        let end = match action {
            Action::Reply(reply) => run(wire, shared, reply.steps(method).into(), method),
            other => step(wire, shared, other),
        };
        if end.is_some() {
            return end;
        }
    }
    None
}

fn step(wire: &mut Wire, shared: &Shared, action: Action) -> Option<End> {
    match action {
        // Rendered by the caller, which knows the method.
        Action::Reply(_) => None,
        Action::Write(bytes) => wire.write_all(&bytes).err().map(|_| End::ClientAborted),
        Action::WritePieces(bytes, size) => bytes
            .chunks(size.max(1))
            .find_map(|piece| wire.write_all(piece).err())
            .map(|_| End::ClientAborted),
        Action::Wait(gate) => (!shared.wait_at(&gate)).then_some(End::Stopped),
        Action::Stall => {
            wire.swallow();
            Some(if shared.is_stopped() {
                End::Stopped
            } else {
                End::ClientAborted
            })
        }
        Action::Reset => {
            drop(wire.reset_on_close());
            Some(End::Reset)
        }
        Action::Close => {
            wire.close();
            Some(End::ServerClosed)
        }
        Action::Cut => {
            wire.cut();
            Some(End::ServerClosed)
        }
        Action::HalfClose => {
            wire.half_close();
            Some(if shared.is_stopped() {
                End::Stopped
            } else {
                End::ServerClosed
            })
        }
        Action::Run(closure) => closure(wire).err().map(|_| End::ClientAborted),
    }
}
