//! The arguments of `spanledger ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::LedgerArguments;

/// Look after a ledger: what it holds, whether it is sound, a copy of it.
#[derive(Debug, Args)]
pub(crate) struct LedgerCommandArguments {
    #[command(subcommand)]
    pub(crate) command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    Info(LedgerInfoArguments),
    Check(LedgerCheckArguments),
    Backup(LedgerBackupArguments),
}

/// Show what a ledger holds, who follows it, and why events have no price or lack attribution.
///
/// `serve` may run meanwhile. A follower is a sink; it is `behind` by the changes that it has not
/// acknowledged. A batch in flight was given to the follower, and is given to it again until it is
/// acknowledged.
#[derive(Debug, Args)]
pub(crate) struct LedgerInfoArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LedgerFormat {
    /// For people.
    Table,
    /// For programs: one object.
    Json,
}

/// Check every page, every event and every sum of a ledger.
///
/// SQLite checks the pages of the database. Then each event is read, and the sums that reports use are
/// compared with sums of the events. `serve` may run meanwhile. Nothing is changed. The exit code is 1 if
/// something is wrong.
#[derive(Debug, Args)]
pub(crate) struct LedgerCheckArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}

/// Copy a ledger to a new file.
///
/// The copy is the ledger at one moment, also while `serve` writes to it. A file that exists is not
/// replaced. The copy can be read by its owner only (mode 0600); it is checked and synced to disk before
/// the command ends. To restore it, stop `serve` and put the copy in the place of the ledger, without the
/// ledger's old `-wal` and `-shm`.
#[derive(Debug, Args)]
pub(crate) struct LedgerBackupArguments {
    /// The new file.
    #[arg(value_name = "TARGET")]
    pub(crate) target: PathBuf,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}
