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
    Diff(DiffArguments),
    Import(ImportArguments),
}

/// List the models and their standard rates in force, in US dollars per million tokens.
///
/// `= input` stands where a model has no rate of its own for cached input, so that it costs what
/// other input costs. `more` says how many other rates there are (`prices show` has them all); for a
/// model that is not billed by tokens it shows the first. `dearer over` is the prompt length beyond
/// which a call has other rates, or `unpriced` and the length where none are published; `since` the first day of the
/// rates (left out where the table is wide). Discounts of your own are named above the table and not
/// taken off in it. The CSV has a row for each rate.
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
/// the built-in book itself is checked. The exit code is 1 if there is a mistake. `SPANLEDGER_PRICES` is
/// not read: name its files.
#[derive(Debug, Args)]
pub(crate) struct BookCheckArguments {
    /// The files, or folders of `.toml` files.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The files are a whole book, not something laid over the built-in one.
    #[arg(long, requires = "files")]
    pub(crate) book: bool,
    /// Without files: also show what is odd about the built-in book's prices, such as models that have
    /// ended.
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// Show what changed between two price books, rate by rate.
///
/// Only published rates are compared, not those that a book's rule lends, and with a whole book in one
/// file only the providers that it has. Discounts, deployments, fees and rules of a provider are
/// compared as well. No difference is no error. `SPANLEDGER_PRICES` is not read: name its files.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The book before: `builtin`, a file that is laid over the built-in book, a whole book, or a
    /// folder of such files.
    #[arg(value_name = "A")]
    pub(crate) before: PathBuf,
    /// The book after, of the same kinds.
    #[arg(value_name = "B")]
    pub(crate) after: PathBuf,
    /// Compare the rates of this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, `24h`, `7d`.
    /// [default: compare all dated entries]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// How to show it.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: DiffFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people.
    Table,
    /// For programs; rates as decimal strings.
    Json,
}

/// Compare a price list that others keep with the book, and take over what is new.
///
/// Shows what the list has that the book does not: new models, other rates, models that the list
/// does not name any more. Nothing is written without --write. With it, dated entries for what is
/// new and changed are added at the end of that file; nothing that stands there is touched, because
/// the events of its time were priced by it. In a file of your own they are `discountable`, so
/// that discounts are taken from them, and a tier or a fee for which that file has a rate of your own
/// in force is left alone. What looks like a slip (a rate that more than triples,
/// a cached rate above the ordinary one) is only shown, unless it is accepted.
///
/// Download the list first:
///   LiteLLM       <https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json>
///   genai-prices  <https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json>
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ImportArguments {
    /// Whose list it is.
    #[arg(long = "from", value_enum, value_name = "LIST")]
    pub(crate) list: PriceList,
    /// The list, as it was downloaded.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only this provider.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Only this model; may be given more than once.
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,
    /// Compare the rates of this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, `24h`, `7d`.
    /// [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Add the entries to this file: of your own prices, or of a whole book; made where there is
    /// none.
    #[arg(long, value_name = "FILE", requires = "provider")]
    pub(crate) write: Option<PathBuf>,
    /// The day from which the entries hold. [default: the day of --at]
    #[arg(long, value_name = "DAY")]
    pub(crate) effective: Option<String>,
    /// What the entries name as their source. [default: the list, the file and the day]
    #[arg(long, value_name = "TEXT")]
    pub(crate) source: Option<String>,
    /// Also take over this suspicious model; may be given more than once.
    #[arg(long, value_name = "MODEL", conflicts_with = "accept_suspicious")]
    pub(crate) accept: Vec<String>,
    /// Also take over all that is suspicious.
    #[arg(long)]
    pub(crate) accept_suspicious: bool,
    /// How to show the comparison.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: DiffFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PriceList {
    /// The price map of LiteLLM, `model_prices_and_context_window.json`.
    #[value(name = "litellm")]
    LiteLlm,
    /// The data file of genai-prices, `data.json`.
    GenaiPrices,
}
