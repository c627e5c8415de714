//! The program `spanledger`, built for the end-to-end tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    spanledger_cli::main()
}
