//! The claim stands in `checks/text.rs`, where `crates/reqivo/tests/it` finds it too.

#![cfg_attr(fuzzing, no_main)]

#[path = "../checks/text.rs"]
mod text;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| text::check(input));

/// Without the engine: runs the files that are named.
#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        text::check(&std::fs::read(path)?);
    }
    Ok(())
}
