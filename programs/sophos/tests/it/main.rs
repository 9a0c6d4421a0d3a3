//! The program as a person or a script meets it: the real binary in an empty home.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the test by panicking"
)]

mod changes;
mod configuration;
mod faces;
mod failures;
mod guide;
mod interrupt;
mod lists;
mod program;
mod secrets;
mod streaming;
mod tenants;
mod usage;
