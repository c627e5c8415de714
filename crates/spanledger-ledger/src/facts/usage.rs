//! The usage as bytes: a mask of what there is, and the counts in the order of their bits.

use spanledger_event::{Bucket, Unstated, Usage};

use super::pen::{Eye, Pen};
use crate::error::FactsError;

/// The buckets in the order of their bits. New buckets are added at the end.
const BUCKETS: [Bucket; 13] = [
    Bucket::Input,
    Bucket::CachedInput,
    Bucket::CacheWrite,
    Bucket::CacheWrite1h,
    Bucket::CacheWrite12h,
    Bucket::AudioInput,
    Bucket::CachedAudioInput,
    Bucket::ImageInput,
    Bucket::CachedImageInput,
    Bucket::Output,
    Bucket::Reasoning,
    Bucket::AudioOutput,
    Bucket::ImageOutput,
];

/// The counts that have a value, after a mask of them.
pub(super) fn write(pen: &mut Pen<'_, '_>, usage: &Usage) {
    let counts = counts(usage);
    let mut mask =
        counts.iter().enumerate().fold(0_u64, |mask, (bit, count)| mask | u64::from(*count > 0) << bit);
    let Unstated { cached, cache_write, reasoning } = usage.unstated();
    for (bit, is_set) in [
        (18, cached),
        (19, cache_write),
        (20, reasoning),
        (32, usage.audio_seconds.is_some()),
        (33, usage.variant.is_some()),
        (34, !usage.units.is_empty()),
    ] {
        mask |= u64::from(is_set) << bit;
    }
    pen.unsigned(mask);
    for count in counts.into_iter().filter(|count| *count > 0) {
        pen.unsigned(count);
    }
    if let Some(seconds) = &usage.audio_seconds {
        pen.decimal(seconds);
    }
    if let Some(variant) = &usage.variant {
        pen.word(variant);
    }
    if !usage.units.is_empty() {
        pen.unsigned(usage.units.len() as u64);
        for (unit, quantity) in &usage.units {
            pen.word(unit);
            pen.decimal(quantity);
        }
    }
}

/// Buckets and whole units, in the order of their bits.
fn counts(usage: &Usage) -> [u64; 18] {
    let mut counts = [0; 18];
    for (count, bucket) in counts.iter_mut().zip(BUCKETS) {
        *count = usage.tokens(bucket);
    }
    counts[13] = usage.images;
    counts[14] = usage.characters;
    counts[15] = usage.web_search_calls;
    counts[16] = usage.file_search_calls;
    counts[17] = usage.code_interpreter_calls;
    counts
}

pub(super) fn read(eye: &mut Eye<'_>) -> Result<Usage, FactsError> {
    let mask = eye.unsigned()?;
    // The bits from 21 to 31 have no meaning.
    if mask >> 35 != 0 || mask >> 21 & 0x7FF != 0 {
        return Err(FactsError::Newer);
    }
    let mut counts = [0; 18];
    for (bit, count) in counts.iter_mut().enumerate() {
        if mask >> bit & 1 == 1 {
            *count = eye.unsigned()?;
        }
    }
    let mut usage = Usage::default();
    for (count, bucket) in counts.into_iter().zip(BUCKETS) {
        usage = usage.with(bucket, count);
    }
    [
        usage.images,
        usage.characters,
        usage.web_search_calls,
        usage.file_search_calls,
        usage.code_interpreter_calls,
    ] = [counts[13], counts[14], counts[15], counts[16], counts[17]];
    if mask >> 32 & 1 == 1 {
        usage.audio_seconds = Some(eye.decimal()?);
    }
    if mask >> 33 & 1 == 1 {
        usage.variant = Some(eye.word()?.to_owned());
    }
    if mask >> 34 & 1 == 1 {
        for _ in 0..eye.unsigned()? {
            let unit = eye.word()?.to_owned();
            usage.units.insert(unit, eye.decimal()?);
        }
    }
    let is_unstated = |bit: u32| mask >> bit & 1 == 1;
    let unstated =
        Unstated { cached: is_unstated(18), cache_write: is_unstated(19), reasoning: is_unstated(20) };
    Ok(usage.with_unstated(unstated))
}
