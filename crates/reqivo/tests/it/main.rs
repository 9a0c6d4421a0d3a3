//! Behaviour of the client on real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::duplicate_mod,
    reason = "each scenario is compiled for both faces"
)]

mod allocations;
mod async_face;
mod blocking_face;
mod cancellation;
mod corpus;
mod memory;
mod multipart;
mod parity;
mod pooling;
mod rules;
mod same_results;
mod secrets;
