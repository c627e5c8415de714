//! xAI's usage objects: OpenAI's two forms, and the form of xAI's own protocol.
//!
//! In chat and in xAI's own protocol, `completion_tokens` does not include the hidden output. In Responses,
//! `output_tokens` includes it. The total decides. `text_tokens` includes cached tokens.

use spanledger_event::Endpoint;

use super::{
    counter::{Billable, Counter, Unit},
    error::Result,
    family::UsageFamily,
    openai,
    parsed::ParsedUsage,
};

/// OpenAI's form with xAI's fields, and xAI's own, which extends it.
pub(crate) static FAMILY: UsageFamily = UsageFamily { own_form: None, read_openai_form: read };

/// Calls of tools that xAI runs, in addition to those of [OpenAI's form](openai::BILLABLE).
pub(super) const BILLABLE: [Billable; 5] = [
    Billable {
        unit: Unit::Named("x_search_calls"),
        places: &[&["server_side_tool_usage_details", "x_search_calls"]],
    },
    Billable {
        unit: Unit::Named("x_posts_fetched"),
        places: &[&["server_side_tool_usage_details", "x_posts_fetched"]],
    },
    Billable {
        unit: Unit::Named("x_users_fetched"),
        places: &[&["server_side_tool_usage_details", "x_users_fetched"]],
    },
    Billable {
        unit: Unit::Named("document_search_calls"),
        places: &[&["server_side_tool_usage_details", "document_search_calls"]],
    },
    Billable {
        unit: Unit::Named("image_generation_calls"),
        places: &[&["server_side_tool_usage_details", "image_generation_calls"]],
    },
];

fn read(mut counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let root = counter.root;
    counter.bill_fields(&BILLABLE)?;
    // These fields are sums and costs of other fields. Calls to the user's own MCP server cost nothing.
    counter.ignore(&root, &["num_server_side_tools_used", "cost_in_usd_ticks", "context_details"]);
    counter.ignore(&root.part("server_side_tool_usage_details")?, &["mcp_calls"]);
    let mut tokens = openai::tokens(&mut counter, endpoint)?;
    let is_reasoning_separate = root.has("reasoning_tokens");
    let mut count = |key| Ok(counter.count(&root, key)?.unwrap_or_default());
    let (separate, text, image) =
        (count("reasoning_tokens")?, count("prompt_text_tokens")?, count("prompt_image_tokens")?);
    if let Some(tokens) = &mut tokens {
        tokens.nested.reasoning = openai::same_reasoning(tokens.nested.reasoning, separate)?;
        tokens.nested.unstated.reasoning &= !is_reasoning_separate;
        // Chat has these counts in its details, and xAI's own protocol has them here. No object has both.
        tokens.text.input = tokens.text.input.max(text);
        tokens.nested.image_input = tokens.nested.image_input.max(image);
        tokens.add_hidden_output(root.has("completion_tokens"));
    }
    counter.finish(tokens.as_ref())
}
