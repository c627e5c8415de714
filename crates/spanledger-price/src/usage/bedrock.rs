//! The usage object of Bedrock's Converse API: input without what was read from or written to a
//! cache, and a total over all of it.

use serde_json::Value;
use spanledger_event::NestedUsage;

use super::{
    ParsedUsage, UsageJsonError,
    reader::{Part, Reader, Result},
    tokens::{Tokens, ordinary_writes},
};

/// Whether it is in this form beyond doubt.
pub(super) fn is_meant(usage: &Part<'_>) -> bool {
    usage.has("inputTokens") || usage.has("outputTokens")
}

pub(super) fn read(mut reader: Reader<'_>) -> Result<ParsedUsage> {
    let root = reader.root;
    if !(root.has("totalTokens") || root.has("inputTokens")) {
        return Err(UsageJsonError::NotAUsage(
            "the object lacks inputTokens: without them it says half of what is billed",
        ));
    }
    let mut count = |keys: &[&'static str]| reader.named(&root, keys);
    let uncached = count(&["inputTokens"])?.unwrap_or_default();
    let output = count(&["outputTokens"])?.unwrap_or_default();
    let total = count(&["totalTokens"])?;
    let cached = count(&["cacheReadInputTokens", "cacheReadInputTokenCount"])?.unwrap_or_default();
    let written = count(&["cacheWriteInputTokens", "cacheWriteInputTokenCount"])?;
    let (mut short, mut long) = (None, 0_u64);
    for split in root.items("cacheDetails")? {
        let tokens = reader.count(&split, "inputTokens")?.unwrap_or_default();
        match split.get("ttl").and_then(Value::as_str) {
            Some("5m") => short = Some(short.unwrap_or(0_u64).saturating_add(tokens)),
            Some("1h") => long = long.saturating_add(tokens),
            // Left out of both, so that the split does not add up to the whole.
            _ => short = short.or(Some(0)),
        }
    }
    let names = ["cacheWriteInputTokens", "cacheDetails of 5m"];
    let cache_write = ordinary_writes(names, written, short, long)?;
    let nested = NestedUsage {
        input: (uncached + cached).saturating_add(cache_write).saturating_add(long),
        cached,
        cache_write,
        cache_write_1h: long,
        output,
        total,
        ..NestedUsage::default()
    };
    reader.finish(Some(&Tokens { nested, ..Tokens::default() }))
}
