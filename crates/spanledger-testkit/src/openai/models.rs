//! The models that the provider knows.
//!
//! Source: "Models" of the API reference (`object` is `model`), and the model
//! pages for what an undated name resolves to.

use bytes::Bytes;
use serde::Serialize;

use crate::openai::errors::ApiError;
use crate::openai::json;

/// Undated names, each with the dated snapshot that a response names. For a name that
/// is not in this list, the response has the requested name.
const SNAPSHOTS: [(&str, &str); 30] = [
    ("gpt-5.5", "gpt-5.5-2026-04-23"),
    ("gpt-5.5-pro", "gpt-5.5-pro-2026-04-23"),
    ("gpt-5.4", "gpt-5.4-2026-03-05"),
    ("gpt-5.4-pro", "gpt-5.4-pro-2026-03-05"),
    ("gpt-5.4-mini", "gpt-5.4-mini-2026-03-17"),
    ("gpt-5.4-nano", "gpt-5.4-nano-2026-03-17"),
    ("gpt-5.2", "gpt-5.2-2025-12-11"),
    ("gpt-5.2-pro", "gpt-5.2-pro-2025-12-11"),
    ("gpt-5.1", "gpt-5.1-2025-11-13"),
    ("gpt-5", "gpt-5-2025-08-07"),
    ("gpt-5-pro", "gpt-5-pro-2025-10-06"),
    ("gpt-5-mini", "gpt-5-mini-2025-08-07"),
    ("gpt-5-nano", "gpt-5-nano-2025-08-07"),
    ("gpt-4.1", "gpt-4.1-2025-04-14"),
    ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"),
    ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-audio-preview", "gpt-4o-audio-preview-2024-12-17"),
    ("gpt-4-turbo", "gpt-4-turbo-2024-04-09"),
    ("gpt-4", "gpt-4-0613"),
    ("gpt-audio", "gpt-audio-2025-08-28"),
    ("o1", "o1-2024-12-17"),
    ("o3", "o3-2025-04-16"),
    ("o3-mini", "o3-mini-2025-01-31"),
    ("o3-pro", "o3-pro-2025-06-10"),
    ("o4-mini", "o4-mini-2025-04-16"),
    ("gpt-5.6", "gpt-5.6-sol"),
    ("text-embedding-ada-002", "text-embedding-ada-002-v2"),
    ("omni-moderation-latest", "omni-moderation-2024-09-26"),
];

/// Models whose response has the requested name.
const UNDATED: [&str; 5] =
    ["gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "text-embedding-3-small", "text-embedding-3-large"];

/// The creation time of every listed model. The real times differ, but clients do
/// not use them.
const CREATED: u64 = 1_715_367_049;

/// The name of the model in a response to a request for `model`.
pub(crate) fn snapshot(model: &str) -> &str {
    SNAPSHOTS.iter().find(|(name, _)| *name == model).map_or(model, |(_, snapshot)| snapshot)
}

/// Whether the model spends hidden reasoning tokens.
pub(crate) fn is_reasoning_model(model: &str) -> bool {
    let families = ["gpt-5", "gpt-6", "o1", "o3", "o4"];
    families.iter().any(|family| model.starts_with(family))
}

/// Whether the model makes images and reports tokens for them; the others are billed per image.
pub(crate) fn is_gpt_image(model: &str) -> bool {
    !model.starts_with("dall-e")
}

/// `GET /v1/models`.
pub(crate) fn list() -> Bytes {
    let data: Vec<_> = names().map(Model::new).collect();
    json::bytes(&List { object: "list", data })
}

/// `GET /v1/models/{id}`.
pub(crate) fn get(id: &str) -> Result<Bytes, ApiError> {
    names().find(|name| *name == id).map(|name| json::bytes(&Model::new(name))).ok_or_else(|| {
        ApiError::new(404, "invalid_request_error", format!("There is no model '{id}'."))
            .param("model")
            .code("model_not_found")
    })
}

fn names() -> impl Iterator<Item = &'static str> {
    let dated = SNAPSHOTS.iter().filter(|(_, snapshot)| !UNDATED.contains(snapshot));
    SNAPSHOTS.iter().map(|(name, _)| *name).chain(dated.map(|(_, snapshot)| *snapshot)).chain(UNDATED)
}

#[derive(Debug, Serialize)]
struct List {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Debug, Serialize)]
struct Model {
    id: &'static str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

impl Model {
    const fn new(id: &'static str) -> Self {
        Self { id, object: "model", created: CREATED, owned_by: "system" }
    }
}
