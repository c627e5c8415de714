//! Classifies failures: determines the `error.type` of the GenAI convention, and whether the model may have
//! run.

use async_openai::error::OpenAIError;
use http::StatusCode;
use serde_json::Value;
use spanledger_event::CallOutcome;

use crate::{
    SpendRefusal,
    lenient::{self, Raw, lenient_object, not_null, short_text as text, value},
};

#[cfg(test)]
mod tests;

/// Why a call was not sent. Every variant means that the provider has not seen the call and does not bill it.
///
/// ```
/// use async_openai::error::OpenAIError;
///
/// fn explain(error: &OpenAIError) -> String {
///     match spanledger::Error::of(error) {
///         Some(spanledger::Error::NoAttribution { path, .. }) => format!("{path} needs an attribution"),
///         Some(other) => format!("not sent: {other}"),
///         None => format!("the call failed: {error}"),
///     }
/// }
/// # assert_eq!(explain(&OpenAIError::InvalidArgument("x".to_owned())), "the call failed: invalid args: x");
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The call has no attribution, or one that lacks a field.
    #[error(
        "spanledger: {path} was not sent, because it has no complete attribution: {problem}. Attach one with \
         `.attributed(&attribution)` before the call, or run the task in `attribution.scope(…)`"
    )]
    NoAttribution {
        /// The path of the call's URL.
        path: String,
        /// Which fields are missing, or what is wrong with a field.
        problem: String,
    },
    /// The attached attribution cannot be read.
    #[error("spanledger: {path} was not sent, because {problem}")]
    UnreadableAttribution {
        /// The path of the call's URL.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A [`SpendGuard`](crate::SpendGuard) refused the call.
    #[error("spanledger: {path} was not sent, because the spend guard refused it: {refusal}")]
    Refused {
        /// The path of the call's URL.
        path: String,
        /// The refusal, with the status and the body for an answer.
        refusal: SpendRefusal,
    },
}

impl Error {
    /// The reason for which this crate did not send a call. `None` for every other failure.
    pub fn of(error: &OpenAIError) -> Option<&Self> {
        match error {
            OpenAIError::Boxed(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

impl From<Error> for OpenAIError {
    fn from(error: Error) -> Self {
        Self::Boxed(Box::new(error))
    }
}

/// The `error` of a provider's answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ProviderError {
    /// The provider's error code or, if there is none, its error type.
    pub(crate) error_type: Option<String>,
    /// The text, which may quote the prompt.
    pub(crate) message: Option<String>,
}

lenient_object! {
    struct ErrorObject {
        code: "code",
        kind: "type",
        message: "message",
    }
}

impl ProviderError {
    /// Reads the field `error` of an answer. `None` if there is no error.
    pub(crate) fn read(raw: Raw<'_>) -> Option<Self> {
        let raw = not_null(raw).filter(|raw| !matches!(raw.get(), "false" | "{}" | "[]" | "\"\""))?;
        Some(match lenient::object::<ErrorObject<'_>>(raw.get().as_bytes()) {
            Some(object) => {
                Self { error_type: error_type_of(object.code, object.kind), message: text(object.message) }
            }
            None => Self { error_type: None, message: text(Some(raw)) },
        })
    }
}

/// The error type of a code and a type, of which the first that is not empty is used.
pub(crate) fn error_type_of(code: Raw<'_>, kind: Raw<'_>) -> Option<String> {
    let named = |raw| match value::<Value>(raw) {
        Some(Value::String(name)) => Some(name).filter(|name| !name.trim().is_empty()),
        Some(Value::Number(code)) => Some(code.to_string()),
        _ => None,
    };
    named(code).or_else(|| named(kind)).map(bounded)
}

/// An error type of a bounded length. A server could send a text as the code.
fn bounded(name: String) -> String {
    const CHARS_MAX: usize = 128;
    match name.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => name.get(..end).unwrap_or_default().to_owned(),
        None => name,
    }
}

/// The outcome of an answer whose status is not a success.
///
/// Most refusals come before the model runs. After these statuses the model may have run, or may still be running:
/// the client or a proxy gave up waiting. 520 to 524 are Cloudflare's, in front of OpenAI's API.
pub(crate) fn outcome_of_status(status: StatusCode, error_type: Option<String>) -> CallOutcome {
    let error_type = error_type.unwrap_or_else(|| status.as_u16().to_string());
    match status.as_u16() {
        408 | 499 | 502 | 504 | 520..=524 => CallOutcome::Incomplete(error_type),
        _ => CallOutcome::Failed(error_type),
    }
}

/// The `error.type` of an HTTP request that failed.
pub(crate) fn request_error_type(error: &reqwest::Error) -> &'static str {
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

/// The outcome of a call that ended without a response. `was_sent` says whether a request was built for it.
///
/// [`CallOutcome::Failed`] means that nothing is billed. A request that was sent and never answered
/// may have run, so that its outcome is [`CallOutcome::Incomplete`].
pub(crate) fn outcome_of(error: &OpenAIError, was_sent: bool) -> CallOutcome {
    let error_type = error_type(error);
    let is_certainly_free = match error {
        // A layer between this one and the network refused the call.
        _ if !was_sent => true,
        OpenAIError::ApiError(error) => return outcome_of_status(error.status_code, Some(error_type)),
        OpenAIError::InvalidArgument(_) | OpenAIError::FileReadError(_) => true,
        OpenAIError::Reqwest(error) => error.is_connect() || error.is_builder(),
        // `async-openai` returns this for a 429 whose body it cannot parse.
        OpenAIError::JSONDeserialize(..) => true,
        _ => false,
    };
    if is_certainly_free { CallOutcome::Failed(error_type) } else { CallOutcome::Incomplete(error_type) }
}

fn error_type(error: &OpenAIError) -> String {
    match error {
        OpenAIError::ApiError(error) => {
            let api = &error.api_error;
            let named = api.code.clone().or_else(|| api.r#type.clone()).filter(|name| !name.is_empty());
            named.map_or_else(|| error.status_code.as_u16().to_string(), bounded)
        }
        OpenAIError::Reqwest(error) => request_error_type(error).to_owned(),
        OpenAIError::JSONDeserialize(..) => "deserialization_error".to_owned(),
        OpenAIError::StreamError(_) => "stream_error".to_owned(),
        OpenAIError::InvalidArgument(_) | OpenAIError::FileReadError(_) | OpenAIError::FileSaveError(_) => {
            "invalid_argument".to_owned()
        }
        // A tower layer below this one, such as a timeout or a load limit, has its own error types.
        OpenAIError::Boxed(error) => {
            let text = error.to_string();
            let named = [("timed out", "timeout"), ("overloaded", "overloaded")];
            named
                .into_iter()
                .find(|(part, _)| text.contains(part))
                .map_or("_OTHER", |(_, name)| name)
                .to_owned()
        }
    }
}
