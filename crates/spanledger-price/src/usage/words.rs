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
        // Where the price is the ordinary one. Whatever else stands there is handed on.
        const SOMEWHERE: [&str; 2] = ["global", "not_available"];
        let region = text(root, "inference_geo");
        let is_neutral = |region: &str| SOMEWHERE.iter().any(|word| word.eq_ignore_ascii_case(region));
        Self { service_tier: tier(root), region: region.filter(|word| !is_neutral(word)).map(str::to_owned) }
    }
}

/// The tier that is not the ordinary one, if any of the words says such.
fn tier(root: &Part<'_>) -> Option<String> {
    const KEYS: [&str; 5] = ["speed", "trafficType", "traffic_type", "serviceTier", "service_tier"];
    const ORDINARY: [&str; 5] = ["standard", "default", "auto", "on_demand", "standard_only"];
    let mut ordinary = None;
    let mut special: Vec<&str> = Vec::new();
    for word in KEYS.iter().filter_map(|key| text(root, key)) {
        // The SDK's enums print as `TrafficType.ON_DEMAND`.
        let word = word.rsplit('.').next().unwrap_or(word);
        if word.to_ascii_lowercase().ends_with("unspecified") {
            continue;
        }
        if ORDINARY.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            ordinary = ordinary.or(Some(word));
        } else if !special.iter().any(|known| same(known, word)) {
            special.push(word);
        }
    }
    // Two that differ are no tier of any book, which is right: nobody knows which one is billed.
    if special.is_empty() { ordinary.map(str::to_owned) } else { Some(special.join(" and ")) }
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
