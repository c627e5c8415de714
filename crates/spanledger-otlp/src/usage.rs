//! Token attributes of the OpenTelemetry convention to a usage and back.

use spanledger_event::{Bucket, NestedUsage, Usage, UsageError, keys};

use crate::attributes::Attributes;

/// The usage that a span's attributes state; `None` when they state none.
///
/// By the convention cached and cache-write tokens are parts of the input, reasoning tokens a part
/// of the output.
pub(crate) fn read(attributes: Attributes<'_>) -> Option<Result<Usage, UsageError>> {
    let count = |spellings: &[&str]| attributes.any(spellings, |a, key| a.count(key));
    let input = count(keys::aliases::INPUT);
    let output = count(keys::aliases::OUTPUT);
    if input.is_none() && output.is_none() {
        return None;
    }
    if input.is_none() {
        // A call without input there is none: what was read would be billed, the rest forgotten.
        return Some(Err(UsageError::OutOfRange("no input tokens are stated".to_owned())));
    }
    let number = |found: Option<Result<u64, String>>| found.unwrap_or(Ok(0)).map_err(UsageError::OutOfRange);
    let nested = || -> Result<NestedUsage, UsageError> {
        Ok(NestedUsage {
            input: number(input)?,
            cached: number(count(keys::aliases::CACHE_READ))?,
            cache_write: number(count(keys::aliases::CACHE_WRITE))?,
            cache_write_1h: 0,
            cache_write_12h: 0,
            audio_input: number(count(&[keys::AUDIO_INPUT_TOKENS]))?,
            cached_audio: number(count(&[keys::AUDIO_CACHE_READ_TOKENS]))?,
            image_input: number(count(&[keys::IMAGE_INPUT_TOKENS]))?,
            cached_image: number(count(&[keys::IMAGE_CACHE_READ_TOKENS]))?,
            output: number(output)?,
            reasoning: number(count(keys::aliases::REASONING))?,
            audio_output: number(count(&[keys::AUDIO_OUTPUT_TOKENS]))?,
            image_output: number(count(&[keys::IMAGE_OUTPUT_TOKENS]))?,
            total: None,
        })
    };
    Some(nested().and_then(|nested| nested.exclusive()))
}

/// The attributes that state a usage; parts that are zero are left out, the totals are not.
pub fn counts(usage: &Usage) -> Vec<(&'static str, i64)> {
    let nested = usage.nested();
    let parts = [
        (keys::CACHE_READ_TOKENS, nested.cached),
        (keys::CACHE_WRITE_TOKENS, usage.cache_write_tokens()),
        (keys::REASONING_TOKENS, nested.reasoning),
        (keys::AUDIO_INPUT_TOKENS, nested.audio_input),
        (keys::AUDIO_CACHE_READ_TOKENS, nested.cached_audio),
        (keys::AUDIO_OUTPUT_TOKENS, nested.audio_output),
        (keys::IMAGE_INPUT_TOKENS, nested.image_input),
        (keys::IMAGE_CACHE_READ_TOKENS, nested.cached_image),
        (keys::IMAGE_OUTPUT_TOKENS, usage.tokens(Bucket::ImageOutput)),
    ];
    [(keys::INPUT_TOKENS, nested.input), (keys::OUTPUT_TOKENS, nested.output)]
        .into_iter()
        .chain(parts.into_iter().filter(|(_, count)| *count > 0))
        .map(|(key, count)| (key, i64::try_from(count).unwrap_or(i64::MAX)))
        .collect()
}

/// Our own form of a usage that [`counts`] cannot say in full: lifetimes of cache writes, units.
pub(crate) fn beyond_convention(usage: &Usage) -> Option<String> {
    let lifetimes = usage.tokens(Bucket::CacheWrite1h) > 0 || usage.tokens(Bucket::CacheWrite12h) > 0;
    let units = usage.audio_seconds.is_some()
        || usage.characters > 0
        || usage.variant.is_some()
        || !usage.units.is_empty();
    if lifetimes || units { serde_json::to_string(usage).ok() } else { None }
}
