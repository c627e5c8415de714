//! The arguments of `spanledger ledger`.

use std::{num::NonZeroU32, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::{AdminArguments, LedgerArguments};

/// Look after a ledger: what it holds, whether it is sound, a copy of it, its size.
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
    Restore(LedgerRestoreArguments),
    Prune(LedgerPruneArguments),
    Compact(LedgerCompactArguments),
    Refold(LedgerRefoldArguments),
    Forget(LedgerForgetArguments),
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
/// the command ends. `spanledger ledger restore` puts it in the place of a ledger.
#[derive(Debug, Args)]
pub(crate) struct LedgerBackupArguments {
    /// The new file.
    #[arg(value_name = "TARGET")]
    pub(crate) target: PathBuf,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}

/// Put a copy in the place of a ledger.
///
/// Do not copy a file over a ledger yourself: SQLite would apply the old `-wal` beside it to the new file. This
/// command checks the copy first. The ledger that is there, with its `-wal`, is renamed to
/// `<ledger>.replaced` and not deleted. `serve` must not run. The copy itself stays as it is.
///
/// The sinks receive again what they received after the copy was made.
#[derive(Debug, Args)]
pub(crate) struct LedgerRestoreArguments {
    /// The copy, as `spanledger ledger backup` made it.
    #[arg(value_name = "COPY")]
    pub(crate) copy: PathBuf,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
}

/// Delete old events; what reports and sums need stays.
///
/// An event is old if its call began before the moment. It is deleted with its observations, but only after
/// every sink has received it, and together with the events that belong to it. The sums of reports stay, and
/// so do the keys by which a late delivery of the same call is recognized: it is counted and changes nothing.
///
/// Without --apply nothing is deleted, and what would be deleted is shown. The free space is used by later
/// events; `spanledger ledger compact` gives it back to the file system. `serve --keep-days` does the same in
/// the background. If `serve` has the ledger open, `serve` deletes the events.
#[derive(Debug, Args)]
#[group(id = "age", required = true, multiple = false, args = ["keep_days", "before"])]
pub(crate) struct LedgerPruneArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// Delete events that are older than so many days.
    #[arg(long, value_name = "DAYS")]
    pub(crate) keep_days: Option<NonZeroU32>,
    /// Delete events that began before this moment: `2026-11-01`, `2026-11`, `2026-11-01T10:00:00Z`, or how long
    /// ago: `90d`, `12w`.
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,
    /// Delete the events. Without this option they are only counted.
    #[arg(long)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}

/// Give the free space of a ledger's file back to the file system.
///
/// Free space comes from deleted events, and later events use it, so this command is needed only where the
/// space is wanted for something else. It works in small steps and needs no space of its own. If `serve` has
/// the ledger open, `serve` does the work.
///
/// A ledger that an earlier version made must be written anew once, without `serve`. SQLite then needs space
/// for two copies: one where `SQLITE_TMPDIR` says (or in /var/tmp), and one beside the ledger.
#[derive(Debug, Args)]
pub(crate) struct LedgerCompactArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}

/// Make all events again from their observations, and correct those that differ.
///
/// An event is always what its observations say. This command makes that true again after an update that
/// corrects how observations become events, or if the row of an event is damaged. A corrected event gets a new
/// revision, which sinks receive. It works in small steps; a command that breaks off can be repeated. If
/// `serve` has the ledger open, `serve` does the work.
#[derive(Debug, Args)]
pub(crate) struct LedgerRefoldArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}

/// Forget a sink that no longer exists.
///
/// The ledger keeps old events until every sink that it knows has received them, also a sink that was removed
/// from the configuration. A sink that is forgotten holds nothing back; if it comes back, it receives all events
/// that the ledger has. A sink that a running `serve` delivers to is not forgotten.
///
/// Without --apply nothing is changed.
#[derive(Debug, Args)]
pub(crate) struct LedgerForgetArguments {
    /// The name of the sink, as `spanledger ledger info` shows it.
    #[arg(value_name = "SINK")]
    pub(crate) sink: String,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// Forget the sink. Without this option it is only shown.
    #[arg(long)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
}
