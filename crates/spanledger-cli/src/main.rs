//! The binary `spanledger`.

use std::process::ExitCode;

/// The ledger's writer frees what other threads have allocated, which the allocator of the C library does
/// slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    spanledger_cli::main()
}
