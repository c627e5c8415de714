//! Reads price lists of other projects and converts them to the book's units.
//!
//! Numbers are read exactly from the digits of the file: `2.5e-06` per token becomes `2.5` per million. A
//! number with too many decimal places is skipped with a reason; it is never rounded.

mod genai_prices;
mod json;
mod litellm;
mod number;

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde::Serialize;
use spanledger_event::Timestamp;
use spanledger_price::{Hours, Period, Rates, Tier};

pub use genai_prices::genai_prices;
pub use litellm::litellm;

/// A price list that was read, in the book's units.
#[derive(Clone, Debug, Default)]
pub struct PriceMap {
    /// The models, by provider and name.
    pub models: Vec<ForeignModel>,
    /// The parts that the book cannot represent, each with the reason.
    pub skipped: Vec<Skipped>,
}

impl PriceMap {
    /// The names of the providers in the list, sorted.
    pub fn providers(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.models.iter().map(|model| model.provider.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn skip(&mut self, provider: &str, name: &str, reason: impl Into<String>) {
        let (provider, name) = (provider.to_owned(), name.to_owned());
        self.skipped.push(Skipped { provider, name, reason: reason.into() });
    }
}

/// Why a provider's models are not imported.
fn not_imported(provider: &str) -> &'static str {
    if matches!(provider, "azure" | "azure_text") {
        "azure has the list prices of openai: map each deployment to its model in [deployments]"
    } else {
        "prices of this provider are not imported"
    }
}

/// The long-context threshold of a model. Fails if there are several, because the book has one for each model.
fn one_threshold(thresholds: &BTreeSet<u64>) -> Result<Option<u64>, String> {
    if thresholds.len() > 1 {
        let all = thresholds.iter().map(u64::to_string).collect::<Vec<_>>().join(" and ");
        return Err(format!("has thresholds at {all} tokens, but the book has one for each model"));
    }
    Ok(thresholds.first().copied())
}

/// A model of a price list.
#[derive(Clone, Debug)]
pub struct ForeignModel {
    /// The provider, by its name in the book.
    pub provider: String,
    /// The model, as the provider writes it.
    pub name: String,
    /// Other names of the same model.
    pub aliases: Vec<String>,
    /// Whether it makes embeddings, which have no output tokens.
    pub embedding: bool,
    /// The prompt length in tokens beyond which the long rates apply.
    pub long_context_over: Option<u64>,
    /// The factor of the surcharge for processing in a region.
    pub regional: Option<Decimal>,
    /// Its rates. Several lines of one tier have different periods or hours.
    pub lines: Vec<ForeignLine>,
}

impl ForeignModel {
    /// The lines whose period contains the moment. Their hours are not considered.
    pub fn lines_at(&self, at: Timestamp) -> impl Iterator<Item = &ForeignLine> {
        self.lines.iter().filter(move |line| line.period.contains(at))
    }
}

/// The rates of one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignLine {
    /// The tier.
    pub tier: Tier,
    /// The period in which the rates apply, as far as the list states dates.
    pub period: Period,
    /// The hours of the day to which the rates are limited.
    pub hours: Option<Hours>,
    /// The rates in dollars per [unit](spanledger_price::Meter::unit).
    pub rates: Rates,
    /// The rates for prompts beyond the model's threshold.
    pub long: Option<Rates>,
}

/// A part of a price list that the book cannot represent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The provider: its name in the book, or its name in the list if it is not imported.
    pub provider: String,
    /// The model or the key of the file.
    pub name: String,
    /// Why the part was skipped.
    pub reason: String,
}

/// Why a file is not a price list of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file is not JSON.
    #[error("not JSON in line {line}, column {column}: {cause}; use the file as it was downloaded")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        cause: String,
    },
    /// The file is of another kind.
    #[error("this is {found}, not {expected}: {remedy}")]
    WrongFile {
        /// The expected kind of file.
        expected: &'static str,
        /// What the file looks like.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The file is of the right kind but has no model.
    #[error("{expected} has no model: check that the file is complete")]
    Empty {
        /// The expected kind of file.
        expected: &'static str,
    },
}

const LITELLM: &str = "LiteLLM's price map";
const GENAI: &str = "genai-prices' data file";
