//! The binary `spanledger`.

use std::process::ExitCode;

fn main() -> ExitCode {
    spanledger_cli::main()
}
