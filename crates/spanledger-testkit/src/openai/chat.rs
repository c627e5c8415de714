//! Chat completions.
//!
//! Source: "The chat completion object", "The chat completion chunk object" and
//! `stream_options` in "Create chat completion" of the API reference.

use bytes::Bytes;
use serde::Serialize;

use crate::openai::errors::ApiError;
use crate::openai::generate::{BASE62, HEX, Rng, fnv1a};
use crate::openai::json::{self, Field};
use crate::openai::reply::FinishReason;
use crate::openai::resolved::ResolvedReply;
use crate::openai::sse::Frame;
use crate::openai::usage::Usage;

/// The unary answer.
pub(crate) fn object(resolved: &ResolvedReply<'_>) -> Bytes {
    json::bytes(&Completion {
        id: &resolved.id,
        object: "chat.completion",
        created: resolved.created,
        model: &resolved.model,
        choices: [Choice {
            index: 0,
            message: Message { role: "assistant", content: &resolved.text, refusal: None, annotations: [] },
            logprobs: None,
            finish_reason: finish_reason(&resolved.finish),
        }],
        usage: resolved.usage.map(CompletionUsage::new),
        service_tier: resolved.service_tier.as_deref(),
        system_fingerprint: fingerprint(&resolved.model),
    })
}

/// The answer as a stream: the role, the text, the finish reason, the usage if
/// it was requested, `[DONE]`.
pub(crate) fn frames(resolved: &ResolvedReply<'_>) -> Vec<Frame> {
    let usage_field = resolved.request.stream_options.include_usage && resolved.usage_present;
    let mut padding = resolved.part_ids();
    let mut chunk = |choices: &[ChunkChoice<'_>], usage: Option<Usage>| {
        Frame::data(&Chunk {
            id: &resolved.id,
            object: "chat.completion.chunk",
            created: resolved.created,
            model: &resolved.model,
            service_tier: resolved.service_tier.as_deref(),
            system_fingerprint: fingerprint(&resolved.model),
            choices,
            usage: Field::when(usage_field, usage.map(CompletionUsage::new)),
            obfuscation: resolved
                .request
                .stream_options
                .include_obfuscation
                .then(|| obfuscation(&mut padding)),
        })
    };
    let opening = Delta { role: Some("assistant"), content: Some(""), refusal: Field::Null };
    let mut frames = vec![chunk(&[ChunkChoice::new(opening, None)], None)];
    for piece in &resolved.pieces {
        let delta = Delta { content: Some(piece), ..Delta::default() };
        frames.push(chunk(&[ChunkChoice::new(delta, None)], None).into_delta());
    }
    let finish = Some(finish_reason(&resolved.finish));
    frames.push(chunk(&[ChunkChoice::new(Delta::default(), finish)], None));
    if usage_field {
        frames.push(chunk(&[], resolved.usage));
    }
    if !resolved.without_done {
        frames.push(Frame::done());
    }
    frames
}

/// An error inside a stream: the body of an error response, as a message.
pub(crate) fn error_frame(error: &ApiError) -> Frame {
    Frame::data(&error.body())
}

pub(crate) fn finish_reason(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Other(reason) => reason,
    }
}

/// The backend's fingerprint: the same for all calls of a model.
pub(crate) fn fingerprint(model: &str) -> String {
    format!("fp_{}", Rng::new(fnv1a(model.as_bytes()), "fingerprint", 0).string(10, HEX))
}

/// Padding that hides the length of a delta from an eavesdropper.
pub(crate) fn obfuscation(rng: &mut Rng) -> String {
    let length = 4 + usize::try_from(rng.below(12)).unwrap_or(0);
    rng.string(length, BASE62)
}

#[derive(Debug, Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<CompletionUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    system_fingerprint: String,
}

#[derive(Debug, Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'a str,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: Option<()>,
    annotations: [(); 0],
}

#[derive(Debug, Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    system_fingerprint: String,
    choices: &'a [ChunkChoice<'a>],
    /// Absent unless it was requested; then null in all chunks but the last.
    #[serde(skip_serializing_if = "Field::is_absent")]
    usage: Field<CompletionUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obfuscation: Option<String>,
}

#[derive(Debug, Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

impl<'a> ChunkChoice<'a> {
    const fn new(delta: Delta<'a>, finish_reason: Option<&'a str>) -> Self {
        Self { index: 0, delta, logprobs: None, finish_reason }
    }
}

#[derive(Debug, Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    /// Null in the first delta, absent in the others.
    #[serde(skip_serializing_if = "Field::is_absent")]
    refusal: Field<()>,
}

#[derive(Debug, Serialize)]
struct CompletionUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
#[derive(Debug, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
    audio_tokens: u64,
}

#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
#[derive(Debug, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl CompletionUsage {
    fn new(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.total(),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached,
                cache_write_tokens: (usage.cache_write > 0).then_some(usage.cache_write),
                audio_tokens: usage.audio_in,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.audio_out,
                accepted_prediction_tokens: usage.accepted_prediction,
                rejected_prediction_tokens: usage.rejected_prediction,
            },
        }
    }
}
