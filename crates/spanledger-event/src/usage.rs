//! Tokens and other units, in buckets that do not overlap.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::limits::{COUNT_MAX, NAME_BYTES_MAX, TOKENS_MAX, UNITS_MAX};

mod bucket;
mod error;
#[cfg(test)]
mod tests;
mod tokens;
mod unstated;

pub use bucket::Bucket;
pub use error::UsageError;
pub use unstated::Unstated;

/// What a call used, in exclusive buckets and counted units.
///
/// The event's columns are sums over it: [`prompt_tokens`](Self::prompt_tokens) is all input,
/// [`completion_tokens`](Self::completion_tokens) the visible output and
/// [`reasoning_tokens`](Self::reasoning_tokens) the hidden one, so that
/// `prompt + completion + reasoning` is the total. OpenAI's own `completion_tokens` is
/// [`output_tokens`](Self::output_tokens): it includes the reasoning tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Usage {
    #[serde(with = "tokens")]
    tokens: [u64; 13],
    /// It holds no part whose count is above zero, see [`with_unstated`](Self::with_unstated).
    #[serde(default, skip_serializing_if = "Unstated::is_none")]
    unstated: Unstated,
    /// Images that the call generated.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub images: u64,
    /// Seconds of audio input or output, where the provider bills by time.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::money::literal::option")]
    pub audio_seconds: Option<Decimal>,
    /// Characters spoken, where the provider bills by them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub characters: u64,
    /// Billable web searches.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub web_search_calls: u64,
    /// Billable file searches.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub file_search_calls: u64,
    /// Billable uses of a code interpreter. At OpenAI, which bills sessions, they are containers of 1 GB;
    /// at other providers they are calls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub code_interpreter_calls: u64,
    /// Selects one of several rates of a unit: the quality and size of the images (`hd 1024x1792`), or
    /// the resolution of the video (`720p`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Counted units that have no column of their own, by the name of the price book's meter:
    /// `video_seconds`, `search_units`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "crate::money::literal::map")]
    pub units: BTreeMap<String, Decimal>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// The greatest count of tokens that is accepted: far above any context window, and small enough
    /// that sums over 2³⁰ calls fit an `i64`.
    pub const TOKENS_MAX: u64 = TOKENS_MAX;

    /// The tokens in one bucket.
    pub const fn tokens(&self, bucket: Bucket) -> u64 {
        self.tokens[bucket.index()]
    }

    /// Sets one bucket. A count above zero is stated.
    #[must_use]
    pub fn with(mut self, bucket: Bucket, tokens: u64) -> Self {
        self.tokens[bucket.index()] = tokens;
        let unstated = self.unstated;
        if unstated == Unstated::NONE { self } else { self.with_unstated(unstated) }
    }

    /// The parts that the emitter did not state. They are zero in the buckets, but may have been used.
    pub const fn unstated(&self) -> Unstated {
        self.unstated
    }

    /// Sets the parts that the emitter did not state. A part whose count is above zero is stated.
    #[must_use]
    pub fn with_unstated(mut self, unstated: Unstated) -> Self {
        self.unstated = unstated.and(self.zeros());
        self
    }

    /// The parts that are zero.
    fn zeros(&self) -> Unstated {
        Unstated {
            cached: self.cached_tokens() == 0,
            cache_write: self.cache_write_tokens() == 0,
            reasoning: self.reasoning_tokens() == 0,
        }
    }

    /// The units that are whole numbers.
    const fn counts(&self) -> [u64; 5] {
        [
            self.images,
            self.characters,
            self.web_search_calls,
            self.file_search_calls,
            self.code_interpreter_calls,
        ]
    }

    /// Whether anything but tokens was used.
    pub fn has_units(&self) -> bool {
        self.counts() != [0; 5] || self.audio_seconds.is_some() || !self.units.is_empty()
    }

    /// Whether every count is zero. Some gateways send such a usage when they do not know the real one.
    pub fn is_empty(&self) -> bool {
        self.tokens == [0; 13]
            && self.counts() == [0; 5]
            && self.audio_seconds.is_none_or(|seconds| seconds.is_zero())
            && self.units.values().all(Decimal::is_zero)
    }

    /// The first count that is greater than one call can have, as an error that names it.
    pub fn out_of_range(&self) -> Option<UsageError> {
        if let Some(bucket) = Bucket::ALL.into_iter().find(|&bucket| self.tokens(bucket) > TOKENS_MAX) {
            return Some(UsageError::out_of_range(bucket.name(), self.tokens(bucket), TOKENS_MAX));
        }
        let names =
            ["images", "characters", "web_search_calls", "file_search_calls", "code_interpreter_calls"];
        if let Some((name, count)) =
            names.into_iter().zip(self.counts()).find(|(_, count)| *count > COUNT_MAX)
        {
            return Some(UsageError::out_of_range(name, count, COUNT_MAX));
        }
        if self.units.len() > UNITS_MAX {
            return Some(UsageError::TooManyUnits(self.units.len()));
        }
        if let Some(name) = self.units.keys().find(|name| name.len() > NAME_BYTES_MAX) {
            return Some(UsageError::UnitName(name.len()));
        }
        let seconds = self.audio_seconds.iter().map(|seconds| ("audio_seconds", seconds));
        seconds
            .chain(self.units.iter().map(|(name, quantity)| (name.as_str(), quantity)))
            .find(|(_, quantity)| quantity.abs() > Decimal::from(COUNT_MAX))
            .map(|(name, quantity)| UsageError::out_of_range(name, *quantity, COUNT_MAX))
    }

    fn sum(&self, buckets: &[Bucket]) -> u64 {
        buckets.iter().fold(0, |sum, &bucket| sum.saturating_add(self.tokens(bucket)))
    }

    /// All input, including tokens read from and written to a cache. The long-context rule uses this sum.
    pub fn prompt_tokens(&self) -> u64 {
        Bucket::ALL
            .into_iter()
            .filter(|bucket| bucket.is_input())
            .fold(0, |sum, bucket| sum.saturating_add(self.tokens(bucket)))
    }

    /// The input read from a cache, of every modality. It is zero where it is [unstated](Self::unstated).
    pub fn cached_tokens(&self) -> u64 {
        self.sum(&[Bucket::CachedInput, Bucket::CachedAudioInput, Bucket::CachedImageInput])
    }

    /// The input written to a cache. It is zero where it is [unstated](Self::unstated).
    pub fn cache_write_tokens(&self) -> u64 {
        self.sum(&[Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::CacheWrite12h])
    }

    /// The visible output, of every modality.
    pub fn completion_tokens(&self) -> u64 {
        self.sum(&[Bucket::Output, Bucket::AudioOutput, Bucket::ImageOutput])
    }

    /// The hidden output. It is zero where it is [unstated](Self::unstated).
    pub fn reasoning_tokens(&self) -> u64 {
        self.tokens(Bucket::Reasoning)
    }

    /// Visible and hidden output, the provider's own `completion_tokens`.
    pub fn output_tokens(&self) -> u64 {
        self.completion_tokens().saturating_add(self.reasoning_tokens())
    }

    /// The same usage as the provider reports it: totals that contain their parts.
    pub fn nested(&self) -> NestedUsage {
        NestedUsage {
            input: self.prompt_tokens(),
            cached: self.cached_tokens(),
            cache_write: self.tokens(Bucket::CacheWrite),
            cache_write_1h: self.tokens(Bucket::CacheWrite1h),
            cache_write_12h: self.tokens(Bucket::CacheWrite12h),
            audio_input: self.sum(&[Bucket::AudioInput, Bucket::CachedAudioInput]),
            cached_audio: self.tokens(Bucket::CachedAudioInput),
            image_input: self.sum(&[Bucket::ImageInput, Bucket::CachedImageInput]),
            cached_image: self.tokens(Bucket::CachedImageInput),
            output: self.output_tokens(),
            reasoning: self.reasoning_tokens(),
            audio_output: self.tokens(Bucket::AudioOutput),
            image_output: self.tokens(Bucket::ImageOutput),
            total: None,
            unstated: self.unstated,
        }
    }
}

/// Usage as OpenAI and the OpenTelemetry conventions report it: totals that contain their parts.
///
/// `cached`, the cache writes, `audio_input` and `image_input` are parts of `input`;
/// `cached_audio` and `cached_image` are parts of `cached` and of their modality; `reasoning`,
/// `audio_output` and `image_output` are parts of `output`
/// (OpenAI API reference, *usage*; OpenTelemetry registry, `gen_ai.usage.input_tokens`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NestedUsage {
    /// All input tokens.
    pub input: u64,
    /// Input read from a cache.
    pub cached: u64,
    /// Input written to a cache for its ordinary time.
    pub cache_write: u64,
    /// Input written to a cache (1 hour).
    pub cache_write_1h: u64,
    /// Input written to a cache (12 hours).
    pub cache_write_12h: u64,
    /// Audio input.
    pub audio_input: u64,
    /// Audio input read from a cache.
    pub cached_audio: u64,
    /// Image input.
    pub image_input: u64,
    /// Image input read from a cache.
    pub cached_image: u64,
    /// All output tokens.
    pub output: u64,
    /// Hidden output.
    pub reasoning: u64,
    /// Audio output.
    pub audio_output: u64,
    /// Image output.
    pub image_output: u64,
    /// The total that the provider stated, if it did. It must be input plus output.
    pub total: Option<u64>,
    /// The parts that were not stated. They are zero here.
    pub unstated: Unstated,
}

impl NestedUsage {
    /// Splits the totals into exclusive buckets.
    pub fn exclusive(&self) -> Result<Usage, UsageError> {
        let counts = [
            ("input", self.input),
            ("cached input", self.cached),
            ("cache writes", self.cache_write),
            ("cache writes of 1 hour", self.cache_write_1h),
            ("cache writes of 12 hours", self.cache_write_12h),
            ("audio input", self.audio_input),
            ("cached audio input", self.cached_audio),
            ("image input", self.image_input),
            ("cached image input", self.cached_image),
            ("output", self.output),
            ("reasoning", self.reasoning),
            ("audio output", self.audio_output),
            ("image output", self.image_output),
        ];
        if let Some((name, count)) = counts.into_iter().find(|(_, count)| *count > TOKENS_MAX) {
            return Err(UsageError::out_of_range(name, count, TOKENS_MAX));
        }
        let rest = |side, whole: u64, parts: u64| {
            whole.checked_sub(parts).ok_or(UsageError::PartsExceedWhole { side, parts, whole })
        };
        let audio_input = rest("audio input", self.audio_input, self.cached_audio)?;
        let image_input = rest("image input", self.image_input, self.cached_image)?;
        let cached = rest("cached input", self.cached, self.cached_audio + self.cached_image)?;
        let written = self.cache_write + self.cache_write_1h + self.cache_write_12h;
        let input = rest("input", self.input, self.cached + written + audio_input + image_input)?;
        let output = rest("output", self.output, self.reasoning + self.audio_output + self.image_output)?;
        let sum = self.input + self.output;
        if let Some(stated) = self.total.filter(|&total| total != sum) {
            return Err(UsageError::TotalMismatch { stated, sum });
        }
        Ok(Usage::default()
            .with(Bucket::Input, input)
            .with(Bucket::CachedInput, cached)
            .with(Bucket::CacheWrite, self.cache_write)
            .with(Bucket::CacheWrite1h, self.cache_write_1h)
            .with(Bucket::CacheWrite12h, self.cache_write_12h)
            .with(Bucket::AudioInput, audio_input)
            .with(Bucket::CachedAudioInput, self.cached_audio)
            .with(Bucket::ImageInput, image_input)
            .with(Bucket::CachedImageInput, self.cached_image)
            .with(Bucket::Output, output)
            .with(Bucket::Reasoning, self.reasoning)
            .with(Bucket::AudioOutput, self.audio_output)
            .with(Bucket::ImageOutput, self.image_output)
            .with_unstated(self.unstated))
    }
}
