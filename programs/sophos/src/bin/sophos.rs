//! The `sophos` program.

fn main() {}
