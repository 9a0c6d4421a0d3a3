//! The blocking face that `#[dual]` and `blocking_type!` generate: each accepted shape, called.

mod behaviour;
#[expect(
    unreachable_pub,
    reason = "stands for a library, whose public items have two faces"
)]
pub(crate) mod fixture;
mod shapes;
