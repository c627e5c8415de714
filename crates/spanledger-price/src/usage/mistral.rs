//! Mistral's usage objects: OpenAI's form with counts of audio seconds, pages of documents, and connectors
//! of agents.

use spanledger_event::Endpoint;

use super::{
    counter::{Billable, Counter, Unit},
    error::Result,
    family::UsageFamily,
    openai,
    parsed::ParsedUsage,
};

/// OpenAI's form with Mistral's fields.
pub(crate) static FAMILY: UsageFamily = UsageFamily { own_form: None, read_openai_form: read };

/// The pages of a document, the tool calls of an agent, and the tokens that these tools add.
pub(super) const BILLABLE: [Billable; 8] = [
    Billable { unit: Unit::Named("pages"), places: &[&["pages_processed"]] },
    Billable { unit: Unit::Named("annotated_pages"), places: &[&["pages_processed_annotation"]] },
    Billable { unit: Unit::Named("connector_tokens"), places: &[&["connector_tokens"]] },
    Billable { unit: Unit::WebSearch, places: &[&["connectors", "web_search"]] },
    Billable { unit: Unit::Named("web_search_premium"), places: &[&["connectors", "web_search_premium"]] },
    Billable { unit: Unit::CodeInterpreter, places: &[&["connectors", "code_interpreter"]] },
    Billable { unit: Unit::Named("image_generation_calls"), places: &[&["connectors", "image_generation"]] },
    Billable { unit: Unit::Named("document_library"), places: &[&["connectors", "document_library"]] },
];

fn read(mut counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let root = counter.root;
    counter.bill_fields(&BILLABLE)?;
    counter.ignore(&root, &["doc_size_bytes"]);
    let mut tokens = openai::tokens(&mut counter, endpoint)?;
    if let Some(tokens) = &mut tokens {
        let sum = tokens.nested.input.saturating_add(tokens.nested.output);
        let connectors = counter.count(&root, "connector_tokens")?.unwrap_or_default();
        let has_output = root.has("completion_tokens") || root.has("output_tokens");
        let total = &mut tokens.nested.total;
        match *total {
            // The total includes the connectors' tokens, which are a separate unit here.
            Some(stated) if connectors > 0 && stated == sum.saturating_add(connectors) => *total = Some(sum),
            // The total includes the tokens of the audio, which is billed by the second.
            Some(stated) if stated > sum && has_output && counter.has_audio_seconds() => *total = None,
            _ => {}
        }
    }
    openai::finish(counter, tokens)
}
