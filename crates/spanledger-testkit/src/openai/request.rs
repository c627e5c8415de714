//! The request of a billed call, in one form for all endpoints.
//!
//! Source: "Create chat completion", "Create a model response" and "Create
//! embeddings" of the API reference.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::openai::errors::ApiError;
use crate::openai::generate::{fnv1a, tokens_of};
use crate::openai::models;

/// Tokens that the chat format adds to each message.
const MESSAGE_OVERHEAD_TOKENS: u64 = 3;

/// The endpoints whose calls are billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Responses,
    Embeddings,
}

impl Endpoint {
    /// The required field that holds the input.
    const fn input(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Responses | Self::Embeddings => "input",
        }
    }
}

/// `stream_options`; Responses has only `include_obfuscation`.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
    pub(crate) include_obfuscation: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { include_usage: false, include_obfuscation: true }
    }
}

/// A valid request.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) endpoint: Endpoint,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) stream_options: StreamOptions,
    /// The requested tier; the call may be served by another one.
    pub(crate) service_tier: Option<String>,
    /// Whether the call can be fetched again.
    pub(crate) stored: bool,
    pub(crate) max_output_tokens: Option<u64>,
    /// An estimate of the input tokens.
    pub(crate) prompt_tokens: u64,
    /// Whether the model is expected to reason before it answers.
    pub(crate) expects_reasoning: bool,
    /// A hash that is equal for requests with the same model, input and limits, streamed or not.
    pub(crate) fingerprint: u64,
    fields: HashMap<String, Box<RawValue>>,
}

impl ApiRequest {
    /// Reads a body. An error is the refusal that the provider would send.
    pub(crate) fn parse(endpoint: Endpoint, body: &[u8]) -> Result<Self, ApiError> {
        let fields: HashMap<String, Box<RawValue>> = serde_json::from_slice(body)
            .map_err(|_| ApiError::invalid_request("The body is not a JSON object."))?;
        let fields = Fields(fields);
        let model: String = fields.required("model")?;
        let input: Value = fields.required(endpoint.input())?;
        let instructions: Option<Value> = fields.optional("instructions")?;
        let effort = effort(&fields)?;
        let stream = fields.optional("stream")?.unwrap_or(false);
        let stored = match endpoint {
            Endpoint::Chat => fields.optional("store")?.unwrap_or(false),
            Endpoint::Responses => fields.optional("store")?.unwrap_or(true),
            Endpoint::Embeddings => false,
        };
        let mut max_output_tokens = None;
        for name in ["max_completion_tokens", "max_output_tokens", "max_tokens"] {
            max_output_tokens = max_output_tokens.or(fields.optional(name)?);
        }
        let prompt_tokens = tokens(&input) + instructions.as_ref().map_or(0, tokens);
        let question = format!("{model}\n{input}\n{instructions:?}\n{max_output_tokens:?}");
        Ok(Self {
            endpoint,
            stream: stream && endpoint != Endpoint::Embeddings,
            stream_options: stream_options(endpoint, stream, &fields)?,
            service_tier: fields.optional("service_tier")?,
            stored,
            max_output_tokens,
            prompt_tokens: prompt_tokens.max(1),
            expects_reasoning: models::is_reasoning_model(&model) && effort.as_deref() != Some("none"),
            fingerprint: fnv1a(question.as_bytes()),
            model,
            fields: fields.0,
        })
    }

    /// The field as the client wrote it, for answers that repeat it.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.fields.get(name).map(|value| &**value).filter(|value| value.get() != "null")
    }

    /// The value of the field, if the request has it and it has this type.
    pub(crate) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }
}

struct Fields(HashMap<String, Box<RawValue>>);

impl Fields {
    /// A null field is the same as an absent one for the provider.
    fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(raw) = self.0.get(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map_err(|_| {
            ApiError::invalid_request(format!("The parameter '{name}' has the wrong type."))
                .param(name)
                .code("invalid_type")
        })
    }

    fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, ApiError> {
        self.optional(name)?.ok_or_else(|| ApiError::missing(name))
    }
}

/// The options of a stream. They are refused for a call that is not streamed, and
/// `include_usage` in Responses, as the provider does. A client that adds them to
/// every request fails its tests.
fn stream_options(endpoint: Endpoint, stream: bool, fields: &Fields) -> Result<StreamOptions, ApiError> {
    let Some(options) = fields.optional::<Value>("stream_options")? else {
        return Ok(StreamOptions::default());
    };
    if !stream {
        let message = "The parameter 'stream_options' needs 'stream' to be true.";
        return Err(ApiError::invalid_request(message).param("stream_options"));
    }
    if endpoint == Endpoint::Responses && options.get("include_usage").is_some() {
        let name = "stream_options.include_usage";
        let message = format!("The parameter '{name}' is not known; usage is always sent.");
        return Err(ApiError::invalid_request(message).param(name).code("unknown_parameter"));
    }
    Ok(fields.optional("stream_options")?.unwrap_or_default())
}

/// The reasoning effort: `reasoning_effort` in chat, `reasoning.effort` in Responses.
fn effort(fields: &Fields) -> Result<Option<String>, ApiError> {
    let flat = fields.optional("reasoning_effort")?;
    let nested: Option<Value> = fields.optional("reasoning")?;
    Ok(flat.or_else(|| Some(nested?.get("effort")?.as_str()?.to_owned())))
}

/// An estimate of the tokens in an input of any shape: text by its length, a
/// token array (embeddings) by its count, and a little for each message.
pub(crate) fn tokens(input: &Value) -> u64 {
    match input {
        Value::String(text) => tokens_of(text),
        Value::Number(_) => 1,
        Value::Array(items) => items.iter().map(tokens).sum(),
        Value::Object(fields) => {
            let content = ["content", "text", "output", "arguments"];
            let inner = content.iter().filter_map(|name| fields.get(*name));
            MESSAGE_OVERHEAD_TOKENS + inner.map(tokens).sum::<u64>()
        }
        Value::Null | Value::Bool(_) => 0,
    }
}
