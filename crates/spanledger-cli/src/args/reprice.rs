//! The arguments of `spanledger reprice`.

use clap::Args;

use super::{AdminArguments, BookArguments, LedgerArguments, LedgerFormat};

/// Price stored calls again, with the present price book and your own price files.
///
/// An event keeps the price that it had when it arrived. This command gives it another one: for calls that
/// had no price, or after a mistake in a price file. Each call is priced with the rates of its own time. An
/// event whose cost changes gets a new revision, which sinks receive; the journal keeps the old costs.
///
/// Without --apply nothing is changed: the change is made in a copy of the ledger, which lies beside it
/// until the command ends, and what differs is shown. With --apply it is made in the ledger. If `serve` has
/// the ledger open, `serve` makes the change, with the price files of this command.
#[derive(Debug, Args)]
pub(crate) struct RepriceArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// Only calls that began at this moment or later: `2026-11-01`, `2026-11`, `2026-11-01T10:00:00Z`, `today`, or
    /// how long ago: `24h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only calls that began before this moment, written like --since.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only calls without a price.
    #[arg(long)]
    pub(crate) unpriced_only: bool,
    #[command(flatten)]
    pub(crate) book: BookArguments,
    /// Make the change. Without this option it is only shown.
    #[arg(long)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArguments,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: LedgerFormat,
}
