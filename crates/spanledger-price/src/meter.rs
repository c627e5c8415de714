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
    /// Video made, by the second.
    VideoSeconds,
    /// Characters spoken, per million.
    Characters,
    /// Web searches, per thousand.
    WebSearch,
    /// Web searches with the older preview tool, per thousand.
    WebSearchPreview,
    /// Sources that a live search used, per thousand.
    SearchSources,
    /// Searches of a rerank call, per thousand.
    SearchUnits,
    /// File searches, per thousand.
    FileSearch,
    /// Code-interpreter sessions in a container of 1 GB.
    CodeInterpreter,
    /// Sessions in a container of 4 GB.
    Container4gb,
    /// Sessions in a container of 16 GB.
    Container16gb,
    /// Sessions in a container of 64 GB.
    Container64gb,
    /// Stored files, by gigabyte and day.
    StorageGbDays,
}

impl Meter {
    /// All meters, in the order of cost lines: tokens as [`Bucket::ALL`], then the other units.
    pub const ALL: [Self; 27] = {
        let mut all = [Self::Images; 27];
        let (mut at, units) = (0, Self::UNITS);
        while at < all.len() {
            all[at] = if at < Bucket::ALL.len() {
                Self::Tokens(Bucket::ALL[at])
            } else {
                units[at - Bucket::ALL.len()]
            };
            at += 1;
        }
        all
    };

    /// The meters that do not count tokens.
    pub const UNITS: [Self; 14] = [
        Self::Images,
        Self::AudioSeconds,
        Self::VideoSeconds,
        Self::Characters,
        Self::WebSearch,
        Self::WebSearchPreview,
        Self::SearchSources,
        Self::SearchUnits,
        Self::FileSearch,
        Self::CodeInterpreter,
        Self::Container4gb,
        Self::Container16gb,
        Self::Container64gb,
        Self::StorageGbDays,
    ];

    /// The key in the book and the kind of the cost line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens(bucket) => bucket.name(),
            Self::Images => "images",
            Self::AudioSeconds => "audio_seconds",
            Self::VideoSeconds => "video_seconds",
            Self::Characters => "characters",
            Self::WebSearch => "web_search",
            Self::WebSearchPreview => "web_search_preview",
            Self::SearchSources => "search_sources",
            Self::SearchUnits => "search_units",
            Self::FileSearch => "file_search",
            Self::CodeInterpreter => "code_interpreter",
            Self::Container4gb => "container_4gb",
            Self::Container16gb => "container_16gb",
            Self::Container64gb => "container_64gb",
            Self::StorageGbDays => "storage_gb_days",
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
            Self::VideoSeconds => "second",
            Self::Characters => "1M characters",
            Self::WebSearch | Self::WebSearchPreview | Self::FileSearch => "1K calls",
            Self::SearchSources => "1K sources",
            Self::SearchUnits => "1K search units",
            Self::CodeInterpreter | Self::Container4gb | Self::Container16gb | Self::Container64gb => {
                "session"
            }
            Self::StorageGbDays => "GB-day",
        }
    }

    /// Cache writes, of every lifetime.
    pub(crate) const fn cache_writes() -> [Self; 3] {
        [
            Self::Tokens(Bucket::CacheWrite),
            Self::Tokens(Bucket::CacheWrite1h),
            Self::Tokens(Bucket::CacheWrite12h),
        ]
    }

    /// Whether it counts tokens.
    pub const fn is_tokens(self) -> bool {
        matches!(self, Self::Tokens(_))
    }

    /// Whether it is counted in [`Usage::units`] and not in a field of its own.
    pub(crate) const fn is_in_units(self) -> bool {
        match self {
            Self::VideoSeconds
            | Self::WebSearchPreview
            | Self::SearchSources
            | Self::SearchUnits
            | Self::Container4gb
            | Self::Container16gb
            | Self::Container64gb
            | Self::StorageGbDays => true,
            Self::Tokens(_)
            | Self::Images
            | Self::AudioSeconds
            | Self::Characters
            | Self::WebSearch
            | Self::FileSearch
            | Self::CodeInterpreter => false,
        }
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
            _ => usage.units.get(self.name()).copied().unwrap_or_default(),
        }
    }

    /// `quantity ÷ unit × rate`, rounded once; `None` beyond 10¹² dollars.
    ///
    /// Nearly always there is nothing to round: a whole number of tokens times a rate of at most
    /// six places is a whole number of picodollars, and integers find it.
    pub(crate) fn cost(self, quantity: Decimal, rate: Decimal) -> Option<Usd> {
        /// Dollars have twelve places, those of a picodollar.
        const POWERS: [i128; 13] = {
            let mut powers = [1; 13];
            let mut at = 1;
            while at < powers.len() {
                powers[at] = powers[at - 1] * 10;
                at += 1;
            }
            powers
        };
        let places = match self {
            Self::Tokens(_) | Self::Characters => 6,
            Self::WebSearch
            | Self::WebSearchPreview
            | Self::SearchSources
            | Self::SearchUnits
            | Self::FileSearch => 3,
            Self::Images
            | Self::VideoSeconds
            | Self::CodeInterpreter
            | Self::Container4gb
            | Self::Container16gb
            | Self::Container64gb
            | Self::StorageGbDays => 0,
            Self::AudioSeconds => {
                return Usd::from_decimal(quantity.checked_mul(rate)?.checked_div(Decimal::from(60))?);
            }
        };
        let scale = quantity.scale() + places + rate.scale();
        let zeros = usize::try_from(scale).ok().and_then(|scale| POWERS.len().checked_sub(scale + 1));
        if let Some(&power) = zeros.and_then(|zeros| POWERS.get(zeros)) {
            let picos = product(quantity.mantissa(), rate.mantissa(), power)?;
            return (picos.unsigned_abs() < 10_u128.pow(24)).then_some(Usd::from_picos(picos));
        }
        let mut units = quantity;
        units.set_scale(quantity.scale() + places).ok()?;
        Usd::from_decimal(units.checked_mul(rate)?)
    }
}

/// The product of three; `None` where it does not fit. Nearly always the first two are small, and then
/// no step has to be checked.
fn product(a: i128, b: i128, power: i128) -> Option<i128> {
    /// With a power of at most 10¹² the product stays below 2¹²⁷.
    const SMALL: u128 = 1 << 86;
    if let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) {
        let product = i128::from(a) * i128::from(b);
        if product.unsigned_abs() < SMALL {
            return Some(product * power);
        }
    }
    a.checked_mul(b)?.checked_mul(power)
}
