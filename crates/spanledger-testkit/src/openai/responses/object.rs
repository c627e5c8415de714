//! Responses: the response object, which is also a part of the events.
//!
//! Source: "The response object" of the API reference. It repeats most of the
//! request; fields that the request does not have get the defaults of "Create a
//! model response".

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::openai::generate::HEX;
use crate::openai::json::Field;
use crate::openai::reply::FinishReason;
use crate::openai::resolved::ResolvedReply;
use crate::openai::usage::Usage;

/// The phase of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The phase of a background response before the model runs: like [`Phase::Started`], but queued.
    Queued,
    /// The phase of the first events: no output, no usage, and the requested tier.
    Started,
    /// The end: the output, the usage and the tier that served the call.
    Final,
}

/// The response object.
#[derive(Debug, Serialize)]
pub(crate) struct Response<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    status: &'a str,
    background: Echo<'a>,
    completed_at: Option<u64>,
    error: Option<Failure<'a>>,
    incomplete_details: Option<Incomplete>,
    instructions: Echo<'a>,
    max_output_tokens: Echo<'a>,
    max_tool_calls: Echo<'a>,
    model: &'a str,
    output: &'a [Item],
    parallel_tool_calls: Echo<'a>,
    previous_response_id: Echo<'a>,
    prompt_cache_key: Echo<'a>,
    reasoning: Echo<'a>,
    safety_identifier: Echo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    store: Echo<'a>,
    temperature: Echo<'a>,
    text: Echo<'a>,
    tool_choice: Echo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_usage: Option<Value>,
    tools: Echo<'a>,
    top_logprobs: Echo<'a>,
    top_p: Echo<'a>,
    truncation: Echo<'a>,
    /// Null before the end.
    #[serde(skip_serializing_if = "Field::is_absent")]
    usage: Field<ResponseUsage>,
    user: Echo<'a>,
    metadata: Echo<'a>,
}

impl<'a> Response<'a> {
    pub(crate) fn new(resolved: &'a ResolvedReply<'_>, output: &'a [Item], phase: Phase) -> Self {
        let request = resolved.request;
        let echo = |name, default| match request.raw(name) {
            Some(raw) => Echo::Requested(raw),
            None => Echo::Default(default),
        };
        let last = phase == Phase::Final;
        let status = match phase {
            Phase::Queued => "queued",
            Phase::Started => "in_progress",
            Phase::Final => status(resolved),
        };
        let usage = resolved.usage.filter(|_| last).map(ResponseUsage::new);
        Self {
            id: &resolved.id,
            object: "response",
            created_at: resolved.created,
            status,
            background: echo("background", json!(false)),
            completed_at: (status == "completed").then_some(resolved.created + 1),
            error: resolved.failure.filter(|_| last).map(|(code, message)| Failure { code, message }),
            incomplete_details: incomplete_reason(resolved)
                .filter(|_| last)
                .map(|reason| Incomplete { reason }),
            instructions: echo("instructions", Value::Null),
            max_output_tokens: echo("max_output_tokens", Value::Null),
            max_tool_calls: echo("max_tool_calls", Value::Null),
            model: &resolved.model,
            output,
            parallel_tool_calls: echo("parallel_tool_calls", json!(true)),
            previous_response_id: echo("previous_response_id", Value::Null),
            prompt_cache_key: echo("prompt_cache_key", Value::Null),
            reasoning: echo("reasoning", json!({"effort": null, "summary": null})),
            safety_identifier: echo("safety_identifier", Value::Null),
            service_tier: match resolved.service_tier.as_deref() {
                Some(_) if !last => Some(request.service_tier.as_deref().unwrap_or("auto")),
                tier => tier,
            },
            store: echo("store", json!(true)),
            temperature: echo("temperature", json!(1.0)),
            text: echo("text", json!({"format": {"type": "text"}, "verbosity": "medium"})),
            tool_choice: echo("tool_choice", json!("auto")),
            tool_usage: (last && resolved.web_searches > 0).then(|| tool_usage(resolved.web_searches)),
            tools: echo("tools", json!([])),
            top_logprobs: echo("top_logprobs", json!(0)),
            top_p: echo("top_p", json!(1.0)),
            truncation: echo("truncation", json!("disabled")),
            usage: Field::when(resolved.usage_present, usage),
            user: echo("user", Value::Null),
            metadata: echo("metadata", json!({})),
        }
    }

    /// The type of the event that closes the stream of this response.
    pub(crate) fn closing_event(&self) -> &'static str {
        match self.status {
            "failed" => "response.failed",
            "incomplete" => "response.incomplete",
            _ => "response.completed",
        }
    }
}

fn status<'a>(resolved: &'a ResolvedReply<'_>) -> &'a str {
    match &resolved.finish {
        _ if resolved.failure.is_some() => "failed",
        FinishReason::Stop | FinishReason::ToolCalls => "completed",
        FinishReason::Length | FinishReason::ContentFilter => "incomplete",
        FinishReason::Other(status) => status,
    }
}

fn incomplete_reason(resolved: &ResolvedReply<'_>) -> Option<&'static str> {
    match &resolved.finish {
        _ if resolved.failure.is_some() => None,
        FinishReason::Length => Some("max_output_tokens"),
        FinishReason::ContentFilter => Some("content_filter"),
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other(_) => None,
    }
}

/// The counts of tools that are billed per call in addition to the tokens.
fn tool_usage(web_searches: u32) -> Value {
    json!({
        "image_gen": {
            "input_tokens": 0,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
            "output_tokens": 0,
            "total_tokens": 0,
        },
        "web_search": {"num_requests": web_searches},
    })
}

/// The output of the response: a reasoning item if there are reasoning tokens, the
/// searches, the message. A failed response has no output.
pub(crate) fn items(resolved: &ResolvedReply<'_>) -> Vec<Item> {
    if resolved.failure.is_some() {
        return Vec::new();
    }
    let mut ids = resolved.part_ids();
    let mut id = |prefix: &str| format!("{prefix}_{}", ids.string(48, HEX));
    let mut items = Vec::new();
    if resolved.usage.is_some_and(|usage| usage.reasoning > 0) {
        items.push(Item::Reasoning { id: id("rs"), summary: [] });
    }
    for _ in 0..resolved.web_searches {
        items.push(Item::WebSearchCall {
            id: id("ws"),
            status: "completed",
            action: Some(Search { kind: "search", query: "spanledger" }),
        });
    }
    let status = if incomplete_reason(resolved).is_some() { "incomplete" } else { "completed" };
    let content = vec![Content::new(resolved.text.clone())];
    items.push(Item::Message { id: id("msg"), status, content, role: "assistant" });
    items
}

/// An output item.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Item {
    Reasoning {
        id: String,
        summary: [(); 0],
    },
    WebSearchCall {
        id: String,
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<Search>,
    },
    Message {
        id: String,
        status: &'static str,
        content: Vec<Content>,
        role: &'static str,
    },
}

impl Item {
    /// The item as it is when it begins.
    pub(crate) fn started(&self) -> Self {
        let mut started = self.clone();
        match &mut started {
            Self::Reasoning { .. } => {}
            Self::WebSearchCall { status, action, .. } => {
                *status = "in_progress";
                *action = None;
            }
            Self::Message { status, content, .. } => {
                *status = "in_progress";
                content.clear();
            }
        }
        started
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Search {
    #[serde(rename = "type")]
    kind: &'static str,
    query: &'static str,
}

/// A text part of a message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Content {
    #[serde(rename = "type")]
    kind: &'static str,
    annotations: [(); 0],
    logprobs: [(); 0],
    text: String,
}

impl Content {
    pub(crate) const fn new(text: String) -> Self {
        Self { kind: "output_text", annotations: [], logprobs: [], text }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// A field of the request, or its default.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Echo<'a> {
    Requested(&'a RawValue),
    Default(Value),
}

#[derive(Debug, Serialize)]
struct Failure<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct Incomplete {
    reason: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct ResponseUsage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Debug, Serialize)]
struct InputDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl ResponseUsage {
    pub(crate) fn new(usage: Usage) -> Self {
        Self {
            input_tokens: usage.prompt,
            input_tokens_details: InputDetails {
                cached_tokens: usage.cached,
                cache_write_tokens: (usage.cache_write > 0).then_some(usage.cache_write),
            },
            output_tokens: usage.completion,
            output_tokens_details: OutputDetails { reasoning_tokens: usage.reasoning },
            total_tokens: usage.total(),
        }
    }
}
