use async_openai::error::{ApiError, ApiErrorResponse};

use super::*;

fn read(json: &str) -> Option<ProviderError> {
    let raw = serde_json::value::RawValue::from_string(json.to_owned()).unwrap();
    ProviderError::read(Some(&raw))
}

#[test]
fn the_error_type_is_the_providers_code_or_its_type() {
    for (json, expected) in [
        (r#"{"code":"insufficient_quota","type":"tokens"}"#, Some("insufficient_quota")),
        (r#"{"code":"","type":"invalid_request_error"}"#, Some("invalid_request_error")),
        (r#"{"code":null,"type":"server_error","message":"m"}"#, Some("server_error")),
        (r#"{"code":429}"#, Some("429")),
        (r#"{"code":{"a":1},"type":"x"}"#, Some("x")),
        (r#"{"message":"m"}"#, None),
        (r#""overloaded""#, None),
    ] {
        assert_eq!(read(json).unwrap().error_type.as_deref(), expected, "{json}");
    }
    assert_eq!(read(r#""overloaded""#).unwrap().message.as_deref(), Some("overloaded"));
    for json in ["null", "{}", "false", "[]", "\"\""] {
        assert!(read(json).is_none(), "{json}");
    }
    let long = read(&format!(r#"{{"code":"{}"}}"#, "é".repeat(10_000))).unwrap();
    assert_eq!(long.error_type.unwrap().chars().count(), 128);
}

#[test]
fn a_status_tells_whether_the_model_may_have_run() {
    for (status, is_free) in [
        (400, true),
        (401, true),
        (429, true),
        (500, true),
        (503, true),
        (408, false),
        (502, false),
        (504, false),
        (524, false),
    ] {
        let outcome = outcome_of_status(StatusCode::from_u16(status).unwrap(), None);
        assert_eq!((outcome.is_billable(), outcome.error()), (!is_free, Some(status.to_string().as_str())));
    }
}

#[test]
fn only_a_call_that_certainly_did_not_run_is_failed() {
    let api_error = |code: Option<&str>| {
        let mut api_error: ApiError = serde_json::from_str(r#"{"message":"m"}"#).unwrap();
        api_error.code = code.map(str::to_owned);
        OpenAIError::ApiError(ApiErrorResponse { status_code: StatusCode::TOO_MANY_REQUESTS, api_error })
    };
    let failed = |error_type: &str| CallOutcome::Failed(error_type.to_owned());
    assert_eq!(outcome_of(&api_error(Some("rate_limit")), true), failed("rate_limit"));
    assert_eq!(outcome_of(&api_error(None), true), failed("429"));
    assert_eq!(outcome_of(&OpenAIError::InvalidArgument(String::new()), true), failed("invalid_argument"));
    let boxed = |text: &str| OpenAIError::Boxed(text.into());
    assert_eq!(outcome_of(&boxed("request timed out"), true), CallOutcome::Incomplete("timeout".to_owned()));
    assert_eq!(outcome_of(&boxed("something else"), true), CallOutcome::Incomplete("_OTHER".to_owned()));
    assert_eq!(outcome_of(&boxed("service overloaded"), false), failed("overloaded"), "it was never sent");
}
