//! Behaviour of the blocking runtime, of the generated blocking types and of the parity check.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod contexts;
mod dual;
mod exit;
mod fork;
mod idle_connections;
mod isolated;
mod iterators;
mod keeper;
mod lifetime;
mod limits;
mod load;
mod model;
mod modes;
mod panics;
mod parity;
mod shutdown;
mod stack;
mod support;
mod ui;
