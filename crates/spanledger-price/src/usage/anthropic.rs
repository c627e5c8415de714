//! Anthropic's usage object.
//!
//! `input_tokens` is the input that was neither read from nor written to a cache; the three together
//! are the prompt. Thinking is part of `output_tokens`.
//!
//! `iterations` lists the samplings of a call. The totals are those of the iterations of type `message`;
//! a `compaction` by the same model is billed in addition, and an `advisor_message` at the rates of
//! another model, which are not known here.

use spanledger_event::NestedUsage;

use super::{
    counter::{Billable, Counter, Unit},
    error::{Result, UsageReadError},
    family::{OwnForm, UsageFamily},
    json::Part,
    openai,
    parsed::ParsedUsage,
    tokens::{Sides, Tokens, ordinary_writes},
};

/// Anthropic's own form, and OpenAI's as gateways write it.
pub(crate) static FAMILY: UsageFamily =
    UsageFamily { own_form: Some(OwnForm { matches, read }), read_openai_form: openai::read };

/// Fetching a page costs only its tokens. Running code is billed by time, which the usage does not state,
/// so that a call that did has no price.
pub(super) const BILLABLE: [Billable; 2] = [
    Billable { unit: Unit::WebSearch, places: &[&["server_tool_use", "web_search_requests"]] },
    Billable {
        unit: Unit::Named("code_execution_requests"),
        places: &[&["server_tool_use", "code_execution_requests"]],
    },
];

/// Its plain counts have the names of OpenAI's Responses API, so that they prove nothing.
fn matches(usage: &Part<'_>, is_own: bool) -> bool {
    const OWN_KEYS: [&str; 3] = ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"];
    !openai::matches(usage) && (is_own || OWN_KEYS.iter().any(|key| usage.has(key)))
}

fn read(mut counter: Counter<'_>) -> Result<ParsedUsage> {
    let root = counter.root;
    counter.bill_fields(&BILLABLE)?;
    counter.ignore(&root.part("server_tool_use")?, &["web_fetch_requests"]);
    // A stream states the input at its beginning and the output at its end.
    if !root.has("input_tokens") || !root.has("output_tokens") {
        return Err(UsageReadError::NotAUsage(
            "the object lacks input_tokens or output_tokens: those of a stream are in message_start and in \
             message_delta",
        ));
    }
    let mut nested = sampling(&mut counter, &root)?;
    let thinking = root.part("output_tokens_details")?;
    nested.reasoning = counter.count(&thinking, "thinking_tokens")?.unwrap_or_default();
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

/// The counts that the whole and each iteration have.
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
