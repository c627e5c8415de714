//! The usage object of Bedrock's Converse API. Its input excludes tokens that were read from or written to
//! a cache; its total includes them.

use serde_json::Value;
use spanledger_event::{NestedUsage, Unstated};

use super::{
    counter::Counter,
    error::{Result, UsageReadError},
    family::{OwnForm, UsageFamily},
    json::Part,
    openai,
    parsed::ParsedUsage,
    tokens::{Tokens, ordinary_writes},
};

/// Bedrock's own form, and OpenAI's form as gateways write it.
pub(crate) static FAMILY: UsageFamily = UsageFamily {
    own_form: Some(OwnForm {
        matches,
        read,
        // The counts of the cache are optional, and there only if the call used one (API reference,
        // *TokenUsage*). The form has no count of hidden output.
        unstated_if_absent: Unstated { reasoning: true, ..Unstated::NONE },
    }),
    read_openai_form: openai::read,
};

fn matches(usage: &Part<'_>, is_own: bool) -> bool {
    is_own && !openai::matches(usage) && (usage.has("inputTokens") || usage.has("outputTokens"))
}

fn read(mut counter: Counter<'_>) -> Result<ParsedUsage> {
    let root = counter.root;
    if !(root.has("totalTokens") || root.has("inputTokens")) {
        return Err(UsageReadError::NotAUsage(
            "the object lacks inputTokens: without them the input would cost nothing",
        ));
    }
    let mut count = |keys: &[&'static str]| counter.named(&root, keys);
    let uncached = count(&["inputTokens"])?.unwrap_or_default();
    let output = count(&["outputTokens"])?.unwrap_or_default();
    let total = count(&["totalTokens"])?;
    let cached = count(&["cacheReadInputTokens", "cacheReadInputTokenCount"])?.unwrap_or_default();
    let written = count(&["cacheWriteInputTokens", "cacheWriteInputTokenCount"])?;
    let (mut short, mut long) = (None, 0_u64);
    for split in root.items("cacheDetails")? {
        let tokens = counter.count(&split, "inputTokens")?.unwrap_or_default();
        match split.get("ttl").and_then(Value::as_str) {
            Some("5m") => short = Some(short.unwrap_or(0_u64).saturating_add(tokens)),
            Some("1h") => long = long.saturating_add(tokens),
            // Tokens of an unknown lifetime are counted nowhere. The split then does not add up to the total,
            // and `ordinary_writes` refuses the usage.
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
        unstated: Unstated { reasoning: true, ..Unstated::NONE },
        ..NestedUsage::default()
    };
    counter.finish(Some(&Tokens { nested, ..Tokens::default() }))
}
