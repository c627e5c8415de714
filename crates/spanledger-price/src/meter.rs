//! What can be billed, and per how much of it a rate is.

use rust_decimal::Decimal;
use spanledger_event::{Bucket, Usage, Usd};

#[cfg(test)]
mod tests;

/// One thing that is counted and has a rate: a bucket of tokens or another unit.
///
/// The book's keys, the cost lines' kinds and the order of the lines all come from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// Tokens of one kind, per million.
    Tokens(Bucket),
    /// Images made.
    Images,
    /// Audio heard or spoken, counted in seconds, billed by the minute.
    AudioSeconds,
    /// Characters spoken, per million.
    Characters,
    /// Web searches, per thousand.
    WebSearch,
    /// File searches, per thousand.
    FileSearch,
    /// Code-interpreter sessions.
    CodeInterpreter,
}

impl Meter {
    /// All meters, in the order of cost lines: tokens as [`Bucket::ALL`], then the other units.
    pub const ALL: [Self; 18] = [
        Self::Tokens(Bucket::Input),
        Self::Tokens(Bucket::CachedInput),
        Self::Tokens(Bucket::CacheWrite),
        Self::Tokens(Bucket::CacheWrite12h),
        Self::Tokens(Bucket::AudioInput),
        Self::Tokens(Bucket::CachedAudioInput),
        Self::Tokens(Bucket::ImageInput),
        Self::Tokens(Bucket::CachedImageInput),
        Self::Tokens(Bucket::Output),
        Self::Tokens(Bucket::Reasoning),
        Self::Tokens(Bucket::AudioOutput),
        Self::Tokens(Bucket::ImageOutput),
        Self::Images,
        Self::AudioSeconds,
        Self::Characters,
        Self::WebSearch,
        Self::FileSearch,
        Self::CodeInterpreter,
    ];

    /// The key in the book and the kind of the cost line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens(bucket) => bucket.name(),
            Self::Images => "images",
            Self::AudioSeconds => "audio_seconds",
            Self::Characters => "characters",
            Self::WebSearch => "web_search",
            Self::FileSearch => "file_search",
            Self::CodeInterpreter => "code_interpreter",
        }
    }

    /// The meter of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.name() == name)
    }

    /// How much of the quantity one rate is for, in words.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Tokens(_) => "1M tokens",
            Self::Images => "image",
            Self::AudioSeconds => "60 seconds",
            Self::Characters => "1M characters",
            Self::WebSearch | Self::FileSearch => "1K calls",
            Self::CodeInterpreter => "session",
        }
    }

    /// Cache writes, of every lifetime.
    pub(crate) const fn cache_writes() -> [Self; 2] {
        [Self::Tokens(Bucket::CacheWrite), Self::Tokens(Bucket::CacheWrite12h)]
    }

    /// How much was used.
    pub(crate) fn quantity(self, usage: &Usage) -> Decimal {
        match self {
            Self::Tokens(bucket) => usage.tokens(bucket).into(),
            Self::Images => usage.images.into(),
            Self::AudioSeconds => usage.audio_seconds.unwrap_or_default(),
            Self::Characters => usage.characters.into(),
            Self::WebSearch => usage.web_search_calls.into(),
            Self::FileSearch => usage.file_search_calls.into(),
            Self::CodeInterpreter => usage.code_interpreter_calls.into(),
        }
    }

    /// `quantity ÷ unit × rate`, rounded once; `None` beyond 10¹² dollars.
    ///
    /// Nearly always there is nothing to round: a whole number of tokens times a rate of at most
    /// six places is a whole number of picodollars, and integers find it.
    pub(crate) fn cost(self, quantity: Decimal, rate: Decimal) -> Option<Usd> {
        /// Dollars with twelve places, the places of a picodollar.
        const PLACES: u32 = 12;
        let places = match self {
            Self::Tokens(_) | Self::Characters => 6,
            Self::WebSearch | Self::FileSearch => 3,
            Self::Images | Self::CodeInterpreter => 0,
            Self::AudioSeconds => {
                return Usd::from_decimal(quantity.checked_mul(rate)?.checked_div(Decimal::from(60))?);
            }
        };
        let scale = quantity.scale() + places + rate.scale();
        if let Some(zeros) = PLACES.checked_sub(scale) {
            let picos = quantity.mantissa().checked_mul(rate.mantissa())?.checked_mul(10_i128.pow(zeros))?;
            return (picos.unsigned_abs() < 10_u128.pow(24)).then_some(Usd::from_picos(picos));
        }
        let mut units = quantity;
        units.set_scale(quantity.scale() + places).ok()?;
        Usd::from_decimal(units.checked_mul(rate)?)
    }
}
