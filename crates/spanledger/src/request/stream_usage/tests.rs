use super::*;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn the_option_is_not_requested_where_it_is_known_to_be_refused() {
    let azure = "https://acme.openai.azure.com/openai/deployments/d/chat/completions?api-version=";
    for (version, refused) in [
        ("2024-02-01", true),
        ("2024-08-01-preview", true),
        ("2024-09-01-preview", false),
        ("2025-04-01-preview", false),
        ("preview", false),
        ("1", false),
    ] {
        assert_eq!(is_refused(&url(&format!("{azure}{version}")), false), refused, "{version}");
    }
    assert!(is_refused(&url(&format!("{azure}2025-04-01")), true), "a request with data sources");
}

#[test]
fn a_server_that_has_refused_the_option_is_remembered() {
    let server = url("http://old.example:8000/v1/chat/completions");
    assert!(!is_refused(&server, false));
    remember_refusal(&server);
    assert!(is_refused(&server, false));
    assert!(!is_refused(&url("http://old.example:8001/v1/chat/completions"), false));
}

#[test]
fn a_refusal_names_the_option() {
    assert!(is_refusal(br#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#));
    assert!(is_refusal(br#"{"detail":[{"loc":["body","stream_options","include_usage"]}]}"#));
    assert!(!is_refusal(br#"{"error":{"message":"the model does not exist"}}"#));
}
