//! The arguments of `spanledger price`.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use spanledger_event::Endpoint;

/// Price a call: read a provider's usage object, and show the cost lines.
///
/// The price is that of the model that answered, in the tier that served the call, at the moment of
/// the call. It is exact: the lines add up to the total. Rates come from the built-in price book and
/// your own price files (--prices), which are laid over it; nothing is sent over the network.
///
/// The table shows the quantity and the rate of each line, the price book entry that applies, and its
/// sources:
///
///   echo '{"prompt_tokens": 1000, "completion_tokens": 200}' | \
///     spanledger price --model gpt-5.5 --usage -
///
/// A call without a price is shown as `unpriced`, with the reason and the lines that are known. The
/// exit code is then 1.
///
/// With --batch, FILE has one JSON object on each line: `provider`, `model` (the one that answered),
/// `usage`, and optionally `id`, `api`, `service_tier`, `region`, `priced_at`. Other fields are ignored.
/// For each line one JSON object is printed, in the same order: `id`, `cost_usd` (an exact number, or
/// null), `cost_state`, `cost_reason`, `cost_detail`, `lines`, `price_version`. An unpriced call does not
/// change the exit code. A line that does not describe a call is answered as unpriced, with its line
/// number in `cost_detail`, and the exit code is then 1. The file is read line by line, so it may be
/// larger than the memory.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::doc_markdown, reason = "the example is shell input")]
pub(crate) struct PriceArguments {
    /// A file with the provider's unchanged usage object as JSON; `-` for standard input. Write `null`
    /// for a call that reported no usage.
    #[arg(long, value_name = "FILE", required_unless_present = "batch")]
    pub(crate) usage: Option<PathBuf>,
    /// The model that answered, as the response names it.
    #[arg(long, value_name = "NAME", required_unless_present = "batch")]
    pub(crate) model: Option<String>,
    /// The provider that bills the call: openai, azure.ai.openai, …
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
    /// The tier that served the call, as the provider names it. [default: the tier that the usage names,
    /// otherwise the standard tier]
    #[arg(long, value_name = "TIER")]
    pub(crate) service_tier: Option<String>,
    /// The region of processing, if it changes the price: eu, us, …
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The output format.
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

/// Selects the price book.
#[derive(Debug, Args)]
pub(crate) struct BookArguments {
    /// A file with your own prices, discounts and deployments, which is laid over the built-in book. The
    /// option may be given more than once. `spanledger prices check` validates such a file.
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
