//! The meaning of the map's keys.

use spanledger_event::Bucket;

use super::Scale;
use spanledger_price::{Meter, Tier};

/// A key of a model.
pub(super) enum Key {
    /// Not a price.
    Other,
    /// A rate of the price list.
    Rate(Place),
    /// A fee for calls of a tool, the same in every tier.
    Tool(Meter, Scale),
    /// Prices of a web search by the size of its context.
    Search,
    /// A factor for processing in a region.
    Regional,
    /// A key that replaces all other prices of the model, so that none of them is imported; the reason.
    Whole(&'static str),
    /// A price that the book cannot represent; the reason.
    Unsupported(&'static str),
}

/// The place of a rate in the book, and its scale.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) tier: Tier,
    /// The prompt length in tokens beyond which the rate applies.
    pub(super) over: Option<u64>,
    pub(super) meter: Meter,
    pub(super) variant: Option<&'static str>,
    pub(super) scale: Scale,
}

const TIERS: [(&str, Tier); 5] = [
    ("_batches", Tier::Batch),
    ("_batch", Tier::Batch),
    ("_flex", Tier::Flex),
    ("_priority", Tier::Priority),
    ("_ultrafast", Tier::Ultrafast),
];

const TOKENS: [(&str, Bucket); 14] = [
    ("input_cost_per_token", Bucket::Input),
    ("output_cost_per_token", Bucket::Output),
    ("output_cost_per_reasoning_token", Bucket::Reasoning),
    ("cache_read_input_token_cost", Bucket::CachedInput),
    ("input_cost_per_token_cache_hit", Bucket::CachedInput),
    ("cache_creation_input_token_cost", Bucket::CacheWrite),
    ("cache_creation_input_token_cost_above_1hr", Bucket::CacheWrite1h),
    ("cache_creation_input_token_cost_above_12hr", Bucket::CacheWrite12h),
    ("input_cost_per_audio_token", Bucket::AudioInput),
    ("output_cost_per_audio_token", Bucket::AudioOutput),
    ("cache_read_input_audio_token_cost", Bucket::CachedAudioInput),
    ("input_cost_per_image_token", Bucket::ImageInput),
    ("output_cost_per_image_token", Bucket::ImageOutput),
    ("cache_read_input_image_token_cost", Bucket::CachedImageInput),
];

const RESOLUTIONS: [&str; 4] = ["480p", "720p", "1080p", "4k"];

pub(super) fn read(key: &str, mode: &str) -> Key {
    match key {
        "search_context_cost_per_query" => return Key::Search,
        "file_search_cost_per_1k_calls" => return Key::Tool(Meter::FileSearch, Scale::SAME),
        "code_interpreter_cost_per_session" => return Key::Tool(Meter::CodeInterpreter, Scale::SAME),
        "file_search_cost_per_gb_per_day" | "vector_store_cost_per_gb_per_day" => {
            return Key::Tool(Meter::StorageGbDays, Scale::SAME);
        }
        "tiered_pricing" => return Key::Whole("`tiered_pricing`: the book cannot represent rates by steps"),
        "off_peak_pricing" => return Key::Unsupported("the hours depend on the day of the week"),
        "provider_specific_entry" => return Key::Unsupported("the value is a factor on other rates"),
        "search_free_requests" => {
            return Key::Unsupported("a free allowance depends on the other calls of the month");
        }
        _ if key.starts_with("regional_processing_uplift_multiplier") => return Key::Regional,
        _ => {}
    }
    let is_price = ["cost", "price", "pricing"].iter().any(|word| key.contains(word));
    if !is_price || key.starts_with("supports_") {
        return Key::Other;
    }
    let (mut base, mut tier, mut over) = (key, Tier::Standard, None);
    // Some maps write the tier before the threshold, others after it.
    for _ in 0..2 {
        let end = TIERS.iter().find_map(|(end, tier)| Some((base.strip_suffix(end)?, *tier)));
        if let Some((rest, found)) = end {
            (base, tier) = (rest, found);
        }
        if let Some((rest, found)) = threshold(base) {
            (base, over) = (rest, Some(found));
        }
    }
    if base.ends_with("_decisions") {
        return Key::Unsupported("the book does not have this tier");
    }
    let place = |meter, scale| Key::Rate(Place { tier, over, meter, variant: None, scale });
    if let Some((_, bucket)) = TOKENS.iter().find(|(name, _)| *name == base) {
        return place(Meter::Tokens(*bucket), Scale::MILLION);
    }
    match (base, mode) {
        ("output_cost_per_image", _) | ("input_cost_per_image", "image_generation") => {
            place(Meter::Images, Scale::SAME)
        }
        ("input_cost_per_image", _) => Key::Unsupported("the book has no price per image in the prompt"),
        ("output_cost_per_second" | "output_cost_per_video_per_second", "video_generation") => {
            place(Meter::VideoSeconds, Scale::SAME)
        }
        ("input_cost_per_second" | "input_cost_per_audio_per_second" | "output_cost_per_second", _) => {
            place(Meter::AudioSeconds, Scale::PerSecond)
        }
        ("input_cost_per_character", _) => place(Meter::Characters, Scale::MILLION),
        ("input_cost_per_query", _) => place(Meter::SearchUnits, Scale::THOUSAND),
        _ => match base.strip_prefix("output_cost_per_second_") {
            Some(size) if mode == "video_generation" => {
                match RESOLUTIONS.into_iter().find(|known| *known == size) {
                    Some(variant) => {
                        let (meter, scale) = (Meter::VideoSeconds, Scale::SAME);
                        Key::Rate(Place { tier, over, meter, variant: Some(variant), scale })
                    }
                    None => Key::Unsupported("the resolution is unknown"),
                }
            }
            _ => Key::Unsupported("the book has no meter for this price"),
        },
    }
}

/// Splits `…_above_272k_tokens` into the key before it and the number of tokens.
fn threshold(key: &str) -> Option<(&str, u64)> {
    let (base, thousands) = key.strip_suffix("k_tokens")?.rsplit_once("_above_")?;
    let thousands: u64 = thousands.parse().ok()?;
    Some((base, thousands.checked_mul(1000)?))
}

/// Splits `hd/1024-x-1792/dall-e-3` into the variant `hd 1024x1792` and the model.
pub(super) fn size(name: &str) -> Option<(String, &str)> {
    let mut parts: Vec<&str> = name.split('/').collect();
    let model = parts.pop()?;
    let is_size = |part: &&str| {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        part.split_once("-x-").is_some_and(|(width, height)| number(width) && number(height))
    };
    if !parts.iter().any(is_size) {
        return None;
    }
    let words: Vec<String> = parts.iter().map(|part| part.replace("-x-", "x")).collect();
    Some((words.join(" "), model))
}
