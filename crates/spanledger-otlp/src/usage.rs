//! Token attributes of the OpenTelemetry convention to a usage and back.

use std::collections::BTreeMap;

use spanledger_event::{Bucket, Endpoint, NestedUsage, Usage, UsageError, keys};

use crate::attributes::Attributes;

/// The usage that a span's attributes state; `None` when they state none.
///
/// By the convention cached and cache-write tokens are parts of the input, reasoning tokens a part
/// of the output. Where a model writes (`needs_output`), an output that is not stated is not zero.
pub(crate) fn read(attributes: Attributes<'_>, needs_output: bool) -> Option<Result<Usage, UsageError>> {
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
    if output.is_none() && needs_output {
        return Some(Err(UsageError::OutOfRange("no output tokens are stated".to_owned())));
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

/// Whether a call of that endpoint has output tokens.
pub(crate) const fn needs_output(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::Chat | Endpoint::Responses | Endpoint::Completions)
}

/// The counts of the convention's namespace that [`read`] does not know, as `key=value`.
///
/// Totals, text and costs say nothing new, and `details` are somebody's copy of the provider's own words.
pub(crate) fn unknown(attributes: Attributes<'_>) -> Vec<String> {
    /// More would be somebody's document, not a usage.
    const UNKNOWN_MAX: usize = 64;
    let is_known = |key: &str| {
        [keys::aliases::INPUT, keys::aliases::OUTPUT, keys::aliases::CACHE_READ]
            .into_iter()
            .chain([keys::aliases::CACHE_WRITE, keys::aliases::REASONING, &MODALITIES])
            .any(|spellings| spellings.contains(&key))
    };
    let mut found = BTreeMap::new();
    for key in attributes.0.iter().map(|kv| kv.key.as_str()) {
        let Some(name) = key.strip_prefix(keys::USAGE_NAMESPACE) else { continue };
        // Text is part of what is left of a whole.
        let is_nothing_new = ["total_", "text.", "details."].iter().any(|with| name.starts_with(with))
            || name.ends_with(".text_tokens")
            || name.contains("cost");
        if is_nothing_new || is_known(key) {
            continue;
        }
        // What is no number is somebody's note; an empty one is nobody's.
        if let Some(number) = attributes.decimal(key).filter(|number| !number.is_zero()) {
            let _ = found.insert(key, number.normalize());
        }
    }
    found.into_iter().take(UNKNOWN_MAX).map(|(key, number)| format!("{key}={number}")).collect()
}

const MODALITIES: [&str; 6] = [
    keys::AUDIO_INPUT_TOKENS,
    keys::AUDIO_CACHE_READ_TOKENS,
    keys::AUDIO_OUTPUT_TOKENS,
    keys::IMAGE_INPUT_TOKENS,
    keys::IMAGE_CACHE_READ_TOKENS,
    keys::IMAGE_OUTPUT_TOKENS,
];

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
