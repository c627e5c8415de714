//! The kinds of tokens.

use serde::{Deserialize, Serialize};

/// A kind of token that has its own price. The buckets are exclusive: a token is in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Text input that was neither read from nor written to a cache.
    Input,
    /// Text input read from the provider's cache.
    CachedInput,
    /// Input written to the provider's cache for its ordinary time (OpenAI: 30 minutes,
    /// Anthropic: 5 minutes).
    CacheWrite,
    /// Input written to the provider's cache for 1 hour (Anthropic).
    CacheWrite1h,
    /// Input written to the provider's cache for 12 hours (OpenAI).
    CacheWrite12h,
    /// Audio input that was not cached.
    AudioInput,
    /// Audio input read from the cache.
    CachedAudioInput,
    /// Image input that was not cached.
    ImageInput,
    /// Image input read from the cache.
    CachedImageInput,
    /// Visible text output.
    Output,
    /// Hidden output, which is billed like output but not shown to the caller.
    Reasoning,
    /// Audio output.
    AudioOutput,
    /// Image output.
    ImageOutput,
}

impl Bucket {
    /// All buckets, input first, in the order in which cost lines are listed.
    pub const ALL: [Self; 13] = [
        Self::Input,
        Self::CachedInput,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::AudioInput,
        Self::CachedAudioInput,
        Self::ImageInput,
        Self::CachedImageInput,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
        Self::ImageOutput,
    ];

    /// The name of the bucket's cost line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CachedInput => "cached_input",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWrite12h => "cache_write_12h",
            Self::AudioInput => "audio_input",
            Self::CachedAudioInput => "cached_audio_input",
            Self::ImageInput => "image_input",
            Self::CachedImageInput => "cached_image_input",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioOutput => "audio_output",
            Self::ImageOutput => "image_output",
        }
    }

    /// Whether the bucket is part of the input.
    pub const fn is_input(self) -> bool {
        !matches!(self, Self::Output | Self::Reasoning | Self::AudioOutput | Self::ImageOutput)
    }

    /// The bucket with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.name() == name)
    }

    /// The bucket's place in the array of counts, which is not its place in [`ALL`](Self::ALL).
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Input => 0,
            Self::CachedInput => 1,
            Self::CacheWrite => 2,
            Self::CacheWrite12h => 3,
            Self::AudioInput => 4,
            Self::CachedAudioInput => 5,
            Self::ImageInput => 6,
            Self::CachedImageInput => 7,
            Self::Output => 8,
            Self::Reasoning => 9,
            Self::AudioOutput => 10,
            Self::ImageOutput => 11,
            Self::CacheWrite1h => 12,
        }
    }
}
