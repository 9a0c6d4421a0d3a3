//! The conformance list.

#[allow(unused_imports, reason = "the face of the scenarios")]
use super::{CommandBus, Database, Transaction, open};

mod s06_bus;
mod s10_troubleshooting;
mod s11_batches;
