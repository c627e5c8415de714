//! Groq's usage object: OpenAI's form with the times of processing, which nobody bills.

use spanledger_event::Endpoint;

use super::{
    ParsedUsage, openai,
    reader::{Reader, Result},
};

pub(super) fn read(mut reader: Reader<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let root = reader.root;
    reader.skip(&root, &["queue_time", "prompt_time", "completion_time", "total_time"]);
    openai::read(reader, endpoint)
}
