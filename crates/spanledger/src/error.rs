//! Classifies failures: determines the `error.type` of the GenAI convention, and whether the model may have
//! run.

use async_openai::error::OpenAIError;
use serde::Deserialize;
use serde_json::value::RawValue;
use spanledger_event::CallOutcome;

#[cfg(test)]
mod tests;

/// The `error` object of a provider's answer.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct ProviderError {
    code: Option<serde_json::Value>,
    r#type: Option<String>,
    pub(crate) message: Option<String>,
}

impl ProviderError {
    /// Reads the error object. `None` if the answer has none, or one in another form.
    pub(crate) fn parse(raw: Option<&RawValue>) -> Option<Self> {
        serde_json::from_str::<Option<Self>>(raw?.get()).ok().flatten()
    }

    /// The provider's error code or, if there is none, its error type.
    pub(crate) fn error_type(&self) -> Option<String> {
        match &self.code {
            Some(serde_json::Value::String(code)) if !code.is_empty() => Some(code.clone()),
            Some(serde_json::Value::Number(code)) => Some(code.to_string()),
            _ => self.r#type.clone().filter(|kind| !kind.is_empty()),
        }
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

/// The outcome of a call that ended without a response.
///
/// [`CallOutcome::Failed`] means that nothing is billed. A request that was sent and never answered
/// may have run, so that its outcome is [`CallOutcome::Incomplete`].
pub(crate) fn outcome_of(error: &OpenAIError) -> CallOutcome {
    let error_type = error_type(error);
    let is_certainly_free = match error {
        OpenAIError::ApiError(_) | OpenAIError::InvalidArgument(_) | OpenAIError::FileReadError(_) => true,
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
            named.unwrap_or_else(|| error.status_code.as_u16().to_string())
        }
        OpenAIError::Reqwest(error) => request_error_type(error).to_owned(),
        OpenAIError::JSONDeserialize(..) => "deserialization_error".to_owned(),
        OpenAIError::StreamError(_) => "stream_error".to_owned(),
        OpenAIError::InvalidArgument(_) | OpenAIError::FileReadError(_) | OpenAIError::FileSaveError(_) => {
            "invalid_argument".to_owned()
        }
        // A tower layer below this one, such as a timeout, has its own error types.
        OpenAIError::Boxed(error) if error.to_string().contains("timed out") => "timeout".to_owned(),
        OpenAIError::Boxed(_) => "_OTHER".to_owned(),
    }
}
