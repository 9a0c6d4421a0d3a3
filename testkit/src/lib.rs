//! Test servers with scripted faults, on plain threads.
//!
//! A [`Server`] listens on `127.0.0.1`, port 0, in the process of the test. It reads one whole request at a time, records it, and then does what the test
//! scripted: answer well, answer badly, stall, reset, close. Nothing here needs an async runtime, so the
//! same server serves tests of blocking and of async clients, and a client that blocks its own executor cannot block the server.
//!
//! ```
//! use testkit::{Reply, Server};
//! use std::io::{Read, Write};
//!
//! let server = Server::start(|request| Reply::ok(format!("you asked for {}", request.path())));
//!
//! let mut client = std::net::TcpStream::connect(server.addr()).unwrap();
//! client.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).unwrap();
//! assert!(answer.ends_with("you asked for /hello"));
//! assert_eq!(server.requests()[0].target, "/hello");
//! ```
//!
//! # What to script
//!
//! | the test needs | write |
//! |---|---|
//! | the same answer to everything | [`Server::start`] with a closure that returns a [`Reply`] |
//! | one answer per request, in order | [`Server::replies`] |
//! | one list of answers per connection | [`ServerBuilder::connections`] |
//! | a step after or instead of the reply | a [`Script`], made of [`Action`]s |
//! | a point where server and test meet | a [`Gate`] |
//! | an act before the first byte is read | [`ServerBuilder::on_connect`] |
//! | an answer before the body is read | [`ServerBuilder::on_head`] |
//! | plain bytes in and out | [`Server::raw`] |
//! | TLS, good or bad | [`ServerBuilder::tls`] with an [`Identity`] from an [`Authority`] |
//! | a proxy between client and server | [`Proxy::http`], [`Proxy::socks`] |
//! | an address that refuses, or that never completes a connect | [`refused_addr`], [`Blackhole`] |
//!
//! # Panics are the way this crate reports
//!
//! A test that cannot bind a port, or whose client sends a request nobody scripted, has failed, and the shortest way to say so is to panic. So functions here
//! panic where a library would return an error. A server collects what went wrong on its threads (a panic, an unexpected request, a request that does not
//! parse) and panics with the list when it is dropped, unless the test is already panicking.
//!
//! Every wait is bounded by [`PATIENCE`]; a wait that ends without its condition panics with the state it saw.

mod action;
mod connection;
mod gate;
mod net;

pub mod postgres;
pub mod process;
mod proxy;
mod reply;
mod request;
mod server;
mod state;
mod tls;
mod tunnel;
mod watchdog;
mod wire;

pub use action::{Action, Run, Script};
pub use gate::Gate;
pub use net::{Blackhole, refused_addr};
pub use proxy::{Proxy, ProxyBuilder, Visit};
pub use reply::Reply;
pub use request::Request;
pub use server::{Server, ServerBuilder};
pub use state::{ConnectionRecord, Connections, End, View};
pub use tls::{Authority, Identity};
pub use watchdog::{PATIENCE, Watchdog, eventually, watchdog};
pub use wire::Wire;
