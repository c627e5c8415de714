//! The program `spanledger`: receive, report, tail, check, price, demo.
//!
//! It is a library so that the end-to-end tests, a package of their own, can build the same program;
//! the binary calls [`main`] and does nothing else.
//!
//! [`args`] declares the command line, and [`config`] the options of `serve`. [`commands`] holds the
//! subcommands, and [`render`] what they show. Only [`terminal`] prints.
//!
//! The feature `demo`, which is on by default, adds the subcommands `demo` and `stand-in`; without it
//! the program does not contain the stand-in provider and the instrumented client.

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

/// How long the end of the program waits for work that cannot be interrupted, such as a write to a pipe
/// that nobody reads.
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
