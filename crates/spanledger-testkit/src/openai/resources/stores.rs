//! Files, containers, vector stores and conversations.
//!
//! Source: the sections of these names in the API reference.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Created, Creation, Resource, list};
use crate::openai::errors::ApiError;
use crate::openai::generate::HEX;
use crate::openai::json;

/// `POST /v1/files`.
pub(super) fn file(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let purpose: String = creation.fields.required("purpose")?;
    let file = creation.fields.file("file").ok_or_else(|| ApiError::missing("file"))?;
    let id = creation.id("file-");
    let resource = file_resource(&id, &file.filename, &purpose, creation.created(), file.bytes.clone());
    Ok(Created::stored_at(format!("/v1/files/{id}"), resource))
}

/// A stored file.
pub(super) fn file_resource(
    id: &str,
    filename: &str,
    purpose: &str,
    created: u64,
    content: Bytes,
) -> Resource {
    let object = json!({
        "id": id,
        "object": "file",
        "bytes": content.len(),
        "created_at": created,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
    });
    Resource { content, ..Resource::fixed(json::bytes(&object)) }
}

/// `POST /v1/containers`.
pub(super) fn container(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let name: String = creation.fields.required("name")?;
    let id = creation.id("cntr_");
    let object = json!({
        "id": id,
        "object": "container",
        "created_at": creation.created(),
        "name": name,
        "status": "running",
        "last_active_at": creation.created(),
        "expires_after": {"anchor": "last_active_at", "minutes": 20},
        "memory_limit": creation.fields.get::<String>("memory_limit").unwrap_or_else(|| "1g".to_owned()),
    });
    Ok(Created::stored_at(format!("/v1/containers/{id}"), Resource::fixed(json::bytes(&object))))
}

/// `POST /v1/containers/{id}/files`.
pub(super) fn container_file(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let file = creation.fields.file("file").ok_or_else(|| ApiError::missing("file"))?;
    let container_id = creation.path.get(1).copied().unwrap_or_default();
    let id = creation.id("cfile_");
    let object = json!({
        "id": id,
        "object": "container.file",
        "container_id": container_id,
        "created_at": creation.created(),
        "bytes": file.bytes.len(),
        "path": format!("/mnt/data/{}", file.filename),
        "source": "user",
    });
    let resource = Resource { content: file.bytes.clone(), ..Resource::fixed(json::bytes(&object)) };
    Ok(Created::stored_at(format!("/v1/containers/{container_id}/files/{id}"), resource))
}

/// `POST /v1/vector_stores`.
pub(super) fn vector_store(creation: &Creation<'_>) -> Created {
    let fields = creation.fields;
    let files = fields.value("file_ids").as_array().map_or(0, Vec::len);
    let id = creation.id("vs_");
    let object = json!({
        "id": id,
        "object": "vector_store",
        "created_at": creation.created(),
        "name": fields.value("name"),
        "usage_bytes": 0,
        "file_counts": {"in_progress": 0, "completed": files, "failed": 0, "cancelled": 0, "total": files},
        "status": "completed",
        "expires_after": fields.value("expires_after"),
        "expires_at": null,
        "last_active_at": creation.created(),
        "metadata": fields.value("metadata"),
    });
    Created::stored_at(format!("/v1/vector_stores/{id}"), Resource::fixed(json::bytes(&object)))
}

/// `POST /v1/vector_stores/{id}/files`.
pub(super) fn vector_store_file(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let id: String = creation.fields.required("file_id")?;
    let store = creation.path.get(1).copied().unwrap_or_default();
    let object = json!({
        "id": id,
        "object": "vector_store.file",
        "created_at": creation.created(),
        "usage_bytes": 1_234,
        "vector_store_id": store,
        "status": "completed",
        "last_error": null,
        "chunking_strategy": {
            "type": "static",
            "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
        "attributes": creation.fields.get::<Value>("attributes").unwrap_or_else(|| json!({})),
    });
    let path = format!("/v1/vector_stores/{store}/files/{id}");
    Ok(Created::stored_at(path, Resource::fixed(json::bytes(&object))))
}

/// `POST /v1/vector_stores/{id}/file_batches`.
pub(super) fn vector_store_file_batch(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let files: Vec<String> = creation.fields.required("file_ids")?;
    let store = creation.path.get(1).copied().unwrap_or_default();
    let id = creation.id("vsfb_");
    let total = files.len();
    let object = json!({
        "id": id,
        "object": "vector_store.files_batch",
        "created_at": creation.created(),
        "vector_store_id": store,
        "status": "completed",
        "file_counts": {"in_progress": 0, "completed": total, "failed": 0, "cancelled": 0, "total": total},
    });
    let path = format!("/v1/vector_stores/{store}/file_batches/{id}");
    Ok(Created::stored_at(path, Resource::fixed(json::bytes(&object))))
}

/// `POST /v1/conversations`.
pub(super) fn conversation(creation: &Creation<'_>) -> Created {
    let id = creation.id("conv_");
    let object = json!({
        "id": id,
        "object": "conversation",
        "created_at": creation.created(),
        "metadata": creation.fields.get::<Value>("metadata").unwrap_or_else(|| json!({})),
    });
    Created::stored_at(format!("/v1/conversations/{id}"), Resource::fixed(json::bytes(&object)))
}

/// `POST /v1/conversations/{id}/items`.
pub(super) fn conversation_items(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let items: Vec<Value> = creation.fields.required("items")?;
    let conversation = creation.path.get(1).copied().unwrap_or_default();
    let mut ids = creation.ids();
    let mut stored = Vec::new();
    for mut item in items {
        let id = format!("msg_{}", ids.string(48, HEX));
        item["id"] = json!(id);
        item["status"] = json!("completed");
        if item["type"].is_null() {
            item["type"] = json!("message");
        }
        if let Some(text) = item["content"].as_str() {
            item["content"] = json!([{"type": "input_text", "text": text}]);
        }
        let path = format!("/v1/conversations/{conversation}/items/{id}");
        stored.push((path, Resource::fixed(json::bytes(&item))));
    }
    let objects: Vec<Bytes> = stored.iter().map(|(_, item)| item.object.clone()).collect();
    Ok(Created { stored, ..Created::answer(list(&objects)) })
}
