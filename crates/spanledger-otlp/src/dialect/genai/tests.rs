use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{Span, Status, span::Event},
};
use spanledger_event::{Bucket, CallOutcome, Observation, Role, Unstated, Usd};
use spanledger_testkit::otlp::{double, integer, resource, scope, text, traces_of};

use crate::{
    ObservationReader,
    test_support::{chat, cost_of, read, read_one, span},
};

#[test]
fn current_and_older_spellings_are_the_same_call() {
    let current = read_one(chat(vec![
        integer("gen_ai.usage.input_tokens", 15_234),
        integer("gen_ai.usage.cache_read.input_tokens", 12_000),
        integer("gen_ai.usage.cache_write.input_tokens", 100),
        integer("gen_ai.usage.output_tokens", 5_312),
        integer("gen_ai.usage.reasoning.output_tokens", 4_500),
        text("openai.response.service_tier", "flex"),
    ]));
    let older = read_one(span(vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.system", "openai"),
        text("gen_ai.request.model", "gpt-5.5"),
        integer("gen_ai.usage.prompt_tokens", 15_234),
        integer("gen_ai.usage.cache_read_input_tokens", 12_000),
        integer("gen_ai.usage.cache_creation.input_tokens", 100),
        integer("gen_ai.usage.completion_tokens", 5_312),
        integer("gen_ai.usage.reasoning_tokens", 4_500),
        text("gen_ai.openai.response.service_tier", "flex"),
    ]));
    assert_eq!(current, older);
    let usage = current.usage.unwrap();
    assert_eq!(
        (usage.tokens(Bucket::Input), usage.completion_tokens(), usage.reasoning_tokens()),
        (3_134, 812, 4_500)
    );
    assert_eq!(current.service_tier.as_deref(), Some("flex"));
}

#[test]
fn counts_may_be_text_or_whole_doubles() {
    let o = read_one(chat(vec![
        text("gen_ai.usage.input_tokens", "1970"),
        double("gen_ai.usage.output_tokens", 30.0),
    ]));
    let usage = o.usage.unwrap();
    assert_eq!((usage.prompt_tokens(), usage.output_tokens()), (1_970, 30));
}

#[test]
fn a_contradictory_or_incomplete_usage_is_a_problem_and_has_no_price() {
    for attributes in [
        vec![integer("gen_ai.usage.input_tokens", 10), integer("gen_ai.usage.cache_read.input_tokens", 11)],
        vec![integer("gen_ai.usage.input_tokens", -1)],
        vec![text("gen_ai.usage.input_tokens", "many")],
        vec![integer("gen_ai.usage.input_tokens", 10)],
        vec![double("gen_ai.usage.output_tokens", 1.5)],
    ] {
        let o = read_one(chat(attributes));
        assert!(o.usage.is_none() && o.usage_problem.is_some());
        let cost = cost_of(&o);
        assert_eq!((cost.usd, cost.reason.map(|r| r.as_str())), (None, Some("contradictory_usage")));
    }
}

#[test]
fn the_last_value_of_a_repeated_key_counts() {
    let o = read_one(chat(vec![
        integer("gen_ai.usage.input_tokens", 1),
        integer("gen_ai.usage.input_tokens", 2),
        integer("gen_ai.usage.output_tokens", 1),
    ]));
    assert_eq!(o.usage.unwrap().prompt_tokens(), 2);
}

#[test]
fn spans_of_tools_and_polls_are_not_calls() {
    for operation in ["execute_tool", "fetch_response", "retrieval", "invoke_agent"] {
        assert_eq!(read([span(vec![text("gen_ai.operation.name", operation)])]), [], "{operation}");
    }
    assert_eq!(read([span(vec![text("http.request.method", "POST")])]), []);
    let with_usage =
        vec![text("gen_ai.operation.name", "fetch_response"), integer("gen_ai.usage.input_tokens", 5)];
    assert_eq!(read([span(with_usage)]), vec![], "a poll repeats a usage that was billed before");
    let agent = read_one(span(vec![
        text("gen_ai.operation.name", "invoke_agent"),
        integer("gen_ai.usage.input_tokens", 5),
    ]));
    assert_eq!(agent.role, Role::Aggregate);
}

#[test]
fn a_failed_call_is_free_and_an_incomplete_call_may_be_billed() {
    let mut failed = chat(vec![text("error.type", "RateLimitError")]);
    failed.status = Some(Status { code: 2, ..Status::default() });
    let o = read_one(failed);
    assert_eq!(o.outcome, CallOutcome::Failed("RateLimitError".into()));
    assert_eq!(cost_of(&o).usd, Some(Usd::ZERO));

    let broken =
        read_one(chat(vec![text("error.type", "ReadError"), text("gen_ai.response.id", "chatcmpl-1")]));
    assert_eq!(broken.outcome, CallOutcome::Incomplete("ReadError".into()));
    assert_eq!(cost_of(&broken).usd, None);
}

/// Scenario: the client stopped waiting or lost the connection before the provider answered.
#[test]
fn a_call_that_the_client_aborted_may_be_billed() {
    let outcome = |error: &str| read_one(chat(vec![text("error.type", error)])).outcome;
    for error in [
        "timeout",
        "APITimeoutError",
        "openai.APITimeoutError",
        "<class 'httpx.ReadTimeout'>",
        "asyncio.exceptions.CancelledError",
        "AbortError",
        "Connection reset by peer",
        "ECONNRESET",
        "ConnectionResetError",
        "deadline_exceeded",
    ] {
        assert_eq!(outcome(error), CallOutcome::Incomplete(error.to_owned()));
        let cost = cost_of(&read_one(chat(vec![text("error.type", error)])));
        assert_eq!((cost.usd, cost.reason.map(|r| r.as_str())), (None, Some("no_usage")), "{error}");
    }
    for error in
        ["429", "500", "503", "RateLimitError", "invalid_request_error", "httpx.ConnectTimeout", "_OTHER"]
    {
        assert_eq!(outcome(error), CallOutcome::Failed(error.to_owned()));
    }

    // Many emitters state the error only in the exception event.
    for (exception, began) in [("openai.APITimeoutError", true), ("openai.BadRequestError", false)] {
        let mut failed = chat(vec![]);
        failed.status = Some(Status { code: 2, ..Status::default() });
        failed.events = vec![Event {
            name: "exception".into(),
            attributes: vec![text("exception.type", exception)],
            ..Event::default()
        }];
        assert_eq!(read_one(failed).outcome.is_billable(), began, "{exception}");
    }
}

/// Scenario: a gateway writes zeros because it does not know the counts.
/// Guarantees: the call is unpriced, unless its model is free or it failed.
#[test]
fn an_all_zero_usage_is_treated_as_missing() {
    let zeros = || vec![integer("gen_ai.usage.input_tokens", 0), integer("gen_ai.usage.output_tokens", 0)];
    let with = |more: Vec<KeyValue>| chat([zeros(), more].concat());
    let reason = |o: &Observation| cost_of(o).reason.map(|reason| reason.as_str());
    for more in [
        vec![],
        vec![text("gen_ai.operation.name", "aimage_generation")],
        vec![text("gen_ai.response.model", "gpt-4o-search-preview")],
    ] {
        assert_eq!(reason(&read_one(with(more.clone()))), Some("no_usage"), "{more:?}");
    }
    let free = read_one(with(vec![text("gen_ai.request.model", "omni-moderation-latest")]));
    assert_eq!(cost_of(&free).usd, Some(Usd::ZERO));
    // The span of an agent without a usage is not observed.
    assert_eq!(read(vec![with(vec![text("gen_ai.operation.name", "invoke_agent")])]), []);

    // LiteLLM gives failed calls counts of zero and an invented response id.
    let failed = read_one(with(vec![
        text("error.type", "RateLimitError"),
        text("gen_ai.response.id", "0198c3a5-7d1f-7a40-8c11-0d5a3cf5e7b2"),
    ]));
    assert_eq!(failed.outcome, CallOutcome::Failed("RateLimitError".into()));
    assert_eq!(cost_of(&failed).usd, Some(Usd::ZERO));
    let broken =
        read_one(with(vec![text("error.type", "ReadError"), text("gen_ai.response.id", "chatcmpl-1")]));
    assert_eq!(reason(&broken), Some("no_usage"));
}

/// Scenario: an emitter has a count for which the convention has no name.
#[test]
fn unrecognized_counts_are_kept() {
    let o = read_one(chat(vec![
        integer("gen_ai.usage.input_tokens", 10),
        integer("gen_ai.usage.output_tokens", 10),
        integer("gen_ai.usage.total_tokens", 20),
        integer("gen_ai.usage.tool_use_prompt_tokens", 7),
        integer("gen_ai.usage.tool_use_prompt_tokens", 8),
        text("gen_ai.usage.input_audio_tokens", "3"),
        integer("gen_ai.usage.output_audio_tokens", 0),
        integer("gen_ai.usage.text.input_tokens", 10),
        integer("gen_ai.usage.details.anything", 5),
        integer("gen_ai.usage.cache_read_input_tokens", 1),
        double("gen_ai.usage.cost", 0.5),
        text("gen_ai.usage.cost.source", "list"),
        text("gen_ai.usage.raw", r#"{"prompt_tokens": 10}"#),
    ]));
    assert_eq!(
        o.usage_unknown,
        ["gen_ai.usage.input_audio_tokens=3", "gen_ai.usage.tool_use_prompt_tokens=8"]
    );
}

#[test]
fn a_span_with_invalid_ids_is_a_separate_event() {
    let mut first = chat(vec![integer("gen_ai.usage.input_tokens", 1)]);
    first.trace_id = vec![0; 16];
    let mut second = first.clone();
    second.span_id = b"eee19b7ec3c1b174".to_vec();
    let (first, second) = (read_one(first), read_one(second));
    assert_eq!((first.trace_id.as_deref(), second.span_id.as_deref()), (None, None));
    assert_ne!(first.event_id, second.event_id);
    assert_ne!(first.call_id, second.call_id);
}

/// Scenario: an instrumentation leaves out counts of zero, and its SDK dropped attributes beyond its limit.
#[test]
fn a_missing_count_of_a_span_that_lost_attributes_is_not_zero() {
    let unstated = |dropped_attributes_count| {
        let chat = chat([integer("gen_ai.usage.input_tokens", 10), integer("gen_ai.usage.output_tokens", 5)]);
        let span = Span { dropped_attributes_count, ..chat };
        let scope = scope("opentelemetry.instrumentation.genai.openai", "1.3b0");
        let traces = traces_of(resource([]), scope, [span]);
        let o = ObservationReader::default().traces(&traces.into()).remove(0);
        o.usage.unwrap().unstated()
    };
    assert_eq!((unstated(0), unstated(1)), (Unstated::NONE, Unstated::ALL));
}
