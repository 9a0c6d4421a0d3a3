//! Behaviour of restkit as its users see it, on scripted transports and paused time.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod authentication;
mod batches;
mod calls;
mod clocks;
#[cfg(feature = "blocking")]
mod faces;
mod page_properties;
mod pages;
mod rate_limits;
mod retries;
mod secrets;
mod support;
#[cfg(all(feature = "reqivo", feature = "blocking"))]
mod transports;
