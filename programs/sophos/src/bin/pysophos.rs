//! The `pysophos` program.

fn main() {}
