//! Anthropic's usage object.
//!
//! `input_tokens` is what was neither read from nor written to a cache; the three together are the
//! prompt. Thinking is part of `output_tokens`. `service_tier` and `inference_geo` are words.
//!
//! `iterations` lists the samplings of a call. The totals are those of the `message` ones; a
//! `compaction`, done by the same model, is billed on top of them, and an `advisor_message` at the
//! rates of another model.

use spanledger_event::NestedUsage;

use super::{
    ParsedUsage, UsageJsonError,
    reader::{Billable, Part, Reader, Result, Unit},
    tokens::{Sides, Tokens, ordinary_writes},
};

/// Fetching a page costs nothing but its tokens; running code is billed by time, which is not told.
pub(super) const BILLABLE: [Billable; 2] = [
    Billable { unit: Unit::WebSearch, places: &[&["server_tool_use", "web_search_requests"]] },
    Billable {
        unit: Unit::Named("code_execution_requests"),
        places: &[&["server_tool_use", "code_execution_requests"]],
    },
];

/// Whether it is in this form beyond doubt.
pub(super) fn is_meant(usage: &Part<'_>) -> bool {
    ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"]
        .iter()
        .any(|key| usage.has(key))
}

pub(super) fn read(mut reader: Reader<'_>) -> Result<ParsedUsage> {
    let root = reader.root;
    reader.billables(&BILLABLE)?;
    reader.skip(&root.part("server_tool_use")?, &["web_fetch_requests"]);
    // A stream tells the output at its end and the input at its beginning.
    if !root.has("input_tokens") || !root.has("output_tokens") {
        return Err(UsageJsonError::NotAUsage(
            "the object lacks input_tokens or output_tokens: those of a stream are in message_start and in \
             message_delta",
        ));
    }
    let mut nested = sampling(&mut reader, &root)?;
    let thinking = root.part("output_tokens_details")?;
    nested.reasoning = reader.count(&thinking, "thinking_tokens")?.unwrap_or_default();
    nested.total = reader.count(&root, "total_tokens")?;
    for iteration in root.items("iterations")? {
        let used = sampling(&mut reader, &iteration)?;
        match iteration.get("type").and_then(serde_json::Value::as_str) {
            Some("message") => {}
            Some("compaction") => add(&mut nested, &used),
            kind => {
                let name =
                    if kind == Some("advisor_message") { "advisor_tokens" } else { "iteration_tokens" };
                reader.bill(Unit::Named(name), used.input.saturating_add(used.output).into());
            }
        }
    }
    let tokens = Tokens { nested, text: Sides::default(), video: Sides::default(), other: Sides::default() };
    reader.finish(Some(&tokens))
}

/// The counts that the whole and each iteration have.
fn sampling(reader: &mut Reader<'_>, part: &Part<'_>) -> Result<NestedUsage> {
    let mut count = |part: &Part<'_>, key| reader.count(part, key);
    let split = part.part("cache_creation")?;
    let short = count(&split, "ephemeral_5m_input_tokens")?;
    let long = count(&split, "ephemeral_1h_input_tokens")?.unwrap_or_default();
    let total = count(part, "cache_creation_input_tokens")?;
    let names = ["cache_creation_input_tokens", "cache_creation.ephemeral_5m_input_tokens"];
    let cache_write = ordinary_writes(names, total, short, long)?;
    let cached = count(part, "cache_read_input_tokens")?.unwrap_or_default();
    let uncached = count(part, "input_tokens")?.unwrap_or_default();
    Ok(NestedUsage {
        input: uncached + cached + cache_write + long,
        cached,
        cache_write,
        cache_write_1h: long,
        output: count(part, "output_tokens")?.unwrap_or_default(),
        ..NestedUsage::default()
    })
}

fn add(sum: &mut NestedUsage, more: &NestedUsage) {
    for (sum, more) in [
        (&mut sum.input, more.input),
        (&mut sum.cached, more.cached),
        (&mut sum.cache_write, more.cache_write),
        (&mut sum.cache_write_1h, more.cache_write_1h),
        (&mut sum.output, more.output),
    ] {
        *sum = sum.saturating_add(more);
    }
}
