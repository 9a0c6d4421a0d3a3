//! Scenarios that are compiled twice: `wait!` and `next!` are what the faces differ in.

mod replies;
mod tls;

use super::{Response, Session};
