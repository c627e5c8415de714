//! Reads the tier and the region from a usage object, because both change the price.
//!
//! Anthropic has `speed`, `service_tier` and `inference_geo`, Google has `trafficType` or `serviceTier`, and
//! gateways copy these fields. The words are not translated here. A word that the book does not have makes
//! the call unpriced.

use super::json::Part;

/// The tier that a usage object states.
pub(super) fn service_tier(root: &Part<'_>) -> Option<String> {
    const KEYS: [&str; 5] = ["speed", "trafficType", "traffic_type", "serviceTier", "service_tier"];
    special(KEYS.iter().filter_map(|key| text(root, key)), is_ordinary_tier)
}

/// The region of processing that a usage object states.
pub(super) fn region(root: &Part<'_>) -> Option<String> {
    special(text(root, "inference_geo").into_iter(), is_no_region)
}

/// The tier of a call, from the words outside and inside its usage.
///
/// A special word takes precedence over an ordinary one: Anthropic sends `service_tier: "standard"` for a
/// call that was served in fast mode.
pub(super) fn resolve_tier(outside: Option<&str>, inside: Option<&str>) -> Option<String> {
    special([outside, inside].into_iter().flatten(), is_ordinary_tier).or_else(|| outside.map(str::to_owned))
}

/// The region of a call, from the words outside and inside its usage.
pub(super) fn resolve_region(outside: Option<&str>, inside: Option<&str>) -> Option<String> {
    special([outside, inside].into_iter().flatten(), is_no_region).or_else(|| outside.map(str::to_owned))
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

/// The word that is not ordinary; `None` if all are. Conflicting words are joined into a name that no book
/// has, so that the call is unpriced.
fn special<'w>(words: impl Iterator<Item = &'w str>, is_ordinary: fn(&str) -> bool) -> Option<String> {
    let mut special: Vec<&str> = Vec::new();
    for word in words {
        // Google's SDK prints its enums as `TrafficType.ON_DEMAND`.
        let word = word.rsplit('.').next().unwrap_or(word);
        if !is_ordinary(word) && !special.iter().any(|known| is_same_tier(known, word)) {
            special.push(word);
        }
    }
    (!special.is_empty()).then(|| special.join(" and "))
}

/// Whether two words name the same tier. Vertex AI's word for `flex` is `ON_DEMAND_FLEX`.
fn is_same_tier(a: &str, b: &str) -> bool {
    let plain = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.strip_prefix("on_demand_").map_or(word.clone(), str::to_owned)
    };
    plain(a) == plain(b)
}

fn text<'v>(root: &Part<'v>, key: &str) -> Option<&'v str> {
    root.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}
