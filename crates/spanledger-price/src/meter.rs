//! Meters: the billable kinds of tokens and other units, and the units of their rates.

use rust_decimal::Decimal;
use spanledger_event::{Bucket, Usage, Usd};

#[cfg(test)]
mod tests;

/// A quantity that is counted and has a rate: a bucket of tokens or another unit.
///
/// The kinds of cost lines, their order and the keys of price files derive from the meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// Tokens of one kind, per million.
    Tokens(Bucket),
    /// Generated images.
    Images,
    /// Audio input or output. It is counted in seconds, and its rate is per minute.
    AudioSeconds,
    /// Generated video, per second.
    VideoSeconds,
    /// Characters that are converted to speech, per million.
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
    /// Stored files, per gigabyte and day.
    StorageGbDays,
    /// Tokens that a model was trained with, per million.
    TrainedTokens,
}

/// A row of the table of meters.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    key: &'static str,
    unit: &'static str,
    per: Per,
}

/// The quantity that a rate is for.
#[derive(Clone, Copy)]
enum Per {
    One,
    Sixty,
    Thousand,
    Million,
}

impl Meter {
    /// All meters, in the order of cost lines: tokens as [`Bucket::ALL`], then the other units.
    pub const ALL: [Self; 28] = {
        let mut all = [Self::Images; 28];
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
    pub const UNITS: [Self; 15] = [
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
        Self::TrainedTokens,
    ];

    /// The table of meters, with the name, the key, the unit and the quantity of each rate.
    const fn row(self) -> Row {
        const fn row(name: &'static str, key: &'static str, unit: &'static str, per: Per) -> Row {
            Row { name, key, unit, per }
        }
        match self {
            Self::Tokens(bucket) => row(bucket.name(), Self::token_key(bucket), "1M tokens", Per::Million),
            Self::Images => row("images", "images_each", "image", Per::One),
            Self::AudioSeconds => row("audio_seconds", "audio_per_minute", "60 seconds", Per::Sixty),
            Self::VideoSeconds => row("video_seconds", "video_per_second", "second", Per::One),
            Self::Characters => row("characters", "characters_per_1m", "1M characters", Per::Million),
            Self::WebSearch => row("web_search", "web_search_per_1k", "1K calls", Per::Thousand),
            Self::WebSearchPreview => {
                row("web_search_preview", "web_search_preview_per_1k", "1K calls", Per::Thousand)
            }
            Self::SearchSources => {
                row("search_sources", "search_sources_per_1k", "1K sources", Per::Thousand)
            }
            Self::SearchUnits => row("search_units", "search_units_per_1k", "1K search units", Per::Thousand),
            Self::FileSearch => row("file_search", "file_search_per_1k", "1K calls", Per::Thousand),
            Self::CodeInterpreter => {
                row("code_interpreter", "code_interpreter_per_session", "session", Per::One)
            }
            Self::Container4gb => row("container_4gb", "container_4gb_per_session", "session", Per::One),
            Self::Container16gb => row("container_16gb", "container_16gb_per_session", "session", Per::One),
            Self::Container64gb => row("container_64gb", "container_64gb_per_session", "session", Per::One),
            Self::StorageGbDays => row("storage_gb_days", "storage_per_gb_day", "GB-day", Per::One),
            Self::TrainedTokens => row("trained_tokens", "training_per_1m", "1M tokens", Per::Million),
        }
    }

    const fn token_key(bucket: Bucket) -> &'static str {
        match bucket {
            Bucket::Input => "input_per_1m",
            Bucket::CachedInput => "cached_input_per_1m",
            Bucket::CacheWrite => "cache_write_per_1m",
            Bucket::CacheWrite1h => "cache_write_1h_per_1m",
            Bucket::CacheWrite12h => "cache_write_12h_per_1m",
            Bucket::AudioInput => "audio_input_per_1m",
            Bucket::CachedAudioInput => "cached_audio_input_per_1m",
            Bucket::ImageInput => "image_input_per_1m",
            Bucket::CachedImageInput => "cached_image_input_per_1m",
            Bucket::Output => "output_per_1m",
            Bucket::Reasoning => "reasoning_per_1m",
            Bucket::AudioOutput => "audio_output_per_1m",
            Bucket::ImageOutput => "image_output_per_1m",
        }
    }

    /// The kind of the cost line, and the name in a `[fallback]` rule: `cached_input`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The key of its rate in a price file, which ends with the unit: `cached_input_per_1m`.
    pub const fn rate_key(self) -> &'static str {
        self.row().key
    }

    /// The quantity that one rate is for, as text.
    pub const fn unit(self) -> &'static str {
        self.row().unit
    }

    /// The meter of that [name](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meter| meter.name() == name)
    }

    /// The meters of cache writes, one for each lifetime.
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

    /// Whether it is counted in [`Usage::units`] and not in its own field of [`Usage`].
    pub(crate) const fn is_in_units(self) -> bool {
        match self {
            Self::VideoSeconds
            | Self::WebSearchPreview
            | Self::SearchSources
            | Self::SearchUnits
            | Self::Container4gb
            | Self::Container16gb
            | Self::Container64gb
            | Self::StorageGbDays
            | Self::TrainedTokens => true,
            Self::Tokens(_)
            | Self::Images
            | Self::AudioSeconds
            | Self::Characters
            | Self::WebSearch
            | Self::FileSearch
            | Self::CodeInterpreter => false,
        }
    }

    /// The quantity in a usage.
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
    /// Rounding is rarely necessary: a whole number of tokens times a rate of at most six places is a whole
    /// number of picodollars, which is computed with integers.
    pub(crate) fn cost(self, quantity: Decimal, rate: Decimal) -> Option<Usd> {
        /// The powers of ten up to the twelve places of a picodollar.
        const POWERS: [i128; 13] = {
            let mut powers = [1; 13];
            let mut at = 1;
            while at < powers.len() {
                powers[at] = powers[at - 1] * 10;
                at += 1;
            }
            powers
        };
        let places = match self.row().per {
            Per::Million => 6,
            Per::Thousand => 3,
            Per::One => 0,
            Per::Sixty => {
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

/// The product of three numbers; `None` if it overflows. The first two are nearly always small, and then
/// the multiplication cannot overflow and need not be checked.
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
