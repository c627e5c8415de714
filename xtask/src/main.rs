//! The project's own commands.
//!
//! ```text
//! cargo xtask ci              run everything that a change must pass, as CI does
//! cargo xtask tidy            check the rules that the compiler does not know
//! cargo xtask gen [--check]   write the generated files, or check that they are up to date
//! cargo xtask publish-prices  lock the new entries of the price book
//! cargo xtask golden          accept the present output as the expected one
//! cargo xtask instructions    count the instructions of a priced call and of the layer (needs valgrind)
//! cargo xtask bench-calls [options of the benchmark]
//!                             measure what the layer and Python's instrumentations add to calls
//! cargo xtask bench-ledger --against COMMIT [options of the benchmark]
//!                             run the ledger's benchmark at that commit and at the present state
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands print their results")]

mod bench_calls;
mod bench_ledger;
mod benchmark;
mod ci;
mod generate;
mod golden;
mod instructions;
mod links;
mod published;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "usage: cargo xtask ci | tidy | gen [--check] | publish-prices | golden | instructions | bench-calls | bench-ledger --against COMMIT";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["ci"] => ci::run(),
        ["tidy"] => tidy::run(),
        ["gen"] => generate::write(),
        ["gen", "--check"] => generate::check(),
        ["publish-prices"] => published::publish(),
        ["golden"] => golden::accept(),
        ["instructions"] => instructions::check(),
        ["bench-calls", options @ ..] => bench_calls::run(options),
        ["bench-ledger", "--against", commit, options @ ..] => bench_ledger::compare(commit, options),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
