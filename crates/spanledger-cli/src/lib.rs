//! The program `spanledger`: receive, report, tail, check, demo, price.
//!
//! It is a library so that the end-to-end tests, a package of their own, can build the same program;
//! the binary calls [`main`] and does nothing else.

mod args;
mod check;
mod config;
mod demo;
mod price;
mod prices;
mod render;
mod report;
mod serve;
mod sinks;
mod tail;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};

/// How long blocking work that nobody waits for may go on at the end.
const SHUTDOWN_MAX: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            terminal::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = match arguments.command {
        Command::Serve(arguments) => runtime.block_on(serve::run(arguments)),
        Command::Report(arguments) => report::run(&arguments),
        Command::Tail(arguments) => runtime.block_on(tail::run(&arguments)),
        Command::Check(arguments) => runtime.block_on(check::run(&arguments)),
        Command::Demo(arguments) => runtime.block_on(demo::run(arguments)),
        Command::Price(arguments) => price::run(&arguments),
        Command::Prices(arguments) => prices::run(&arguments),
    };
    // What a sink still writes to a blocked pipe may never end, and must not keep the process.
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    result
}
