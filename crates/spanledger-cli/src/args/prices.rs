//! The arguments of `spanledger prices`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{BookArguments, PriceFormat};

/// The price book: look into it, check it, compare it, bring it up to date.
#[derive(Debug, Args)]
pub(crate) struct PricesArguments {
    #[command(subcommand)]
    pub(crate) command: PricesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PricesCommand {
    List(ListArguments),
    Show(ShowArguments),
    Check(BookCheckArguments),
}

/// List the models and their standard rates in force, in US dollars per million tokens.
///
/// `= input` stands where a model has no rate of its own for cached input, so that it costs what
/// other input costs. `more` says how many other rates there are (`prices show` has them all); for a
/// model that is not billed by tokens it shows the first.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only this provider.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// The rates of this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, or back from now: `24h`, `7d`.
    /// [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// How to show it.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) book: BookArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people.
    Table,
    /// For programs; all rates, exact, as number literals.
    Json,
    /// For spreadsheets; exact.
    Csv,
}

/// Show everything about a model: every dated entry with all rates and sources, fees, other names.
///
/// Rates are US dollars per unit. A rate in brackets is not published: what it is for costs what
/// something else costs, by the book's rule.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The model, by any of its names.
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// Only of this provider; else of all that have it.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Only what is in force at this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, `24h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// How to show it.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: PriceFormat,
    #[command(flatten)]
    pub(crate) book: BookArguments,
}

/// Check price files and list every mistake with its file and line.
///
/// Files are laid over the built-in book, one after the other, as `--prices` does. Without a file
/// the built-in book itself is checked. The exit code is 1 if there is a mistake.
#[derive(Debug, Args)]
pub(crate) struct BookCheckArguments {
    /// The files.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The files are a whole book, not something laid over the built-in one.
    #[arg(long, requires = "files")]
    pub(crate) book: bool,
}
