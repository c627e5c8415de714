//! The words inside a usage that decide the price: who served the call, how fast and where.
//!
//! Anthropic says `speed`, `service_tier` and `inference_geo`, Google `trafficType` or `serviceTier`,
//! and gateways pass them on in any form. They are handed on as they are: a word that the book does
//! not know makes the call unpriced, and nothing else may.

use super::reader::Part;

/// The words of a usage object.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) service_tier: Option<String>,
    pub(super) region: Option<String>,
}

impl Words {
    pub(super) fn of(root: &Part<'_>) -> Self {
        const TIERS: [&str; 5] = ["speed", "trafficType", "traffic_type", "serviceTier", "service_tier"];
        let tiers = TIERS.iter().filter_map(|key| text(root, key));
        Self {
            service_tier: special(tiers, is_ordinary_tier),
            region: special(text(root, "inference_geo").into_iter(), is_no_region),
        }
    }
}

/// The tier that words from outside and from inside a usage tell together.
///
/// The ordinary word of one does not hide the special one of the other: Anthropic says
/// `service_tier: "standard"` of a call that was served fast.
pub(super) fn tier_of(outside: Option<&str>, inside: Option<&str>) -> Option<String> {
    let words = [outside, inside];
    special(words.into_iter().flatten(), is_ordinary_tier).or_else(|| outside.map(str::to_owned))
}

/// The same for regions.
pub(super) fn region_of(outside: Option<&str>, inside: Option<&str>) -> Option<String> {
    let words = [outside, inside];
    special(words.into_iter().flatten(), is_no_region).or_else(|| outside.map(str::to_owned))
}

fn is_ordinary_tier(word: &str) -> bool {
    const ORDINARY: [&str; 5] = ["standard", "default", "auto", "on_demand", "standard_only"];
    ORDINARY.iter().any(|known| known.eq_ignore_ascii_case(word)) || is_unspecified(word)
}

fn is_no_region(word: &str) -> bool {
    ["global", "not_available"].iter().any(|known| known.eq_ignore_ascii_case(word)) || is_unspecified(word)
}

fn is_unspecified(word: &str) -> bool {
    word.is_empty() || word.to_ascii_lowercase().ends_with("unspecified")
}

/// The word that is not the ordinary one. Two that differ are no word of any book, which is right:
/// nobody knows which one is billed.
fn special<'w>(words: impl Iterator<Item = &'w str>, is_ordinary: fn(&str) -> bool) -> Option<String> {
    let mut special: Vec<&str> = Vec::new();
    for word in words {
        // The SDK's enums print as `TrafficType.ON_DEMAND`.
        let word = word.rsplit('.').next().unwrap_or(word);
        if !is_ordinary(word) && !special.iter().any(|known| same(known, word)) {
            special.push(word);
        }
    }
    (!special.is_empty()).then(|| special.join(" and "))
}

/// Vertex AI says `ON_DEMAND_FLEX` where others say `flex`.
fn same(a: &str, b: &str) -> bool {
    let plain = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.strip_prefix("on_demand_").map_or(word.clone(), str::to_owned)
    };
    plain(a) == plain(b)
}

fn text<'v>(root: &Part<'v>, key: &str) -> Option<&'v str> {
    root.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}
