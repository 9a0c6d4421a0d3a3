//! Behaviour of the bus on real databases.
//!
//! `conformance` holds one file for each part of the behaviour. Its scenarios are compiled for both
//! faces, and run on each driver; a scenario that needs a capability which a driver declares that it
//! lacks says so with `only`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::duplicate_mod,
    reason = "each scenario is compiled for both faces"
)]

mod async_face;
mod blocking_face;
mod parity;
mod place;
mod postgres;
