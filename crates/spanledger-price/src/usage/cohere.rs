//! Cohere's usage object, also the `meta` of its embed and rerank calls.
//!
//! `billed_units` decides: `tokens` also counts what Cohere adds to a prompt and does not bill, and
//! `cached_tokens` is a part of that. Where nobody bills by units (a private deployment) there is only
//! `tokens`.

use spanledger_event::NestedUsage;

use super::{
    ParsedUsage, UsageJsonError,
    reader::{Billable, Part, Reader, Result, Unit},
    tokens::Tokens,
};

/// Searches of a rerank, classified texts, images that were embedded.
pub(super) const BILLABLE: [Billable; 3] = [
    Billable { unit: Unit::Named("search_units"), places: &[&["billed_units", "search_units"]] },
    Billable { unit: Unit::Named("classifications"), places: &[&["billed_units", "classifications"]] },
    Billable { unit: Unit::Named("input_images"), places: &[&["billed_units", "images"]] },
];

/// Whether it is in this form beyond doubt.
pub(super) fn is_meant(usage: &Part<'_>) -> bool {
    usage.has("billed_units") || usage.get("tokens").is_some_and(serde_json::Value::is_object)
}

pub(super) fn read(mut reader: Reader<'_>) -> Result<ParsedUsage> {
    let root = reader.root;
    reader.billables(&BILLABLE)?;
    let (billed, processed) = (root.part("billed_units")?, root.part("tokens")?);
    let is_billed = root.has("billed_units");
    let part = if is_billed { billed } else { processed };
    let input = reader.count(&part, "input_tokens")?;
    let output = reader.count(&part, "output_tokens")?;
    let images = reader.count(&part, "image_tokens")?;
    if output.is_some() && input.is_none() {
        return Err(UsageJsonError::NotAUsage(
            "the object lacks the input tokens: without them it says half of what is billed",
        ));
    }
    let cached = if is_billed { None } else { reader.count(&root, "cached_tokens")? };
    reader.skip(&root, &["tokens", "cached_tokens"]);
    let nested = NestedUsage {
        input: input.unwrap_or_default() + images.unwrap_or_default(),
        cached: cached.unwrap_or_default(),
        image_input: images.unwrap_or_default(),
        output: output.unwrap_or_default(),
        ..NestedUsage::default()
    };
    let tokens = Tokens { nested, ..Tokens::default() };
    reader.finish(input.or(output).or(images).map(|_| &tokens))
}
