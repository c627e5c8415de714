//! Moderations and decisions: answers that judge the input.
//!
//! Source: "The moderation object" and "Create a decision" of the API reference. Moderations are free and report
//! no usage.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::openai::json;
use crate::openai::resolved::ResolvedReply;
use crate::openai::responses::ResponseUsage;

const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// `POST /v1/moderations`: nothing is flagged.
pub(crate) fn moderation(resolved: &ResolvedReply<'_>) -> Bytes {
    let each = |value: Value| -> Value {
        CATEGORIES.iter().map(|name| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>().into()
    };
    let result = json!({
        "flagged": false,
        "categories": each(json!(false)),
        "category_scores": each(json!(0.0001)),
        "category_applied_input_types": each(json!(["text"])),
    });
    let inputs = match resolved.request.get::<Value>("input") {
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => items.len(),
        _ => 1,
    };
    json::bytes(&json!({"id": resolved.id, "model": resolved.model, "results": vec![result; inputs]}))
}

/// `POST /v1/decisions`: every question is answered with its first choice.
pub(crate) fn decision(resolved: &ResolvedReply<'_>) -> Bytes {
    let questions: Vec<Value> = resolved.request.get("questions").unwrap_or_default();
    let answers: Vec<Value> = questions.iter().map(answer).collect();
    let mut object = json!({"model": resolved.model, "answers": answers});
    if let Some(usage) = resolved.usage {
        object["usage"] = json!(ResponseUsage::new(usage));
    }
    json::bytes(&object)
}

fn answer(question: &Value) -> Value {
    let name = &question["name"];
    match question["type"].as_str() {
        Some("choice") => {
            let choice = &question["choices"][0]["value"];
            json!({
                "type": "choice",
                "name": name,
                "choice": choice,
                "probabilities": [{"value": choice, "probability": 1.0}],
                "confidence": 1.0,
            })
        }
        Some("score") => json!({
            "type": "score",
            "name": name,
            "score": 0.0,
            "probabilities": [{"value": 0, "label": question["levels"][0]["label"], "probability": 1.0}],
            "confidence": 1.0,
        }),
        _ => json!({"type": "predicate", "name": name, "probability": 1.0}),
    }
}
