//! Compaction of a conversation, and the count of a request's input tokens.
//!
//! Source: "Compact a response" and "Get input token counts" of the API reference. The compaction does not name
//! a model.

use bytes::Bytes;
use serde_json::json;

use crate::openai::generate::{BASE62, HEX};
use crate::openai::json;
use crate::openai::resolved::ResolvedReply;
use crate::openai::responses::object::ResponseUsage;

/// `POST /v1/responses/compact`.
pub(crate) fn compacted(resolved: &ResolvedReply<'_>) -> Bytes {
    let mut ids = resolved.part_ids();
    let item = json!({
        "id": format!("cmp_{}", ids.string(48, HEX)),
        "type": "compaction",
        "encrypted_content": ids.string(96, BASE62),
    });
    let mut object = json!({
        "id": resolved.id,
        "object": "response.compaction",
        "created_at": resolved.created,
        "output": [item],
    });
    if let Some(usage) = resolved.usage {
        object["usage"] = json!(ResponseUsage::new(usage));
    }
    json::bytes(&object)
}

/// `POST /v1/responses/input_tokens`.
pub(crate) fn input_tokens(resolved: &ResolvedReply<'_>) -> Bytes {
    let tokens = resolved.usage.map_or(0, |usage| usage.prompt);
    json::bytes(&json!({"object": "response.input_tokens", "input_tokens": tokens}))
}
