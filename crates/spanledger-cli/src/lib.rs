//! The program `spanledger`.
//!
//! This crate is a library so that the separate package of end-to-end tests can build the same program.
//! The binary only calls [`main`].
//!
//! `args` declares the command line, and `config` the options of `serve`. `commands`, `price` and
//! `prices` implement the subcommands, and `render` formats their output. Only `terminal` prints.
//!
//! The feature `demo`, which is on by default, adds the subcommands `demo` and `stand-in`. Without it the
//! program does not contain the stand-in provider and the instrumented client.

mod args;
mod commands;
mod config;
mod price;
mod prices;
mod render;
mod shutdown;
mod sinks;
mod terminal;
mod time;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;

use crate::args::{Arguments, Command};

/// The longest time that the program waits at its end for work that cannot be interrupted, such as a write
/// to a pipe whose reader has stopped reading.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

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
    let code = match arguments.command {
        Command::Serve(arguments) => runtime.block_on(commands::serve::run(arguments)),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Tail(arguments) => runtime.block_on(commands::tail::run(&arguments)),
        Command::Check(arguments) => runtime.block_on(commands::check::run(arguments)),
        Command::Ledger(arguments) => runtime.block_on(commands::ledger::run(&arguments)),
        Command::Sinks(arguments) => runtime.block_on(commands::sinks::run(&arguments)),
        Command::Reprice(arguments) => runtime.block_on(commands::reprice::run(&arguments)),
        #[cfg(feature = "demo")]
        Command::Demo(arguments) => runtime.block_on(commands::demo::run(arguments)),
        #[cfg(feature = "demo")]
        Command::StandIn(arguments) => runtime.block_on(commands::stand_in::run(&arguments)),
        Command::Price(arguments) => price::run(&arguments),
        Command::Prices(arguments) => prices::run(&arguments),
    };
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
    code
}
