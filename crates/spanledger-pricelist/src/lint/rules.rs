//! The kinds of lints, and how they are found.

use std::fmt;

use rust_decimal::Decimal;
use spanledger_event::{Bucket, Timestamp};
use spanledger_price::{Meter, Rates, Tier};

use crate::diff::day;

/// What looks like a slip about a price. The set is closed: `Display` is all that anybody does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lint {
    /// A rate that does not fit another one, or the highest that is plausible.
    Rate {
        /// What the rate is for.
        meter: Meter,
        /// Dollars per unit of the meter.
        rate: Decimal,
        /// The relation to the other rate, in words: `is above the input rate`.
        relation: &'static str,
        /// The other rate.
        other: Decimal,
    },
    /// Every rate is zero: the model is free, or the source does not know its price.
    AllZero,
    /// The rates are those of the entry before.
    SameAsBefore,
    /// The last entry ends and no other follows, so that later calls are unpriced.
    Ended {
        /// The first moment without a price.
        until: Timestamp,
    },
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { meter, rate, relation, other } => {
                write!(f, "{} {} {relation} {}", meter.name(), rate.normalize(), other.normalize())
            }
            Self::AllZero => f.write_str("every rate is zero: free, or not known to the source"),
            Self::SameAsBefore => f.write_str("the same rates as the entry before"),
            Self::Ended { until } => {
                write!(f, "no price from {} on: nothing follows the last entry", day(*until))
            }
        }
    }
}

/// Each kind of cached tokens and what it is a part of.
const CACHED: [(Bucket, Bucket); 3] = [
    (Bucket::CachedInput, Bucket::Input),
    (Bucket::CachedAudioInput, Bucket::AudioInput),
    (Bucket::CachedImageInput, Bucket::ImageInput),
];

/// Kinds of tokens that providers do not give away where they bill input.
const CACHE: [Bucket; 4] =
    [Bucket::CachedInput, Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::CacheWrite12h];

/// Whether a model of that name makes embeddings, whose output is not billed like text.
pub(crate) fn is_embedding(name: &str) -> bool {
    name.contains("embed")
}

/// The published rate. A rate that a fallback rule gave cannot be a slip of its own.
fn published(rates: &Rates, meter: Meter) -> Option<Decimal> {
    rates
        .iter()
        .find(|rate| rate.meter == meter && rate.is_published() && rate.variant.is_none())
        .map(|r| r.usd)
}

/// The lints within one line.
pub(crate) fn of_rates(rates: &Rates, embedding: bool) -> Vec<Lint> {
    let get = |bucket: Bucket| published(rates, Meter::Tokens(bucket));
    let mut found = Vec::new();
    for (part, whole) in CACHED {
        if let (Some(rate), Some(other)) = (get(part), get(whole))
            && rate > other
        {
            let (meter, relation) = (Meter::Tokens(part), "is above the input rate");
            found.push(Lint::Rate { meter, rate, relation, other });
        }
    }
    if let (Some(rate), Some(other)) = (get(Bucket::Output), get(Bucket::Input))
        && !embedding
        && !rate.is_zero()
        && rate < other
    {
        let (meter, relation) = (Meter::Tokens(Bucket::Output), "is below the input rate");
        found.push(Lint::Rate { meter, rate, relation, other });
    }
    for rate in rates.iter().filter(|rate| rate.is_published()) {
        let other = highest_plausible(rate.meter, embedding);
        if rate.usd > other {
            let relation = "is above the highest plausible rate,";
            found.push(Lint::Rate { meter: rate.meter, rate: rate.usd, relation, other });
        }
    }
    if rates.iter().all(|rate| rate.usd.is_zero()) {
        found.push(Lint::AllZero);
    }
    found
}

/// A rate in dollars per unit that no provider has come near. A list that is above it has confused its units,
/// most likely a rate per token with one per thousand or per million.
fn highest_plausible(meter: Meter, embedding: bool) -> Decimal {
    Decimal::from(match meter {
        // The dearest published are 6.50 for embeddings (of audio) and 600 for other models (output).
        Meter::Tokens(_) if embedding => 10,
        Meter::Tokens(_) | Meter::Characters => 1_000,
        Meter::WebSearch
        | Meter::WebSearchPreview
        | Meter::FileSearch
        | Meter::SearchSources
        | Meter::SearchUnits => 100,
        Meter::Images
        | Meter::AudioSeconds
        | Meter::VideoSeconds
        | Meter::CodeInterpreter
        | Meter::Container4gb
        | Meter::Container16gb
        | Meter::Container64gb
        | Meter::StorageGbDays => 10,
    })
}

/// What is free in a price list where input is not: the list more likely does not know the rate. In a book
/// somebody has written the zero, so this is not asked of books.
pub(crate) fn zeros(rates: &Rates, embedding: bool) -> Vec<Lint> {
    let get = |bucket: Bucket| published(rates, Meter::Tokens(bucket));
    let Some(other) = get(Bucket::Input).filter(|input| !input.is_zero()) else { return Vec::new() };
    let buckets = [Bucket::Output].into_iter().filter(|_| !embedding).chain(CACHE);
    let zero = buckets.filter(|bucket| get(*bucket).is_some_and(|usd| usd.is_zero()));
    let lint = |bucket| {
        let (meter, relation) = (Meter::Tokens(bucket), "is not plausible beside the input rate");
        Lint::Rate { meter, rate: Decimal::ZERO, relation, other }
    };
    zero.map(lint).collect()
}

/// The lints about the two sides of the long-context threshold.
pub(crate) fn of_sides(short: &Rates, long: &Rates) -> Vec<Lint> {
    let below = |meter: Meter| {
        let (rate, other) = (published(long, meter)?, published(short, meter)?);
        let relation = "of long prompts is below the rate of short ones,";
        (rate < other).then_some(Lint::Rate { meter, rate, relation, other })
    };
    Meter::ALL.into_iter().filter_map(below).collect()
}

/// The lints about a tier beside the standard one. Only tokens are compared: tool calls cost the same in every
/// tier.
pub(crate) fn against_standard(tier: Tier, rates: &Rates, standard: &Rates) -> Vec<Lint> {
    let lint = |meter: Meter| {
        let (rate, other) = (published(rates, meter)?, published(standard, meter)?);
        let relation = match tier {
            Tier::Batch | Tier::Flex if rate > other => "is above the standard rate",
            Tier::Priority | Tier::Ultrafast if rate < other => "is below the standard rate",
            _ => return None,
        };
        Some(Lint::Rate { meter, rate, relation, other })
    };
    Meter::ALL.into_iter().filter(|meter| meter.is_tokens()).filter_map(lint).collect()
}
