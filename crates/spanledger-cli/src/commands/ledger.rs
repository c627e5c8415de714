//! `spanledger ledger`, one file for each of its commands.

mod backup;
mod check;
mod info;

use std::process::ExitCode;

use crate::args::{LedgerCommand, LedgerCommandArguments};

pub(crate) fn run(arguments: &LedgerCommandArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        LedgerCommand::Info(arguments) => info::run(arguments),
        LedgerCommand::Check(arguments) => check::run(arguments),
        LedgerCommand::Backup(arguments) => backup::run(arguments),
    }
}
