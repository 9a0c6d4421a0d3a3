//! The `pysophos` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    sophos::main()
}
