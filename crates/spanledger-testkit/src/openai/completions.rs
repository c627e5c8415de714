//! Legacy completions.
//!
//! Source: "The completion object" of the API reference. A stream repeats the object with a part of the text,
//! and has the same `stream_options` and `[DONE]` as chat.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::openai::chat::{fingerprint, finish_reason};
use crate::openai::json;
use crate::openai::resolved::ResolvedReply;
use crate::openai::sse::Frame;

/// The unary answer.
pub(crate) fn object(resolved: &ResolvedReply<'_>) -> Bytes {
    let mut object = completion(resolved, &resolved.text, Some(finish_reason(&resolved.finish)));
    if let Some(usage) = usage(resolved) {
        object["usage"] = usage;
    }
    json::bytes(&object)
}

/// The answer as a stream: the text, the finish reason, the usage if it was requested, `[DONE]`.
pub(crate) fn frames(resolved: &ResolvedReply<'_>) -> Vec<Frame> {
    let with_usage = resolved.request.stream_options.include_usage && resolved.usage_present;
    let chunk = |text: &str, finish: Option<&str>| {
        let mut chunk = completion(resolved, text, finish);
        if with_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let mut frames: Vec<Frame> =
        resolved.pieces.iter().map(|piece| Frame::data(&chunk(piece, None)).into_delta()).collect();
    frames.push(Frame::data(&chunk("", Some(finish_reason(&resolved.finish)))));
    if with_usage {
        let mut last = chunk("", None);
        last["choices"] = json!([]);
        last["usage"] = usage(resolved).unwrap_or_default();
        frames.push(Frame::data(&last));
    }
    if !resolved.without_done {
        frames.push(Frame::done());
    }
    frames
}

fn completion(resolved: &ResolvedReply<'_>, text: &str, finish: Option<&str>) -> Value {
    json!({
        "id": resolved.id,
        "object": "text_completion",
        "created": resolved.created,
        "model": resolved.model,
        "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}],
        "system_fingerprint": fingerprint(&resolved.model),
    })
}

fn usage(resolved: &ResolvedReply<'_>) -> Option<Value> {
    resolved.usage.map(|usage| {
        json!({
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.total(),
        })
    })
}
