//! The request of a call, in one form for all endpoints.
//!
//! Source: the "Create …" sections of the API reference.

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::openai::endpoint::Endpoint;
use crate::openai::errors::ApiError;
use crate::openai::fields::Fields;
use crate::openai::generate::{fnv1a, tokens_of};
use crate::openai::models;

/// Tokens that the chat format adds to each message.
const MESSAGE_OVERHEAD_TOKENS: u64 = 3;
/// The most answers or images that one request gets, whatever its `n` is.
const ANSWERS_MAX: usize = 10;
/// An estimate: the bytes of an uploaded file that are one token.
const FILE_BYTES_PER_TOKEN: u64 = 100;

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
#[expect(clippy::struct_excessive_bools, reason = "they are independent options of the request")]
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
    /// Whether the call is answered before the model runs.
    pub(crate) background: bool,
    pub(crate) max_output_tokens: Option<u64>,
    /// An estimate of the input tokens, files included.
    pub(crate) prompt_tokens: u64,
    /// An estimate of the input tokens that are in files.
    pub(crate) file_tokens: u64,
    /// Whether the model is expected to reason before it answers.
    pub(crate) expects_reasoning: bool,
    /// A hash that is equal for requests with the same model, input and limits, streamed or not.
    pub(crate) fingerprint: u64,
    fields: Fields,
}

impl ApiRequest {
    /// Reads a request. An error is the refusal that the provider would send. `deployment` is the model of an
    /// Azure path.
    pub(crate) fn parse(
        endpoint: Endpoint,
        deployment: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, ApiError> {
        let fields = match Fields::read(headers, body) {
            // The body of an endpoint that nobody knows can have any format.
            Err(_) if endpoint == Endpoint::Unknown => Fields::default(),
            fields => fields?,
        };
        Self::read(endpoint, deployment, fields)
    }

    /// Reads a request from its fields.
    pub(crate) fn read(
        endpoint: Endpoint,
        deployment: Option<&str>,
        fields: Fields,
    ) -> Result<Self, ApiError> {
        let model: String = match deployment.or(endpoint.default_model()) {
            Some(default) => fields.optional("model")?.unwrap_or_else(|| default.to_owned()),
            None => fields.required("model")?,
        };
        let input: Value = match endpoint.required_input() {
            Some(name) => fields.required(name)?,
            None => fields.optional("input")?.unwrap_or_default(),
        };
        if let Some(name) = endpoint.required_file()
            && fields.file(name).is_none()
        {
            return Err(ApiError::missing(name));
        }
        let instructions: Option<Value> = fields.optional("instructions")?;
        let effort = effort(&fields)?;
        let stream = match endpoint {
            Endpoint::Chat | Endpoint::Completions | Endpoint::Responses => {
                fields.optional("stream")?.unwrap_or(false)
            }
            Endpoint::ImageGenerations | Endpoint::ImageEdits => {
                fields.optional("stream")?.unwrap_or(false) && models::is_gpt_image(&model)
            }
            // `whisper-1` ignores the field.
            Endpoint::Transcriptions => fields.optional("stream")?.unwrap_or(false) && model != "whisper-1",
            Endpoint::Speech => {
                fields.optional("stream_format")?.is_some_and(|format: String| format == "sse")
            }
            _ => false,
        };
        let background = endpoint == Endpoint::Responses && fields.optional("background")?.unwrap_or(false);
        let stored = match endpoint {
            Endpoint::Chat => fields.optional("store")?.unwrap_or(false),
            Endpoint::Responses => background || fields.optional("store")?.unwrap_or(true),
            _ => false,
        };
        let mut max_output_tokens = None;
        for name in ["max_completion_tokens", "max_output_tokens", "max_tokens"] {
            max_output_tokens = max_output_tokens.or(fields.optional(name)?);
        }
        let file_bytes: u64 = fields.files.iter().map(|file| file.bytes.len() as u64).sum();
        let file_tokens = file_bytes.div_ceil(FILE_BYTES_PER_TOKEN);
        let prompt_tokens = tokens(&input) + instructions.as_ref().map_or(0, tokens) + file_tokens;
        let question = format!("{model}\n{input}\n{instructions:?}\n{max_output_tokens:?}\n{file_bytes}");
        Ok(Self {
            endpoint,
            stream,
            stream_options: stream_options(endpoint, stream, &fields)?,
            service_tier: fields.optional("service_tier")?,
            stored,
            background,
            max_output_tokens,
            prompt_tokens: prompt_tokens.max(1),
            file_tokens,
            expects_reasoning: models::is_reasoning_model(&model) && effort.as_deref() != Some("none"),
            fingerprint: fnv1a(question.as_bytes()),
            model,
            fields,
        })
    }

    /// The field as the client wrote it, for answers that repeat it.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.fields.raw(name)
    }

    /// The value of the field, if the request has it and it has this type.
    pub(crate) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.fields.get(name)
    }

    /// The number of answers that `n` requests.
    pub(crate) fn count(&self) -> usize {
        self.get("n").unwrap_or(1).min(ANSWERS_MAX)
    }
}

/// The options of a stream. They are refused for a call that is not streamed, and
/// `include_usage` in Responses, as the provider does. A client that adds them to
/// every request fails its tests.
fn stream_options(endpoint: Endpoint, stream: bool, fields: &Fields) -> Result<StreamOptions, ApiError> {
    let Some(options) = fields.optional::<Value>("stream_options")? else {
        return Ok(StreamOptions::default());
    };
    if !matches!(endpoint, Endpoint::Chat | Endpoint::Completions | Endpoint::Responses) {
        return Err(ApiError::unknown_parameter("stream_options"));
    }
    if !stream {
        let message = "The parameter 'stream_options' needs 'stream' to be true.";
        return Err(ApiError::invalid_request(message).param("stream_options"));
    }
    // Azure reads the request itself if it adds the user's own data.
    if fields.raw("data_sources").is_some() {
        return Err(ApiError::extra_input("stream_options"));
    }
    if !endpoint.has_usage_option() && options.get("include_usage").is_some() {
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
