//! Groq's usage object: OpenAI's form with additional processing times, which are not billed.

use spanledger_event::Endpoint;

use super::{counter::Counter, error::Result, family::UsageFamily, openai, parsed::ParsedUsage};

/// OpenAI's form with Groq's fields.
pub(crate) static FAMILY: UsageFamily = UsageFamily { own_form: None, read_openai_form: read };

fn read(mut counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let root = counter.root;
    counter.ignore(&root, &["queue_time", "prompt_time", "completion_time", "total_time"]);
    openai::read(counter, endpoint)
}
