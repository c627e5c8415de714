//! The arguments of `spanledger prices`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{BookArguments, PriceFormat};

/// Show, check, compare and update the price book.
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
/// `= input` means that no rate for cached input is published, so that it costs as much as other input.
/// `more` counts the other rates of the model (`prices show` lists them); for a model that is not billed
/// by tokens it shows the first of them. `long over` is the prompt length beyond which a call has other
/// rates; `unpriced` means that those rates are not published. `since` is the first day of the rates. A
/// narrow terminal does not show all columns. Your own discounts are named above the table; the rates in
/// the table do not include them. The CSV has a row for each rate.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only this provider.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// The rates of this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, or back from now: `24h`, `7d`.
    /// [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) book: BookArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people.
    Table,
    /// For programs: all rates as exact number literals.
    Json,
    /// For spreadsheets: a row for each rate; rates are exact.
    Csv,
}

/// Show everything about a model: every dated entry with all rates and sources, fees, other names.
///
/// Rates are in US dollars per unit. A rate in brackets is not published: a fallback rule of the book
/// takes it from another kind of token.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The model, by any of its names.
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// Only the model of this provider. [default: all providers that have the model]
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Only the entries in force at this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, `24h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: PriceFormat,
    #[command(flatten)]
    pub(crate) book: BookArguments,
}

/// Check price files and list every mistake with its file and line.
///
/// The files are laid over the built-in book, as `--prices` does. Without a file the built-in book is
/// checked. The exit code is 1 if there is a mistake. `SPANLEDGER_PRICES` is not read: name the files.
#[derive(Debug, Args)]
pub(crate) struct BookCheckArguments {
    /// The files, or folders of `.toml` files.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Treat the files as a complete book, and do not lay them over the built-in book.
    #[arg(long, requires = "files")]
    pub(crate) book: bool,
    /// If no file is given, also show the warnings about the built-in book, such as models whose prices
    /// have ended.
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// Show what changed between two price books, rate by rate.
///
/// Published rates are compared, but not the rates that follow from a book's fallback rules. Discounts,
/// deployments, fees and rules of a provider are compared as well. If one side is a complete book in one
/// file, only its providers are compared. The exit code is 0 even if the books differ.
/// `SPANLEDGER_PRICES` is not read: name the files.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The earlier book: `builtin`, a file that is laid over the built-in book, a complete book, or a
    /// folder of such files.
    #[arg(value_name = "A")]
    pub(crate) before: PathBuf,
    /// The later book, in one of the same forms.
    #[arg(value_name = "B")]
    pub(crate) after: PathBuf,
    /// Compare the rates of this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, `24h`, `7d`.
    /// [default: compare all dated entries]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: DiffFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people.
    Table,
    /// For programs: amounts are exact number literals.
    Json,
}

/// Compare a public price list with the book, and import its changes.
///
/// Shows how the list differs from the book: new models, changed rates, models that the list does not
/// name. Nothing is written without --write. With --write FILE, dated entries for new and changed models
/// are added to the end of that file. Entries that are already in the file stay as they are, because
/// earlier events were priced by them. In a file of your own prices the new entries are marked as list
/// prices, so that your discounts apply to them, and your own rates and fees are kept. A model is
/// suspicious if a rate looks like a mistake: for example, it more than triples, it is implausibly high,
/// or a cached rate is above the input rate. Suspicious models are shown, and written only if accepted.
///
/// Download the list first:
///   LiteLLM       <https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json>
///   genai-prices  <https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json>
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ImportArguments {
    /// The project that publishes the list.
    #[arg(long = "from", value_enum, value_name = "LIST")]
    pub(crate) list: PriceList,
    /// The file of the list, as it was downloaded.
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
    /// Add the entries to this file, which has your own prices or a complete book. It is created if it
    /// does not exist.
    #[arg(long, value_name = "FILE", requires = "provider")]
    pub(crate) write: Option<PathBuf>,
    /// The first day on which the entries apply. [default: the day of --at]
    #[arg(long, value_name = "DAY")]
    pub(crate) effective: Option<String>,
    /// The source that the entries cite. [default: the list, the file and the day]
    #[arg(long, value_name = "TEXT")]
    pub(crate) source: Option<String>,
    /// Also import this suspicious model; may be given more than once.
    #[arg(long, value_name = "MODEL", conflicts_with = "accept_suspicious")]
    pub(crate) accept: Vec<String>,
    /// Also import all suspicious models.
    #[arg(long)]
    pub(crate) accept_suspicious: bool,
    /// The output format.
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
