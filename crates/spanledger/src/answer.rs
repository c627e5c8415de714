//! The data that a provider's answer has about a call: the model, the usage and the error.
//!
//! This module does no I/O. [`body`](crate::body) reads the bytes of an answer as they pass and adds each
//! JSON object that it finds; [`call`](crate::call) makes the span and the record from the data.

use std::borrow::Cow;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use spanledger_price::usage::ToolCalls;

use crate::error::ProviderError;

#[cfg(test)]
mod tests;
mod tools;

/// The data of an answer that was read so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponseInfo {
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) service_tier: Option<String>,
    pub(crate) system_fingerprint: Option<String>,
    pub(crate) finish_reasons: Vec<String>,
    /// The provider's usage object, unchanged.
    pub(crate) usage_json: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) project: Option<String>,
    /// The message of an error, for the span's status.
    pub(crate) error_message: Option<String>,
    /// Calls of the provider's tools; each has a fee in addition to the tokens.
    pub(crate) tools: ToolCalls,
    /// Images in an answer of the images API.
    pub(crate) images: u64,
}

/// A response object of any endpoint. Fields that are not listed are skipped, not parsed.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct ResponseObject<'a> {
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
    /// The tools that the request offered, as the answer repeats them.
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

impl ResponseObject<'_> {
    pub(crate) fn has_choices(&self) -> bool {
        self.choices.as_ref().is_some_and(|choices| !choices.is_empty())
    }

    pub(crate) fn has_usage(&self) -> bool {
        not_null(self.usage).is_some()
    }

    /// The Responses API answers 200 for a response that failed, with this status.
    pub(crate) fn has_failed(&self) -> bool {
        self.status.as_deref() == Some("failed")
    }

    pub(crate) fn error(&self) -> Option<ProviderError> {
        ProviderError::parse(self.error)
    }
}

fn not_null(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|json| *json != "null")
}

impl ResponseInfo {
    pub(crate) fn read_headers(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.organization = text("openai-organization");
        self.project = text("openai-project");
    }

    /// Adds the data of an object. In a stream, the values of a later object replace earlier values.
    pub(crate) fn read_object(&mut self, object: ResponseObject<'_>) {
        fn replace(known: &mut Option<String>, new: Option<String>) {
            if new.is_some() {
                *known = new;
            }
        }
        if let Some(error) = object.error() {
            self.error_message = error.message;
        }
        replace(&mut self.id, object.id);
        replace(&mut self.model, object.model);
        replace(&mut self.service_tier, object.service_tier);
        replace(&mut self.system_fingerprint, object.system_fingerprint);
        replace(&mut self.usage_json, not_null(object.usage).map(str::to_owned));
        let reasons =
            object.choices.unwrap_or_default().into_iter().filter_map(|choice| choice.finish_reason);
        self.finish_reasons.extend(reasons.map(Cow::into_owned));
        // The Responses API has a status instead of a finish reason.
        match object.status.as_deref() {
            Some("completed") => self.finish_reasons = vec!["stop".to_owned()],
            Some("incomplete") => self.finish_reasons = vec!["length".to_owned()],
            _ => {}
        }
        if object.output.is_some() || object.tool_usage.is_some() {
            self.tools = tools::tool_calls(object.output, object.tool_usage, object.tools);
        }
        if let Some(data) = object.data {
            self.images = tools::count_images(data);
        }
    }
}
