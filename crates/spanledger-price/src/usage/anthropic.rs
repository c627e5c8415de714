//! Anthropic's usage object.
//!
//! `input_tokens` is the input that was neither read from nor written to a cache. The prompt is the sum of
//! these tokens, the cached ones and the written ones. Thinking is part of `output_tokens`.
//!
//! `iterations` lists the samplings of a call. The totals of the object include only the iterations of type
//! `message`. A `compaction` by the same model is billed in addition. An `advisor_message` is billed at the
//! rates of another model, which the object does not name, so it becomes a unit without a rate.

use spanledger_event::{NestedUsage, Unstated};

use super::{
    counter::{Billable, Counter, Unit},
    error::{Result, UsageReadError},
    family::{OwnForm, UsageFamily},
    json::Part,
    openai,
    parsed::ParsedUsage,
    tokens::{Sides, Tokens, ordinary_writes},
};

/// Anthropic's own form, and OpenAI's form as gateways write it.
pub(crate) static FAMILY: UsageFamily = UsageFamily {
    own_form: Some(OwnForm {
        matches,
        read,
        // The counts of the cache are null or absent if the call did not use one (API reference, *Usage*).
        // Thinking is part of the output, and only some answers count it separately.
        unstated_if_absent: Unstated { reasoning: true, ..Unstated::NONE },
    }),
    read_openai_form: openai::read,
};

/// Web searches and code executions. Code execution is billed by time, which the usage does not state, so
/// that a call with it has no price. Fetching a page costs only its tokens.
pub(super) const BILLABLE: [Billable; 2] = [
    Billable { unit: Unit::WebSearch, places: &[&["server_tool_use", "web_search_requests"]] },
    Billable {
        unit: Unit::Named("code_execution_requests"),
        places: &[&["server_tool_use", "code_execution_requests"]],
    },
];

/// Whether a usage is in Anthropic's form. Its input and output have the same names as in OpenAI's Responses
/// API, so other keys decide.
fn matches(usage: &Part<'_>, is_own: bool) -> bool {
    const OWN_KEYS: [&str; 3] = ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"];
    !openai::matches(usage) && (is_own || OWN_KEYS.iter().any(|key| usage.has(key)))
}

fn read(mut counter: Counter<'_>) -> Result<ParsedUsage> {
    let root = counter.root;
    counter.bill_fields(&BILLABLE)?;
    counter.ignore(&root.part("server_tool_use")?, &["web_fetch_requests"]);
    // A stream states the input at its start and the output at its end, so one of them may be missing.
    if !root.has("input_tokens") || !root.has("output_tokens") {
        return Err(UsageReadError::NotAUsage(
            "the object lacks input_tokens or output_tokens: those of a stream are in message_start and in \
             message_delta",
        ));
    }
    let mut nested = sampling(&mut counter, &root)?;
    let thinking = root.part("output_tokens_details")?;
    let thinking = counter.count(&thinking, "thinking_tokens")?;
    nested.reasoning = thinking.unwrap_or_default();
    nested.unstated.reasoning = thinking.is_none();
    nested.total = counter.count(&root, "total_tokens")?;
    for iteration in root.items("iterations")? {
        let used = sampling(&mut counter, &iteration)?;
        match iteration.get("type").and_then(serde_json::Value::as_str) {
            Some("message") => {}
            Some("compaction") => add(&mut nested, &used),
            kind => {
                let name =
                    if kind == Some("advisor_message") { "advisor_tokens" } else { "iteration_tokens" };
                counter.bill(Unit::Named(name), used.input.saturating_add(used.output).into());
            }
        }
    }
    let tokens = Tokens { nested, text: Sides::default(), video: Sides::default(), other: Sides::default() };
    counter.finish(Some(&tokens))
}

/// Reads the counts that both the whole usage and each iteration have.
fn sampling(counter: &mut Counter<'_>, part: &Part<'_>) -> Result<NestedUsage> {
    let mut count = |part: &Part<'_>, key| counter.count(part, key);
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
