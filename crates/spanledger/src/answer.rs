//! The data that a provider's answer has about a call: the model, the usage and the error.
//!
//! This module does no I/O. [`body`](crate::body) reads the bytes of an answer as they pass and adds each
//! JSON object that it finds; [`call`](crate::call) makes the span and the record from the data.

use http::HeaderMap;
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use spanledger_event::limits::{USAGE_READ_BYTES_MAX, char_boundary};
use spanledger_price::usage::ToolCalls;

use crate::{
    error::ProviderError,
    lenient::{self, lenient_object, not_null, short_text as text},
};

#[cfg(test)]
mod tests;
mod tools;

/// The greatest number of finish reasons that are kept. A server can send one with each chunk.
const FINISH_REASONS_MAX: usize = 128;
/// The greatest size of a finish reason in bytes. The longest of the convention has 14.
const FINISH_REASON_BYTES_MAX: usize = 64;

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
    /// The provider's id of the request, and its rate limits: headers of the answer.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The text of an error, which may quote the prompt.
    pub(crate) error_message: Option<String>,
    /// Calls of the provider's tools; each has a fee in addition to the tokens.
    pub(crate) tools: ToolCalls,
    /// Images in an answer of the images API.
    pub(crate) images: u64,
    /// Seconds of audio in an answer of the audio API, rounded up as the usage of a transcription is.
    pub(crate) audio_seconds: Option<Decimal>,
    /// The status of an answer of the Responses API: `completed`, `queued`, …
    pub(crate) status: Option<String>,
}

lenient_object! {
    /// A response object of any endpoint.
    struct ResponseObject {
        id: "id",
        model: "model",
        service_tier: "service_tier",
        system_fingerprint: "system_fingerprint",
        status: "status",
        usage: "usage",
        choices: "choices",
        error: "error",
        output: "output",
        tool_usage: "tool_usage",
        /// The tools that the request offered, as the answer repeats them.
        tools: "tools",
        data: "data",
        /// The length of the audio that was transcribed or translated.
        duration: "duration",
    }
}

lenient_object! {
    struct Choice {
        finish_reason: "finish_reason",
    }
}

impl ResponseObject<'_> {
    pub(crate) fn has_choices(&self) -> bool {
        not_null(self.choices).is_some() && lenient::count(self.choices) != Some(0)
    }

    pub(crate) fn has_finish_reason(&self) -> bool {
        let choices = lenient::list::<Choice<'_>>(self.choices);
        choices.into_iter().any(|choice| not_null(choice.finish_reason).is_some())
    }

    pub(crate) fn has_usage(&self) -> bool {
        not_null(self.usage).is_some()
    }

    /// The Responses API answers 200 for a response that failed, with this status.
    pub(crate) fn has_failed(&self) -> bool {
        text(self.status).as_deref() == Some("failed")
    }

    /// Whether the object has the usage and nothing else that a caller could want.
    pub(crate) fn is_usage_alone(&self) -> bool {
        self.has_usage() && !self.has_choices() && self.error().is_none()
    }

    pub(crate) fn error(&self) -> Option<ProviderError> {
        ProviderError::read(self.error)
    }
}

/// The headers of an answer that its span has as attributes.
const HEADERS: [&str; 8] = [
    "x-request-id",
    "openai-processing-ms",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
];

impl ResponseInfo {
    /// Reads the headers of an answer. `for_span` adds those that only a span has.
    pub(crate) fn read_headers(&mut self, headers: &HeaderMap, for_span: bool) {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok())?;
            Some(lenient::shortened(value).to_owned())
        };
        self.organization = text("openai-organization");
        self.project = text("openai-project");
        if for_span {
            self.headers = HEADERS.into_iter().filter_map(|name| Some((name, text(name)?))).collect();
        }
    }

    /// How many bytes the texts take.
    pub(crate) fn text_bytes(&self) -> usize {
        let texts = [
            &self.id,
            &self.model,
            &self.service_tier,
            &self.system_fingerprint,
            &self.usage_json,
            &self.organization,
            &self.project,
            &self.error_message,
            &self.status,
        ];
        let reasons = self.finish_reasons.iter().map(|reason| size_of::<String>() + reason.len());
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        texts.into_iter().flatten().map(String::len).chain(reasons).chain(headers).sum()
    }

    /// Adds the data of an object. In a stream, the values of a later object replace earlier values.
    pub(crate) fn read_object(&mut self, object: &ResponseObject<'_>) {
        fn replace(known: &mut Option<String>, new: Option<String>) {
            if new.is_some() {
                *known = new;
            }
        }
        if let Some(error) = object.error() {
            self.error_message = error.message;
        }
        replace(&mut self.id, text(object.id));
        replace(&mut self.model, text(object.model));
        replace(&mut self.service_tier, text(object.service_tier));
        replace(&mut self.system_fingerprint, text(object.system_fingerprint));
        replace(&mut self.status, text(object.status));
        let usage = not_null(object.usage).map(RawValue::get);
        // A larger object is not read. One byte more than the maximum says why.
        let usage = usage.map(|usage| {
            let end = (USAGE_READ_BYTES_MAX + 1..usage.len()).find(|at| usage.is_char_boundary(*at));
            &usage[..end.unwrap_or(usage.len())]
        });
        replace(&mut self.usage_json, usage.map(str::to_owned));
        for choice in lenient::list::<Choice<'_>>(object.choices) {
            if let Some(mut reason) = text(choice.finish_reason)
                && self.finish_reasons.len() < FINISH_REASONS_MAX
            {
                reason.truncate(char_boundary(&reason, FINISH_REASON_BYTES_MAX));
                self.finish_reasons.push(reason);
            }
        }
        // The Responses API has a status instead of a finish reason.
        match self.status.as_deref() {
            Some("completed") => self.finish_reasons = vec!["stop".to_owned()],
            Some("incomplete") => self.finish_reasons = vec!["length".to_owned()],
            _ => {}
        }
        if object.output.is_some() || object.tool_usage.is_some() {
            self.tools = tools::tool_calls(object.output, object.tool_usage, object.tools);
        }
        if let Some(images) = lenient::count(object.data) {
            self.images = images;
        }
        if let Some(seconds) = text(object.duration).and_then(|seconds| seconds.parse::<Decimal>().ok()) {
            self.audio_seconds = Some(seconds.ceil());
        }
    }
}
