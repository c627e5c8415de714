//! Batches: many requests in a file, answered in another file.
//!
//! Source: "Batch" of the API reference: the batch object, "The request input object" and "The request output
//! object". A batch has a usage of zeros until it ends.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Created, Creation, Resource, stores};
use crate::openai::endpoint::Endpoint;
use crate::openai::errors::ApiError;
use crate::openai::format;
use crate::openai::generate::HEX;
use crate::openai::models;
use crate::openai::reply::Setting;
use crate::openai::request::ApiRequest;
use crate::openai::resolved::{BATCH_LINE_SHIFT, ResolvedReply};
use crate::openai::responses::ResponseUsage;
use crate::openai::usage::Usage;

/// A line of the input file.
#[derive(Deserialize)]
struct Line {
    custom_id: String,
    url: String,
    body: Value,
}

/// The results of all lines.
#[derive(Default)]
struct Results {
    output: Vec<u8>,
    errors: Vec<u8>,
    completed: u32,
    failed: u32,
    usage: Usage,
}

/// `POST /v1/batches`. The reply's text, usage and model are those of each request in the batch.
pub(super) fn create(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let fields = creation.fields;
    let input_file_id: String = fields.required("input_file_id")?;
    let endpoint: String = fields.required("endpoint")?;
    fields.required::<String>("completion_window")?;
    let lines = lines(creation).ok_or_else(|| {
        ApiError::invalid_request(format!("There is no file '{input_file_id}'.")).param("input_file_id")
    })?;
    let results = results(creation, &lines);

    let created = creation.created();
    let total = lines.len();
    let mut batch = json!({
        "id": creation.id("batch_"),
        "object": "batch",
        "endpoint": endpoint,
        "model": null,
        "errors": null,
        "input_file_id": input_file_id,
        "completion_window": "24h",
        "status": "validating",
        "output_file_id": null,
        "error_file_id": null,
        "created_at": created,
        "in_progress_at": null,
        "expires_at": created + 86_400,
        "finalizing_at": null,
        "completed_at": null,
        "failed_at": null,
        "expired_at": null,
        "cancelling_at": null,
        "cancelled_at": null,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": fields.value("metadata"),
    });
    if !matches!(creation.reply.usage, Setting::Absent) {
        batch["usage"] = json!(ResponseUsage::new(Usage::default()));
    }
    let model = creation.reply.model.clone().or_else(|| Some(models::snapshot(&model(creation)?).to_owned()));
    let working = json!({
        "model": model,
        "status": "in_progress",
        "in_progress_at": created + 1,
        "request_counts": {"total": total, "completed": 0, "failed": 0},
    });

    let mut stored = Vec::new();
    let mut file = |name: &str, content: Vec<u8>| {
        if content.is_empty() {
            return Value::Null;
        }
        let id = format!("file-{}", creation.ids().string(20, HEX) + name);
        let filename = format!("{}_{name}.jsonl", batch["id"].as_str().unwrap_or_default());
        let file = stores::file_resource(&id, &filename, "batch_output", created, content.into());
        stored.push((format!("/v1/files/{id}"), file));
        json!(id)
    };
    let mut finished = json!({
        "status": "completed",
        "output_file_id": file("output", results.output),
        "error_file_id": file("error", results.errors),
        "finalizing_at": created + 2,
        "completed_at": created + 3,
        "request_counts": {"total": total, "completed": results.completed, "failed": results.failed},
    });
    if !matches!(creation.reply.usage, Setting::Absent) {
        finished["usage"] = json!(ResponseUsage::new(results.usage));
    }
    if let Some((code, message)) = creation.failure() {
        finished = json!({
            "status": "failed",
            "failed_at": created + 3,
            "errors": {"object": "list", "data": [{"code": code, "message": message, "param": null, "line": null}]},
        });
    }
    let path = format!("/v1/batches/{}", batch["id"].as_str().unwrap_or_default());
    let mut answer = Created::stored_at(path, Resource::job(batch, working, finished, creation.reply));
    answer.stored.extend(stored);
    Ok(answer)
}

/// The model of the first request in the input file.
pub(super) fn model(creation: &Creation<'_>) -> Option<String> {
    let lines = lines(creation)?;
    let line: Line = serde_json::from_slice(lines.first()?).ok()?;
    Some(line.body["model"].as_str()?.to_owned())
}

/// The lines of the input file. `None` if there is no such file.
fn lines(creation: &Creation<'_>) -> Option<Vec<Bytes>> {
    let id: String = creation.fields.get("input_file_id")?;
    let content = creation.state.content(&format!("/v1/files/{id}"))?;
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    Some(lines.map(|line| content.slice_ref(line)).collect())
}

fn results(creation: &Creation<'_>, lines: &[Bytes]) -> Results {
    let mut results = Results::default();
    let mut ids = creation.ids();
    for (index, line) in lines.iter().enumerate() {
        let number = creation.number + ((index as u64 + 1) << BATCH_LINE_SHIFT);
        let line: Result<Line, _> = serde_json::from_slice(line);
        let custom_id = line.as_ref().map(|line| line.custom_id.clone()).unwrap_or_default();
        let answer = line
            .map_err(|_| ApiError::invalid_request("The line is not a request."))
            .and_then(|line| answer(creation, number, &line, &mut results.usage));
        let (status, body, file, count) = match answer {
            Ok(body) => (StatusCode::OK, body, &mut results.output, &mut results.completed),
            Err(error) => (error.status(), json!(error.body()), &mut results.errors, &mut results.failed),
        };
        let output = json!({
            "id": format!("batch_req_{}", ids.string(24, HEX)),
            "custom_id": custom_id,
            "response": {
                "status_code": status.as_u16(),
                "request_id": format!("req_{}", ids.string(32, HEX)),
                "body": body,
            },
            "error": null,
        });
        file.extend_from_slice(output.to_string().as_bytes());
        file.push(b'\n');
        *count += 1;
    }
    results
}

/// The answer to one request. Its usage is added to `total`.
fn answer(creation: &Creation<'_>, number: u64, line: &Line, total: &mut Usage) -> Result<Value, ApiError> {
    let path: Vec<&str> =
        line.url.trim_start_matches("/v1").split('/').filter(|part| !part.is_empty()).collect();
    let endpoint = Endpoint::at(&path).ok_or_else(|| ApiError::invalid_request("There is no such URL."))?;
    let body = Bytes::from(line.body.to_string());
    let request = ApiRequest::parse(endpoint, None, &HeaderMap::new(), &body)?;
    let resolved = ResolvedReply::new(creation.state.seed, number, &request, creation.reply);
    if let Some(usage) = resolved.usage {
        total.prompt += usage.prompt;
        total.cached += usage.cached;
        total.cache_write += usage.cache_write;
        total.completion += usage.completion;
        total.reasoning += usage.reasoning;
    }
    let (_, object) = format::whole(&resolved);
    serde_json::from_slice(&object)
        .map_err(|_| ApiError::invalid_request("The URL cannot be used in a batch."))
}
