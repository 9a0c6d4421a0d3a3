//! Behaviour of the sandbox, seen from a plain socket.

mod alerts;
mod changes;
mod client;
mod endpoints;
mod faults;
mod lifetime;
mod odd;
mod program;
mod refusals;
mod tenants;
mod token;
