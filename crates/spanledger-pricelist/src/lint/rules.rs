//! The kinds of odd prices, and how they are found.

use std::fmt;

use rust_decimal::Decimal;
use spanledger_event::{Bucket, Timestamp};

use spanledger_price::{Meter, Rates, Tier};

use crate::diff::day;

/// What is odd about a price. Amounts are dollars per unit of the meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lint {
    /// What comes from the cache costs more than what does not.
    CachedAboveInput {
        /// Which kind of cached tokens.
        meter: Meter,
        /// Its rate.
        cached: Decimal,
        /// The rate of the same kind of input.
        input: Decimal,
    },
    /// Output costs less than input. Not asked where either is free, nor of embeddings.
    OutputBelowInput {
        /// The rate of output.
        output: Decimal,
        /// The rate of input.
        input: Decimal,
    },
    /// A tier that is sold as the cheaper one costs more than the standard one.
    AboveStandard {
        /// Of what.
        meter: Meter,
        /// The tier's rate.
        rate: Decimal,
        /// The standard rate.
        standard: Decimal,
    },
    /// A tier that is sold as the faster one costs less than the standard one.
    BelowStandard {
        /// Of what.
        meter: Meter,
        /// The tier's rate.
        rate: Decimal,
        /// The standard rate.
        standard: Decimal,
    },
    /// Long prompts cost less than short ones.
    LongBelowShort {
        /// Of what.
        meter: Meter,
        /// The rate beyond the threshold.
        long: Decimal,
        /// The rate up to it.
        short: Decimal,
    },
    /// Something is free beside input that is not: more likely, it is not known.
    ZeroBeside {
        /// Of what.
        meter: Meter,
        /// The rate of input.
        input: Decimal,
    },
    /// Every rate is zero: free, or not known to whoever wrote it.
    AllZero,
    /// The rates are those of the entry before.
    SameAsBefore,
    /// The last entry ends and no other follows: later calls are unpriced.
    Ended {
        /// The first moment without a price.
        until: Timestamp,
    },
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CachedAboveInput { meter, cached, input } => {
                write!(f, "{} {} is above the input rate {}", meter.name(), number(cached), number(input))
            }
            Self::OutputBelowInput { output, input } => {
                write!(f, "output {} is below the input rate {}", number(output), number(input))
            }
            Self::AboveStandard { meter, rate, standard } => {
                write!(f, "{} {} is above the standard rate {}", meter.name(), number(rate), number(standard))
            }
            Self::BelowStandard { meter, rate, standard } => {
                write!(f, "{} {} is below the standard rate {}", meter.name(), number(rate), number(standard))
            }
            Self::LongBelowShort { meter, long, short } => {
                let (name, long, short) = (meter.name(), number(long), number(short));
                write!(f, "{name} {long} of long prompts is below the rate {short} of short ones")
            }
            Self::ZeroBeside { meter, input } => {
                write!(f, "{} is zero beside the input rate {}", meter.name(), number(input))
            }
            Self::AllZero => f.write_str("every rate is zero: free, or not known to the source"),
            Self::SameAsBefore => f.write_str("the same rates as the entry before"),
            Self::Ended { until } => {
                write!(f, "no price from {} on: nothing follows the last entry", day(*until))
            }
        }
    }
}

fn number(usd: &Decimal) -> Decimal {
    usd.normalize()
}

/// Each kind of cached tokens and what it is a part of.
const CACHED: [(Bucket, Bucket); 3] = [
    (Bucket::CachedInput, Bucket::Input),
    (Bucket::CachedAudioInput, Bucket::AudioInput),
    (Bucket::CachedImageInput, Bucket::ImageInput),
];

/// What providers do not give away with input that they bill.
const CACHE: [Bucket; 4] =
    [Bucket::CachedInput, Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::CacheWrite12h];

/// Whether a model of that name makes embeddings, context output is not billed like text.
pub(crate) fn is_embedding(name: &str) -> bool {
    name.contains("embed")
}

/// Only what the line itself says: a rate that a fallback rule gave says nothing new.
fn published(rates: &Rates, meter: Meter) -> Option<Decimal> {
    rates
        .iter()
        .find(|rate| rate.meter == meter && rate.is_published() && rate.variant.is_none())
        .map(|r| r.usd)
}

/// What is odd within one line.
pub(crate) fn of_rates(rates: &Rates, embedding: bool) -> Vec<Lint> {
    let get = |bucket: Bucket| published(rates, Meter::Tokens(bucket));
    let mut found = Vec::new();
    for (part, whole) in CACHED {
        if let (Some(cached), Some(input)) = (get(part), get(whole))
            && cached > input
        {
            found.push(Lint::CachedAboveInput { meter: Meter::Tokens(part), cached, input });
        }
    }
    if let (Some(output), Some(input)) = (get(Bucket::Output), get(Bucket::Input))
        && !embedding
        && !output.is_zero()
        && output < input
    {
        found.push(Lint::OutputBelowInput { output, input });
    }
    if rates.iter().all(|rate| rate.usd.is_zero()) {
        found.push(Lint::AllZero);
    }
    found
}

/// What is free in a price list where input is not. A book that says so has looked it up.
pub(crate) fn zeros(rates: &Rates, embedding: bool) -> Vec<Lint> {
    let get = |bucket: Bucket| published(rates, Meter::Tokens(bucket));
    let Some(input) = get(Bucket::Input).filter(|input| !input.is_zero()) else { return Vec::new() };
    let asked = [Bucket::Output].into_iter().filter(|_| !embedding).chain(CACHE);
    let zero = asked.filter(|bucket| get(*bucket).is_some_and(|usd| usd.is_zero()));
    zero.map(|bucket| Lint::ZeroBeside { meter: Meter::Tokens(bucket), input }).collect()
}

/// What is odd about the two sides of the long-context threshold.
pub(crate) fn of_sides(short: &Rates, long: &Rates) -> Vec<Lint> {
    let below = |meter: Meter| {
        let (long, short) = (published(long, meter)?, published(short, meter)?);
        (long < short).then_some(Lint::LongBelowShort { meter, long, short })
    };
    Meter::ALL.into_iter().filter_map(below).collect()
}

/// What is odd about a tier beside the standard one. Tool calls are not asked: they are billed the
/// same way everywhere.
pub(crate) fn against_standard(tier: Tier, rates: &Rates, standard: &Rates) -> Vec<Lint> {
    let odd = |meter: Meter| {
        let (rate, standard) = (published(rates, meter)?, published(standard, meter)?);
        match tier {
            Tier::Standard => None,
            Tier::Batch | Tier::Flex => {
                (rate > standard).then_some(Lint::AboveStandard { meter, rate, standard })
            }
            Tier::Priority | Tier::Ultrafast => {
                (rate < standard).then_some(Lint::BelowStandard { meter, rate, standard })
            }
        }
    };
    Meter::ALL.into_iter().filter(|meter| meter.is_tokens()).filter_map(odd).collect()
}
