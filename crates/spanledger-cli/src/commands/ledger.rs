//! `spanledger ledger`, one file for each of its commands.

mod backup;
mod check;
mod compact;
mod forget;
mod info;
mod prune;
mod refold;
mod restore;

use std::process::ExitCode;

use crate::args::{LedgerCommand, LedgerCommandArguments};

pub(crate) async fn run(arguments: &LedgerCommandArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        LedgerCommand::Info(arguments) => info::run(arguments),
        LedgerCommand::Check(arguments) => check::run(arguments),
        LedgerCommand::Backup(arguments) => backup::run(arguments),
        LedgerCommand::Restore(arguments) => restore::run(arguments),
        LedgerCommand::Prune(arguments) => prune::run(arguments).await,
        LedgerCommand::Compact(arguments) => compact::run(arguments).await,
        LedgerCommand::Refold(arguments) => refold::run(arguments).await,
        LedgerCommand::Forget(arguments) => forget::run(arguments).await,
    }
}
