//! Fine-tuning jobs, evaluations and their runs, videos.
//!
//! Source: "Fine-tuning", "Evals" and "Videos" of the API reference.

use serde_json::{Value, json};

use super::{Created, Creation, Resource};
use crate::openai::errors::ApiError;
use crate::openai::models;
use crate::openai::reply::Setting;
use crate::openai::usage::Usage;

/// The trained tokens of a fine-tuning job whose reply sets no usage.
const TRAINED_TOKENS: u64 = 12_000;

/// `POST /v1/fine_tuning/jobs`. The prompt tokens of the reply's usage are the trained tokens.
pub(super) fn fine_tuning(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let fields = creation.fields;
    let model: String = fields.required("model")?;
    let training_file: String = fields.required("training_file")?;
    let id = creation.id("ftjob-");
    let created = creation.created();
    let hyperparameters = json!({"batch_size": 1, "learning_rate_multiplier": 2.0, "n_epochs": 3});
    let snapshot = models::snapshot(&model);
    let job = json!({
        "id": id,
        "object": "fine_tuning.job",
        "created_at": created,
        "error": null,
        "fine_tuned_model": null,
        "finished_at": null,
        "hyperparameters": hyperparameters,
        "model": snapshot,
        "organization_id": creation.state.organization.to_str().unwrap_or_default(),
        "result_files": [],
        "status": "validating_files",
        "trained_tokens": null,
        "training_file": training_file,
        "validation_file": fields.value("validation_file"),
        "integrations": [],
        "seed": 0,
        "estimated_finish": null,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "metadata": fields.value("metadata"),
    });
    let trained_tokens = match creation.reply.usage {
        Setting::Generated => Some(TRAINED_TOKENS),
        Setting::Is(usage) => Some(usage.prompt),
        Setting::Absent => None,
    };
    let finished = match creation.failure() {
        Some((code, message)) => json!({
            "status": "failed",
            "finished_at": created + 2,
            "error": {"code": code, "message": message, "param": null},
        }),
        None => json!({
            "status": "succeeded",
            "finished_at": created + 2,
            "fine_tuned_model": format!("ft:{snapshot}:testkit::{}", &id[id.len().saturating_sub(8)..]),
            "trained_tokens": trained_tokens,
        }),
    };
    let resource = Resource::job(job, json!({"status": "running"}), finished, creation.reply);
    Ok(Created::stored_at(format!("/v1/fine_tuning/jobs/{id}"), resource))
}

/// `POST /v1/evals`. Only its runs are billed.
pub(super) fn eval(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let fields = creation.fields;
    let source: Value = fields.required("data_source_config")?;
    let testing_criteria: Value = fields.required("testing_criteria")?;
    let id = creation.id("eval_");
    let eval = json!({
        "object": "eval",
        "id": id,
        "name": fields.get::<String>("name").unwrap_or_default(),
        "data_source_config": {
            "type": source["type"],
            "schema": {"type": "object", "properties": {"item": source["item_schema"]}, "required": ["item"]},
        },
        "testing_criteria": testing_criteria,
        "created_at": creation.created(),
        "metadata": fields.value("metadata"),
    });
    let resource = Resource::job(eval.clone(), json!({}), json!({}), creation.reply);
    Ok(Created::stored_at(format!("/v1/evals/{id}"), resource))
}

/// `POST /v1/evals/{eval_id}/runs`. The reply's usage is that of its only model.
pub(super) fn eval_run(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let fields = creation.fields;
    let data_source: Value = fields.required("data_source")?;
    let eval_id = creation.path.get(1).copied().unwrap_or_default();
    let id = creation.id("evalrun_");
    let model = data_source["model"].as_str();
    let run = json!({
        "object": "eval.run",
        "id": id,
        "eval_id": eval_id,
        "status": "queued",
        "model": model,
        "name": fields.value("name"),
        "created_at": creation.created(),
        "report_url": format!("https://evals.invalid/{eval_id}/{id}"),
        "result_counts": {"total": 0, "errored": 0, "failed": 0, "passed": 0},
        "per_model_usage": null,
        "per_testing_criteria_results": null,
        "data_source": data_source,
        "metadata": fields.value("metadata"),
        "error": null,
    });
    let usage = match creation.reply.usage {
        Setting::Generated => Some(Usage::new(900, 60)),
        Setting::Is(usage) => Some(usage),
        Setting::Absent => None,
    };
    let usage = usage.map(|usage| {
        json!([{
            "model_name": models::snapshot(model.unwrap_or("gpt-4.1-mini")),
            "invocation_count": 3,
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total(),
            "cached_tokens": usage.cached,
        }])
    });
    let finished = match creation.failure() {
        Some((code, message)) => {
            json!({"status": "failed", "error": {"code": code, "message": message}})
        }
        None => json!({
            "status": "completed",
            "result_counts": {"total": 3, "errored": 0, "failed": 0, "passed": 3},
            "per_model_usage": usage,
        }),
    };
    let resource = Resource::job(run, json!({"status": "in_progress"}), finished, creation.reply);
    Ok(Created::stored_at(format!("/v1/evals/{eval_id}/runs/{id}"), resource))
}

/// `POST /v1/videos`, and what changes a video: a remix, an edit, an extension.
pub(super) fn video(creation: &Creation<'_>) -> Result<Created, ApiError> {
    let fields = creation.fields;
    fields.required::<String>("prompt")?;
    let source_id = match creation.path {
        ["videos", id, "remix"] => Some((*id).to_owned()),
        _ => fields.get("video[id]").or_else(|| fields.value("video")["id"].as_str().map(str::to_owned)),
    };
    let source = source_id.as_ref().and_then(|id| creation.state.peek(&format!("/v1/videos/{id}")));
    let source: Value = source.and_then(|object| serde_json::from_slice(&object).ok()).unwrap_or_default();
    let field = |name: &str, default: &str| match fields.get::<String>(name) {
        Some(value) => json!(value),
        None if source[name].is_string() => source[name].clone(),
        None => json!(default),
    };
    let id = creation.id("video_");
    let created = creation.created();
    let video = json!({
        "id": id,
        "object": "video",
        "created_at": created,
        "completed_at": null,
        "expires_at": null,
        "error": null,
        "model": creation.reply.model.as_ref().map_or_else(|| field("model", "sora-2"), |model| json!(model)),
        "progress": 0,
        "prompt": fields.value("prompt"),
        "remixed_from_video_id": matches!(creation.path, [_, _, "remix"]).then_some(source_id),
        "seconds": field("seconds", "4"),
        "size": field("size", "720x1280"),
        "status": "queued",
    });
    let finished = match creation.failure() {
        Some((code, message)) => json!({"status": "failed", "error": {"code": code, "message": message}}),
        None => json!({
            "status": "completed",
            "progress": 100,
            "completed_at": created + 30,
            "expires_at": created + 86_400,
        }),
    };
    let working = json!({"status": "in_progress", "progress": 50});
    let mut resource = Resource::job(video, working, finished, creation.reply);
    resource.content = creation.reply.text.clone().unwrap_or_else(|| "video".to_owned()).into();
    Ok(Created::stored_at(format!("/v1/videos/{id}"), resource))
}
