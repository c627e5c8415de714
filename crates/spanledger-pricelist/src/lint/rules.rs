//! Defines the lints and finds them.

use std::fmt;

use rust_decimal::Decimal;
use spanledger_event::{Bucket, Timestamp};
use spanledger_price::{Meter, Rates, Tier};

use crate::diff::day;

/// What looks like a mistake in a price. The enum is exhaustive: callers only display it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lint {
    /// A rate that is not plausible in relation to another rate, or that is above the highest plausible rate.
    Rate {
        /// The billed quantity.
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
    /// The rates equal those of the previous entry.
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
            Self::AllZero => {
                f.write_str("every rate is zero: the model is free, or the source does not know its price")
            }
            Self::SameAsBefore => f.write_str("the rates equal those of the previous entry"),
            Self::Ended { until } => {
                write!(f, "there is no price from {} on: no entry follows the last one", day(*until))
            }
        }
    }
}

/// Each kind of cached tokens with the kind of input tokens of which it is a part.
const CACHED: [(Bucket, Bucket); 3] = [
    (Bucket::CachedInput, Bucket::Input),
    (Bucket::CachedAudioInput, Bucket::AudioInput),
    (Bucket::CachedImageInput, Bucket::ImageInput),
];

/// Kinds of tokens that are not free if input tokens are billed.
const CACHE: [Bucket; 4] =
    [Bucket::CachedInput, Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::CacheWrite12h];

/// Whether the name is that of an embedding model. The output of such a model is not billed as text.
pub(crate) fn is_embedding(name: &str) -> bool {
    name.contains("embed")
}

/// The published rate. A rate from a fallback rule is ignored: a mistake in it would be a mistake in its source.
fn published(rates: &Rates, meter: Meter) -> Option<Decimal> {
    rates
        .iter()
        .find(|rate| rate.meter == meter && rate.is_published() && rate.variant.is_none())
        .map(|r| r.usd)
}

/// The lints about one line of rates.
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

/// A rate in dollars per unit that is far above all published rates. A list with a higher rate has probably
/// confused its units, for example a rate per token with a rate per thousand or per million tokens.
fn highest_plausible(meter: Meter, embedding: bool) -> Decimal {
    Decimal::from(match meter {
        // The highest published rates are 6.50 for embeddings (of audio) and 600 for other models (output).
        Meter::Tokens(_) if embedding => 10,
        Meter::Tokens(_) | Meter::Characters => 1_000,
        // The highest published price of training is 25.
        Meter::WebSearch
        | Meter::WebSearchPreview
        | Meter::TrainedTokens
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

/// Finds zero rates in a price list that bills input tokens: the list probably does not know the rate. Book
/// entries are not checked for this, because a person has written the zero there.
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

/// The lints about a tier in comparison with the standard tier. Only token rates are compared: tool calls cost
/// the same in every tier.
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
