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
/// The form for people shows each line's quantity and rate, the entry of the price book that holds,
/// and its sources:
///
///   echo '{"prompt_tokens": 1000, "completion_tokens": 200}' | \
///     spanledger price --model gpt-5.5 --usage -
///
/// A call that has no price is answered `unpriced`, with the reason and the lines that are known, and
/// the exit code is 1.
///
/// With --batch, FILE has one JSON object a line: `provider`, `model` (the one that answered), `usage`,
/// and where they are known `id`, `api`, `service_tier`, `region`, `priced_at`; other fields are
/// ignored. For each line one JSON object is printed, in the same order: `id`, `cost_usd` (a decimal
/// string, or null), `cost_state`, `cost_reason`, `cost_detail`, `lines`, `price_version`. Unpriced
/// calls are answers like any other. A line that is no such object is answered as unpriced, with its
/// number in `cost_detail`, and the exit code is 1 at the end. The file is never in memory as a whole.
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
    /// The API that was called; calls of `batch` have the batch price.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "other",
        value_parser = PossibleValuesParser::new(Endpoint::ALL.map(Endpoint::as_str))
            .map(|name| Endpoint::from_name(&name))
    )]
    pub(crate) endpoint: Endpoint,
    /// The tier that served the call, in the provider's word. [default: the one in the usage, where
    /// the provider says it there, else the standard one]
    #[arg(long, value_name = "TIER")]
    pub(crate) service_tier: Option<String>,
    /// The region of processing, where it changes the price: eu, us, …
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// How to show it.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: PriceFormat,
    /// Price many calls: a file of one JSON object a line; `-` for standard input.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["usage", "model", "provider", "endpoint", "service_tier", "region", "format"]
    )]
    pub(crate) batch: Option<PathBuf>,
    /// When the call was made; in a batch, for the lines that do not say it: `2026-11-01`,
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
    /// For programs: one object; amounts exact, as number literals.
    Json,
}
