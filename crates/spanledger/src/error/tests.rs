use async_openai::error::{ApiError, ApiErrorResponse};

use super::*;

#[test]
fn the_error_type_is_the_providers_code_or_its_type() {
    for (json, expected) in [
        (r#"{"code":"insufficient_quota","type":"tokens"}"#, Some("insufficient_quota")),
        (r#"{"code":"","type":"invalid_request_error"}"#, Some("invalid_request_error")),
        (r#"{"code":null,"type":"server_error","message":"m"}"#, Some("server_error")),
        (r#"{"code":429}"#, Some("429")),
        ("{}", None),
    ] {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        assert_eq!(ProviderError::parse(Some(&raw)).unwrap().error_type().as_deref(), expected, "{json}");
    }
    for json in ["null", r#""overloaded""#] {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        assert!(ProviderError::parse(Some(&raw)).is_none(), "{json}");
    }
}

#[test]
fn only_a_call_that_certainly_did_not_run_is_failed() {
    let api_error = |code: Option<&str>| {
        let mut api_error: ApiError = serde_json::from_str(r#"{"message":"m"}"#).unwrap();
        api_error.code = code.map(str::to_owned);
        OpenAIError::ApiError(ApiErrorResponse {
            status_code: reqwest::StatusCode::TOO_MANY_REQUESTS,
            api_error,
        })
    };
    let failed = |error_type: &str| CallOutcome::Failed(error_type.to_owned());
    assert_eq!(outcome_of(&api_error(Some("rate_limit"))), failed("rate_limit"));
    assert_eq!(outcome_of(&api_error(None)), failed("429"));
    assert_eq!(outcome_of(&OpenAIError::InvalidArgument(String::new())), failed("invalid_argument"));
    let boxed = |text: &str| OpenAIError::Boxed(text.into());
    assert_eq!(outcome_of(&boxed("request timed out")), CallOutcome::Incomplete("timeout".to_owned()));
    assert_eq!(outcome_of(&boxed("something else")), CallOutcome::Incomplete("_OTHER".to_owned()));
}
