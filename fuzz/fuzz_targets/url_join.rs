//! The claim stands in `checks/url_join.rs`, where `crates/reqivo/tests/it` finds it too.

#![cfg_attr(fuzzing, no_main)]

#[path = "../checks/url_join.rs"]
mod url_join;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| url_join::check(input));

/// Without the engine: runs the files that are named.
#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        url_join::check(&std::fs::read(path)?);
    }
    Ok(())
}
