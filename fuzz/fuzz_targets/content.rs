//! The claim stands in `checks/content.rs`, where `crates/reqivo/tests/it` finds it too.

#![cfg_attr(fuzzing, no_main)]

#[path = "../checks/content.rs"]
mod content;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| content::check(input));

/// Without the engine: runs the files that are named.
#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        content::check(&std::fs::read(path)?);
    }
    Ok(())
}
