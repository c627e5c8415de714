//! The arguments of `spanledger price`.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use spanledger_event::Endpoint;

/// What does this call cost? A provider's usage object in, cost lines out.
///
/// The price is that of the model that answered, in the tier that served, at the moment of the call,
/// and exact: the lines add up to the total. Rates are looked up in the built-in price book, with
/// files of your own (--prices) laid over it; nothing is sent anywhere.
///
/// The table shows the quantity and the rate of each line, the entry of the price book that holds, and
/// its sources:
///
///   echo '{"prompt_tokens": 1000, "completion_tokens": 200}' | \
///     spanledger price --model gpt-5.5 --usage -
///
/// A call without a price is answered `unpriced`, with the reason and the lines that are known. The
/// exit code is then 1.
///
/// With --batch, FILE has one JSON object on each line: `provider`, `model` (the one that answered),
/// `usage`, and where they are known `id`, `api`, `service_tier`, `region`, `priced_at`. Other fields
/// are ignored. For each line one JSON object is printed, in the same order: `id`, `cost_usd` (an exact
/// number, or null), `cost_state`, `cost_reason`, `cost_detail`, `lines`, `price_version`. An unpriced
/// call is an answer like any other. A line that does not describe a call is answered as unpriced, with
/// its number in `cost_detail`, and the exit code at the end is 1. The file is read line by line, so it
/// may be larger than the memory.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::doc_markdown, reason = "the example is what one types")]
pub(crate) struct PriceArguments {
    /// The provider's usage object, as JSON, unchanged; `-` for standard input. `null` for a call
    /// that reported none.
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    pub(crate) usage: Option<PathBuf>,
    /// The model that answered, as the response names it.
    #[arg(long, value_name = "NAME", required_unless_present = "batch")]
    pub(crate) model: Option<String>,
    /// Who bills: openai, azure.ai.openai, …
    #[arg(long, value_name = "NAME", default_value = "openai")]
    pub(crate) provider: String,
    /// The API that was called. Calls of `batch` have the batch price.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "other",
        value_parser = PossibleValuesParser::new(Endpoint::ALL.map(Endpoint::as_str))
            .map(|name| Endpoint::from_name(&name))
    )]
    pub(crate) endpoint: Endpoint,
    /// The tier that served the call, in the provider's word. [default: the tier that the usage names,
    /// else the standard one]
    #[arg(long, value_name = "TIER")]
    pub(crate) service_tier: Option<String>,
    /// The region of processing, where it changes the price: eu, us, …
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// How to show the cost.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: PriceFormat,
    /// Price many calls: a file with one JSON object on each line; `-` for standard input.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["usage", "model", "provider", "endpoint", "service_tier", "region", "format"]
    )]
    pub(crate) batch: Option<PathBuf>,
    /// When the call was made; in a batch, the time of lines without `priced_at`: `2026-11-01`,
    /// `2026-11-01T10:00:00Z`, or back from now: `90m`, `24h`, `7d`. [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) book: BookArguments,
}

/// Which price book.
#[derive(Debug, Args)]
pub(crate) struct BookArguments {
    /// A file of your own prices, discounts and deployments, laid over the built-in book; may be
    /// given more than once. `spanledger prices check` validates it.
    #[arg(long = "prices", value_name = "FILE", env = "SPANLEDGER_PRICES", value_delimiter = ',')]
    pub(crate) files: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PriceFormat {
    /// For people.
    Table,
    /// For programs: one object, whose amounts are exact number literals.
    Json,
}
