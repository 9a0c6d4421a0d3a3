//! The `sophos` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    sophos::main()
}
