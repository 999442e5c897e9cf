//! The program `attendant`: see `attendant --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    train::cli::main()
}
