//! Cohere's usage object, and the `meta` of its embed and rerank calls.
//!
//! `billed_units` is billed. `tokens` also counts tokens that Cohere adds to a prompt and does not bill, and
//! `cached_tokens` is a part of `tokens`. A private deployment is not billed by units and has only `tokens`.

use spanledger_event::{NestedUsage, Unstated};

use super::{
    counter::{Billable, Counter, Unit},
    error::{Result, UsageReadError},
    family::{OwnForm, UsageFamily},
    json::Part,
    openai,
    parsed::ParsedUsage,
    tokens::Tokens,
};

/// Cohere's own form, and OpenAI's form as gateways write it.
pub(crate) static FAMILY: UsageFamily = UsageFamily {
    own_form: Some(OwnForm {
        matches,
        read,
        // Cached tokens are not billed separately, and written ones do not exist. The form has no count of
        // hidden output.
        unstated_if_absent: Unstated { reasoning: true, ..Unstated::NONE },
    }),
    read_openai_form: openai::read,
};

/// The searches of a rerank call, classified texts, and embedded images.
pub(super) const BILLABLE: [Billable; 3] = [
    Billable { unit: Unit::Named("search_units"), places: &[&["billed_units", "search_units"]] },
    Billable { unit: Unit::Named("classifications"), places: &[&["billed_units", "classifications"]] },
    Billable { unit: Unit::Named("input_images"), places: &[&["billed_units", "images"]] },
];

fn matches(usage: &Part<'_>, _is_own: bool) -> bool {
    usage.has("billed_units") || usage.get("tokens").is_some_and(serde_json::Value::is_object)
}

fn read(mut counter: Counter<'_>) -> Result<ParsedUsage> {
    let root = counter.root;
    counter.bill_fields(&BILLABLE)?;
    let (billed, processed) = (root.part("billed_units")?, root.part("tokens")?);
    let is_billed = root.has("billed_units");
    let part = if is_billed { billed } else { processed };
    let input = counter.count(&part, "input_tokens")?;
    let output = counter.count(&part, "output_tokens")?;
    let images = counter.count(&part, "image_tokens")?;
    if output.is_some() && input.is_none() {
        return Err(UsageReadError::NotAUsage(
            "the object lacks the input tokens: without them the input would cost nothing",
        ));
    }
    let cached = if is_billed { None } else { counter.count(&root, "cached_tokens")? };
    counter.ignore(&root, &["tokens", "cached_tokens"]);
    let nested = NestedUsage {
        input: input.unwrap_or_default() + images.unwrap_or_default(),
        cached: cached.unwrap_or_default(),
        image_input: images.unwrap_or_default(),
        output: output.unwrap_or_default(),
        // Embedding and ranking have no output, and so no hidden one.
        unstated: Unstated { reasoning: output.is_some(), ..Unstated::NONE },
        ..NestedUsage::default()
    };
    let tokens = Tokens { nested, ..Tokens::default() };
    counter.finish(input.or(output).or(images).map(|_| &tokens))
}
