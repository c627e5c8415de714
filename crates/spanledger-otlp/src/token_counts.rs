//! Token attributes of the OpenTelemetry convention to a usage and back.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use spanledger_event::{
    Bucket, Endpoint, NestedUsage, Unstated, Usage, UsageError, keys,
    limits::{TOKENS_MAX, USAGE_UNKNOWN_MAX},
};
use spanledger_price::usage::{self, UsageReadError};

use crate::{
    attributes::{Attributes, decimal_of},
    quirks::Quirks,
};

#[cfg(test)]
mod tests;

/// Looks a count up under all its spellings.
#[derive(Clone, Copy)]
struct Counts<'a> {
    attributes: &'a Attributes<'a>,
    quirks: &'a [&'static Quirks],
}

/// The vendors' spellings of one count.
type Spellings = fn(&Quirks) -> &'static [&'static str];

const NO_VENDORS: Spellings = |_| &[];
/// The counts that have more than one spelling: the convention's and the vendors'.
const CACHE_READ: (&[&str], Spellings) = (keys::aliases::CACHE_READ, |quirks| quirks.cache_read);
const CACHE_WRITE: (&[&str], Spellings) = (keys::aliases::CACHE_WRITE, |quirks| quirks.cache_write);
const REASONING: (&[&str], Spellings) = (keys::aliases::REASONING, |quirks| quirks.reasoning);
const INPUT: (&[&str], Spellings) = (keys::aliases::INPUT, |quirks| quirks.input);
const OUTPUT: (&[&str], Spellings) = (keys::aliases::OUTPUT, |quirks| quirks.output);

const MODALITIES: [&str; 6] = [
    keys::AUDIO_INPUT_TOKENS,
    keys::AUDIO_CACHE_READ_TOKENS,
    keys::AUDIO_OUTPUT_TOKENS,
    keys::IMAGE_INPUT_TOKENS,
    keys::IMAGE_CACHE_READ_TOKENS,
    keys::IMAGE_OUTPUT_TOKENS,
];

impl Counts<'_> {
    /// The first spelling that is there; `None` where none is.
    fn find(&self, (convention, vendors): (&[&str], Spellings)) -> Option<Result<u64, UsageReadError>> {
        let spellings = convention.iter().chain(self.quirks.iter().flat_map(|quirks| vendors(quirks)));
        let (key, count) = spellings.into_iter().find_map(|key| Some((*key, self.attributes.count(key)?)))?;
        Some(match count {
            Ok(count) if count > TOKENS_MAX => {
                Err(UsageReadError::Counts(UsageError::out_of_range(key, count, TOKENS_MAX)))
            }
            Ok(count) => Ok(count),
            Err(value) => Err(UsageReadError::NotACount { field: key.to_owned(), value }),
        })
    }

    /// A part of a count, if it is there.
    fn part(&self, spellings: (&[&str], Spellings)) -> Result<Option<u64>, UsageReadError> {
        self.find(spellings).transpose()
    }

    /// The part of a count that has another modality than text, zero where it is not stated.
    fn modality(&self, key: &str) -> Result<u64, UsageReadError> {
        Ok(self.part((&[key], NO_VENDORS))?.unwrap_or_default())
    }
}

/// The usage that a span's attributes state; `None` when they state neither input nor output.
///
/// By the convention cached and cache-write tokens are parts of the input, reasoning tokens a part
/// of the output. Where the model writes text (`needs_output`), a missing output is not zero.
/// `unstated_if_absent` are the parts that are not zero either where they are missing.
pub(crate) fn read(
    attributes: &Attributes<'_>,
    quirks: &[&'static Quirks],
    needs_output: bool,
    unstated_if_absent: Unstated,
) -> Option<Result<Usage, UsageReadError>> {
    let counts = Counts { attributes, quirks };
    match (counts.find(INPUT), counts.find(OUTPUT)) {
        (None, None) => None,
        // Every call has input; pricing only the output would underbill it.
        (None, Some(_)) => Some(Err(UsageReadError::MissingCount("input"))),
        (Some(_), None) if needs_output => Some(Err(UsageReadError::MissingCount("output"))),
        (Some(input), output) => Some(exclusive(&counts, input, output.unwrap_or(Ok(0)), unstated_if_absent)),
    }
}

fn exclusive(
    counts: &Counts<'_>,
    input: Result<u64, UsageReadError>,
    output: Result<u64, UsageReadError>,
    unstated_if_absent: Unstated,
) -> Result<Usage, UsageReadError> {
    let (cached, cache_write) = (counts.part(CACHE_READ)?, counts.part(CACHE_WRITE)?);
    let reasoning = counts.part(REASONING)?;
    let absent = Unstated {
        cached: cached.is_none(),
        cache_write: cache_write.is_none(),
        reasoning: reasoning.is_none(),
    };
    let nested = NestedUsage {
        input: input?,
        cached: cached.unwrap_or_default(),
        cache_write: cache_write.unwrap_or_default(),
        audio_input: counts.modality(keys::AUDIO_INPUT_TOKENS)?,
        cached_audio: counts.modality(keys::AUDIO_CACHE_READ_TOKENS)?,
        image_input: counts.modality(keys::IMAGE_INPUT_TOKENS)?,
        cached_image: counts.modality(keys::IMAGE_CACHE_READ_TOKENS)?,
        output: output?,
        reasoning: reasoning.unwrap_or_default(),
        audio_output: counts.modality(keys::AUDIO_OUTPUT_TOKENS)?,
        image_output: counts.modality(keys::IMAGE_OUTPUT_TOKENS)?,
        unstated: absent.and(unstated_if_absent),
        ..NestedUsage::default()
    };
    nested.exclusive().map_err(UsageReadError::Counts)
}

/// The parts of a usage that a span does not state if it lacks them, as far as the endpoint has these parts. The
/// scope that made the span decides; without one, nothing is known about a missing count.
pub(crate) fn unstated_if_absent(
    quirks: &[&'static Quirks],
    scope: Option<&str>,
    endpoint: Endpoint,
) -> Unstated {
    let mut rows = quirks.iter().flat_map(|quirks| quirks.absent_counts);
    let row = rows.find(|row| scope.is_some_and(|scope| row.scopes.contains(&scope)));
    row.map_or(Unstated::ALL, |row| row.unstated).and(usage::unstated_if_absent(endpoint))
}

/// Whether a key states all input or all output of a call.
pub(crate) fn is_total(key: &str, quirks: &[&'static Quirks]) -> bool {
    [INPUT, OUTPUT].into_iter().any(|(convention, vendors)| {
        convention.contains(&key) || quirks.iter().any(|quirks| vendors(quirks).contains(&key))
    })
}

/// Whether a call of that endpoint has output tokens.
pub(crate) const fn needs_output(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::Chat | Endpoint::Responses | Endpoint::Completions)
}

/// The counts in the convention's namespace that [`read`] does not know, as `key=value`.
///
/// Totals, text and costs are left out, because they follow from the counts that it knows.
pub(crate) fn unrecognized(attributes: &Attributes<'_>, quirks: &[&'static Quirks]) -> Vec<String> {
    let is_known = |key: &str| {
        MODALITIES.contains(&key)
            || [INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING].into_iter().any(|(convention, vendors)| {
                convention.contains(&key) || quirks.iter().any(|quirks| vendors(quirks).contains(&key))
            })
    };
    let repeats = |key: &str| {
        quirks.iter().flat_map(|quirks| quirks.repeated_counts).any(|beginning| key.starts_with(beginning))
    };
    let count = |(name, value): (&str, &Value)| {
        let key = format!("{}{name}", keys::USAGE_NAMESPACE);
        // Text is what the other modalities leave of a whole.
        let is_derived = name.starts_with("total_")
            || name.starts_with("text.")
            || name.ends_with(".text_tokens")
            || name.contains("cost");
        if is_derived || is_known(&key) || repeats(&key) {
            return None;
        }
        // An attribute that is not a number is not a count.
        let number = decimal_of(value).filter(|number| !number.is_zero())?;
        Some(format!("{key}={}", number.normalize()))
    };
    let mut counts = attributes.with_prefix(keys::USAGE_NAMESPACE).filter_map(count);
    let mut listed: Vec<String> = counts.by_ref().take(USAGE_UNKNOWN_MAX).collect();
    let more = counts.count();
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed
}

/// The attributes that state a usage; parts that are zero are left out, the totals are not.
pub(crate) fn attributes(usage: &Usage) -> Vec<(&'static str, u64)> {
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
        .collect()
}
