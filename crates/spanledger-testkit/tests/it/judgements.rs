//! Moderations and decisions, as the typed client reads them.

use serde_json::json;
use spanledger_testkit::{Reply, Usage};

use crate::support::{client, provider, typed};

#[tokio::test]
async fn a_moderation_judges_each_input_and_reports_no_usage() {
    let provider = provider([]).await;
    let request = json!({"input": ["a", "b"]});
    let answer = client(&provider).moderations().create(typed(request)).await.unwrap();
    assert_eq!((answer.model.as_str(), answer.results.len()), ("omni-moderation-2024-09-26", 2));
    assert!(answer.id.starts_with("modr-"));
}

#[tokio::test]
async fn a_decision_answers_each_question_and_reports_its_usage() {
    let provider = provider([Reply::new().usage(Usage::new(90, 3).cached(16))]).await;
    let request = json!({"model": "gpt-5.5", "input": "Is it late?", "questions": [
        {"type": "predicate", "name": "late", "instructions": "Is it late?"},
        {"type": "choice", "instructions": "Which?", "choices": [{"value": "yes"}, {"value": "no"}]},
        {"type": "score", "instructions": "How late?", "levels": [{"label": "not"}]},
    ]});
    let answer = client(&provider).decisions().create(typed(request)).await.unwrap();
    assert_eq!((answer.model.as_str(), answer.answers.len()), ("gpt-5.5-2026-04-23", 3));
    assert_eq!((answer.usage.input_tokens, answer.usage.input_tokens_details.cached_tokens), (90, 16));
}
