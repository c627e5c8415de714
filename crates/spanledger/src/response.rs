//! What a response says, read from its bytes as they pass.

use async_openai::error::OpenAIError;
use bytes::Bytes;
use http::{HeaderMap, header};
use reqwest::{Response, ResponseBuilderExt as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use spanledger_event::CallOutcome;
use spanledger_price::usage::ToolCalls;

use crate::{call::Call, units};

mod sse;
mod stream;

/// What is known of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered {
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) service_tier: Option<String>,
    pub(crate) system_fingerprint: Option<String>,
    pub(crate) finish_reasons: Vec<String>,
    /// The provider's usage object.
    pub(crate) usage: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) project: Option<String>,
    /// An error's words, for the span's status.
    pub(crate) message: Option<String>,
    /// What the model's tools did; each has a fee beside the tokens.
    pub(crate) tools: ToolCalls,
    /// Images in the answer of the images API.
    pub(crate) images: u64,
}

/// A response object of any endpoint; what is not read is skipped.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Object<'a> {
    id: Option<String>,
    model: Option<String>,
    service_tier: Option<String>,
    system_fingerprint: Option<String>,
    status: Option<String>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_usage: Option<&'a RawValue>,
    /// The tools that the call could use, as the answer repeats them.
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default, borrow)]
    finish_reason: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorObject {
    code: Option<serde_json::Value>,
    r#type: Option<String>,
    message: Option<String>,
}

impl Answered {
    fn headers(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.organization = text("openai-organization");
        self.project = text("openai-project");
    }

    /// Adds what an object says; later objects of a stream overrule earlier ones.
    pub(crate) fn object(&mut self, object: Object<'_>) {
        fn take(known: &mut Option<String>, said: Option<String>) {
            if said.is_some() {
                *known = said;
            }
        }
        take(&mut self.id, object.id);
        take(&mut self.model, object.model);
        take(&mut self.service_tier, object.service_tier);
        take(&mut self.system_fingerprint, object.system_fingerprint);
        if let Some(usage) = object.usage.map(RawValue::get).filter(|raw| *raw != "null") {
            self.usage = Some(usage.to_owned());
        }
        let reasons =
            object.choices.unwrap_or_default().into_iter().filter_map(|choice| choice.finish_reason);
        self.finish_reasons.extend(reasons.map(std::borrow::Cow::into_owned));
        if object.output.is_some() || object.tool_usage.is_some() {
            self.tools = units::tool_calls(object.output, object.tool_usage, object.tools);
        }
        if let Some(data) = object.data {
            self.images = units::images(data);
        }
        // The Responses API says `completed` or `incomplete` in the place of a finish reason.
        if let Some(status) = object.status.filter(|s| matches!(s.as_str(), "completed" | "incomplete")) {
            self.finish_reasons =
                vec![if status == "completed" { "stop".to_owned() } else { "length".to_owned() }];
        }
        if let Some(raw) = object.error.map(RawValue::get).filter(|raw| *raw != "null") {
            self.message = serde_json::from_str::<ErrorObject>(raw).ok().and_then(|error| error.message);
        }
    }
}

/// The convention's `error.type` of a provider's error object.
fn code(error: &ErrorObject) -> Option<String> {
    match &error.code {
        Some(serde_json::Value::String(code)) if !code.is_empty() => Some(code.clone()),
        Some(serde_json::Value::Number(code)) => Some(code.to_string()),
        _ => error.r#type.clone().filter(|kind| !kind.is_empty()),
    }
}

/// The convention's `error.type` of a client error.
pub(crate) fn error_type(error: &OpenAIError) -> String {
    match error {
        OpenAIError::ApiError(error) => {
            let api = &error.api_error;
            let named = api.code.clone().or_else(|| api.r#type.clone()).filter(|name| !name.is_empty());
            named.unwrap_or_else(|| error.status_code.as_u16().to_string())
        }
        OpenAIError::Reqwest(error) => request_error(error).to_owned(),
        OpenAIError::JSONDeserialize(..) => "deserialization_error".to_owned(),
        OpenAIError::StreamError(_) => "stream_error".to_owned(),
        OpenAIError::InvalidArgument(_) | OpenAIError::FileReadError(_) | OpenAIError::FileSaveError(_) => {
            "invalid_argument".to_owned()
        }
        OpenAIError::Boxed(error) if error.to_string().contains("timed out") => "timeout".to_owned(),
        OpenAIError::Boxed(_) => "_OTHER".to_owned(),
    }
}

fn request_error(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connection_error"
    } else if error.is_body() || error.is_decode() {
        "body_error"
    } else {
        "http_client_error"
    }
}

/// Reads a response as it goes by; what the caller gets is what came.
pub(crate) async fn watch(
    response: Response,
    mut call: Call,
    hide_usage: bool,
) -> Result<Response, OpenAIError> {
    call.answered.headers(response.headers());
    let content_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_success = response.status().is_success();
    // A stream that was asked for is one, whatever a compatible server calls it.
    let is_events = content_type.starts_with("text/event-stream")
        || (call.asked_for_stream() && !content_type.contains("json"));
    if is_success && is_events {
        return Ok(replace(response, |body| stream::events(body, call, hide_usage)));
    }
    if is_success
        && !content_type.contains("json")
        && !content_type.is_empty()
        && !content_type.starts_with("text/")
    {
        // Audio and files pass through; they say nothing about what they used.
        return Ok(replace(response, |body| stream::opaque(body, call)));
    }
    let status = response.status();
    let (parts, bytes) = match collect(response).await {
        Ok(whole) => whole,
        Err(error) => {
            call.answered.message = Some(error.to_string());
            call.finish(CallOutcome::Incomplete(request_error(&error).to_owned()));
            return Err(OpenAIError::Reqwest(error));
        }
    };
    let object = serde_json::from_slice::<Object<'_>>(&bytes);
    let outcome = match object {
        Ok(object) if is_success => {
            let failed = object.status.as_deref() == Some("failed");
            let error = object.error.and_then(|raw| serde_json::from_str::<ErrorObject>(raw.get()).ok());
            call.answered.object(object);
            if failed {
                CallOutcome::Incomplete(
                    error.and_then(|error| code(&error)).unwrap_or_else(|| "failed".to_owned()),
                )
            } else {
                CallOutcome::Success
            }
        }
        Ok(object) => {
            let error = object.error.and_then(|raw| serde_json::from_str::<ErrorObject>(raw.get()).ok());
            call.answered.message = error.as_ref().and_then(|error| error.message.clone());
            CallOutcome::Failed(
                error.and_then(|error| code(&error)).unwrap_or_else(|| status.as_u16().to_string()),
            )
        }
        Err(error) if is_success => {
            // The model ran and is billed, and nobody can read for what.
            call.answered.message = Some(format!("the answer could not be read: {error}"));
            CallOutcome::Incomplete("deserialization_error".to_owned())
        }
        Err(_) => CallOutcome::Failed(status.as_u16().to_string()),
    };
    call.finish(outcome);
    Ok(rebuild(parts, bytes.into()))
}

/// What a response is besides its body.
struct Parts {
    head: http::response::Parts,
    url: reqwest::Url,
}

fn split(response: Response) -> (Parts, reqwest::Body) {
    let url = response.url().clone();
    let (head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    (Parts { head, url }, body)
}

/// A response made anew loses its URL unless it is given again.
fn rebuild(parts: Parts, body: reqwest::Body) -> Response {
    let Parts { head, url } = parts;
    let mut builder = http::Response::builder().status(head.status).version(head.version).url(url);
    if let Some(headers) = builder.headers_mut() {
        *headers = head.headers;
    }
    // Facts of the connection stay with the response; its URL, just set, is its own.
    if let Some(extensions) = builder.extensions_mut() {
        let own = std::mem::replace(extensions, head.extensions);
        extensions.extend(own);
    }
    match builder.body(body) {
        Ok(response) => response.into(),
        // The parts come from a response, so that they make one.
        Err(_) => http::Response::new(reqwest::Body::default()).into(),
    }
}

fn replace(response: Response, body: impl FnOnce(reqwest::Body) -> reqwest::Body) -> Response {
    let (parts, original) = split(response);
    rebuild(parts, body(original))
}

async fn collect(response: Response) -> Result<(Parts, Bytes), reqwest::Error> {
    let (parts, body) = split(response);
    // A body is read through a response: only that gives an error with its kind.
    let bytes = Response::from(http::Response::new(body))
        .bytes()
        .await
        .map_err(|error| error.with_url(parts.url.clone()))?;
    Ok((parts, bytes))
}

impl Object<'_> {
    pub(crate) fn has_choices(&self) -> bool {
        self.choices.as_ref().is_some_and(|choices| !choices.is_empty())
    }

    pub(crate) fn has_usage(&self) -> bool {
        self.usage.is_some_and(|raw| raw.get() != "null")
    }

    pub(crate) fn error_code(&self) -> Option<String> {
        let raw = self.error.map(RawValue::get).filter(|raw| *raw != "null")?;
        let error: ErrorObject = serde_json::from_str(raw).ok()?;
        Some(code(&error).unwrap_or_else(|| "_OTHER".to_owned()))
    }
}
