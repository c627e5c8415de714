//! The arguments of `spanledger sinks`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{AdminArguments, LedgerArguments, LedgerFormat};

/// The destinations of events: which there are, whether they work, what they lack.
#[derive(Debug, Args)]
pub(crate) struct SinksArguments {
    #[command(subcommand)]
    pub(crate) command: SinksCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SinksCommand {
    List(SinksListArguments),
    Check(SinksCheckArguments),
    Status(SinksStatusArguments),
    Ddl(SinksDdlArguments),
    Replay(SinksReplayArguments),
    Dead(SinksDeadArguments),
}

/// List every kind of sink, also those that this program was built without.
#[derive(Debug, Args)]
pub(crate) struct SinksListArguments {
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}

/// Find out whether the sinks of a configuration can be used.
///
/// Connects to each destination, and compares its table and rights with what the sink needs. Nothing is
/// changed there. `serve` may run meanwhile. The exit code is 1 if a sink cannot be used.
#[derive(Debug, Args)]
pub(crate) struct SinksCheckArguments {
    /// The name of the sink; all sinks without one.
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) config: SinksConfigArguments,
}

/// The file that names the sinks.
#[derive(Debug, Args)]
pub(crate) struct SinksConfigArguments {
    /// The configuration file of `serve`.
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The ledger's file. [default: the one of the configuration file, or spanledger.db]
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_LEDGER")]
    pub(crate) ledger: Option<PathBuf>,
}

/// Show what the sinks of a running `serve` are doing, and how far they are.
///
/// If no `serve` runs, it shows how far each sink has come, and its dead letters.
#[derive(Debug, Args)]
pub(crate) struct SinksStatusArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// Sinks that wait after a fault try again at once.
    #[arg(long)]
    pub(crate) retry_now: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}

/// Print the statements that create the table and the views of a sink.
///
/// A sink creates them by itself unless its options forbid it. Databases without a sink are there for those who
/// load files.
#[derive(Debug, Args)]
pub(crate) struct SinksDdlArguments {
    /// The kind of the sink, or the database.
    #[arg(value_parser = crate::sinks::tables())]
    pub(crate) kind: String,
    /// The name of the table; for Parquet the folder of the files.
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

/// Send events to a sink again, for a destination that lost some or is new.
///
/// Sends what the ledger has at this moment, under a cursor of its own, beside the live delivery. A destination
/// that merges rows has each event once afterwards. If the command is interrupted, the same command goes on
/// where it stopped. If `serve` has the ledger open, `serve` does the work, also after this command has ended.
#[derive(Debug, Args)]
pub(crate) struct SinksReplayArguments {
    /// The name of the sink.
    pub(crate) name: String,
    /// Only calls that began at this moment or later: `2026-11-01`, `2026-11`, `2026-11-01T10:00:00Z`, `today`, or
    /// how long ago: `24h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only calls that began before this moment, written like --since.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only events with this value in a column of text, such as `feature=chat`; may be given more than once. Of
    /// several values of one column, one must match.
    #[arg(long = "where", value_name = "COLUMN=VALUE", value_parser = condition)]
    pub(crate) conditions: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) config: SinksConfigArguments,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
}

fn condition(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("write it as COLUMN=VALUE, such as feature=chat")?;
    Ok((column.to_owned(), value.to_owned()))
}

/// Events that a destination refused.
#[derive(Debug, Args)]
pub(crate) struct SinksDeadArguments {
    #[command(subcommand)]
    pub(crate) command: SinksDeadCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SinksDeadCommand {
    List(SinksDeadListArguments),
    Retry(SinksDeadRetryArguments),
    Drop(SinksDeadDropArguments),
}

/// List the events that a destination refused, with its reasons.
#[derive(Debug, Args)]
pub(crate) struct SinksDeadListArguments {
    /// The name of the sink.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// The output format; JSON has the whole events.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}

/// Send the refused events again, after the destination was mended.
#[derive(Debug, Args)]
pub(crate) struct SinksDeadRetryArguments {
    /// The name of the sink.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) config: SinksConfigArguments,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
}

/// Remove refused events from the dead letters; the ledger keeps the events.
#[derive(Debug, Args)]
pub(crate) struct SinksDeadDropArguments {
    /// The name of the sink.
    pub(crate) name: String,
    /// The numbers of the letters, which `sinks dead list` shows.
    #[arg(value_name = "NUMBER", required_unless_present = "all")]
    pub(crate) numbers: Vec<i64>,
    /// All dead letters of the sink.
    #[arg(long, conflicts_with = "numbers")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
}
