//! Whether counts that a usage does not state may have changed its cost.

use std::cmp::Ordering;

use spanledger_event::{Bucket, CostCertainty, Usage};

use super::lines::Rating;

/// Each kind of input that can be read from a cache, with the bucket of its cached tokens.
const CACHED: [(Bucket, Bucket); 3] = [
    (Bucket::Input, Bucket::CachedInput),
    (Bucket::AudioInput, Bucket::CachedAudioInput),
    (Bucket::ImageInput, Bucket::CachedImageInput),
];

/// The input that can be written to a cache, with the buckets of the written tokens.
const WRITTEN: [(Bucket, Bucket); 3] = [
    (Bucket::Input, Bucket::CacheWrite),
    (Bucket::Input, Bucket::CacheWrite1h),
    (Bucket::Input, Bucket::CacheWrite12h),
];

/// Tokens that were not stated are in the bucket of ordinary input. The cost is not exact if they would have
/// had another rate: a lower one for cached tokens, a higher one for written tokens. A usage that states
/// neither may be too high or too low, so that its cost is uncertain and not an upper bound.
///
/// Unstated reasoning tokens do not matter, because they have the rate of the visible output.
pub(super) fn certainty(rating: &Rating<'_>, usage: &Usage) -> CostCertainty {
    let unstated = usage.unstated();
    let differs = |parts: [(Bucket, Bucket); 3], order: Ordering| {
        parts.into_iter().any(|(whole, part)| {
            usage.tokens(whole) > 0
                && rating
                    .token_rate(part)
                    .zip(rating.token_rate(whole))
                    .is_some_and(|(a, b)| a.cmp(&b) == order)
        })
    };
    if unstated.cache_write && differs(WRITTEN, Ordering::Greater) {
        CostCertainty::Uncertain
    } else if unstated.cached && differs(CACHED, Ordering::Less) {
        CostCertainty::UpperBound
    } else {
        CostCertainty::Exact
    }
}
