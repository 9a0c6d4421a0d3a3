//! Behaviour of the test servers, seen from a plain socket.

mod client;
mod faults;
mod lifetime;
mod requests;
mod tls;
mod waits;
