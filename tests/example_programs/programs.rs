//! What the ledger has after each program.

use spanledger_event::EventState;

use crate::support::Surroundings;

/// The cost of a call with `gpt-5.4-nano`: 1,000 × 0.20 + 100 × 1.25, per million.
const NANO_USD: &str = "0.000325";

#[tokio::test]
async fn a_chat_is_one_event() {
    let here = Surroundings::start().await;
    let printed = here.run("chat", &[], "").await;
    assert_eq!(printed, "A short answer.\n");
    let event = here.receiver.event();
    assert_eq!((event.feature.as_deref(), event.route.as_deref()), (Some("haiku"), Some("example:chat")));
    assert_eq!((event.stream, event.cost_usd.unwrap().to_string().as_str()), (true, NANO_USD));
}

#[tokio::test]
async fn a_worker_attributes_each_job_to_its_customer() {
    let here = Surroundings::start().await;
    let printed = here.run("worker", &[], "acme a poem\nglobex another poem\nacme a third one\n").await;
    assert_eq!(printed.lines().count(), 3, "{printed}");
    let events = here.events();
    let mut jobs: Vec<_> = events
        .iter()
        .map(|event| (event.request_id.as_deref().unwrap(), event.customer_id.as_deref().unwrap()))
        .collect();
    jobs.sort_unstable();
    assert_eq!(jobs, [("job-1", "acme"), ("job-2", "globex"), ("job-3", "acme")]);
    for event in events {
        assert_eq!(event.route.as_deref(), Some("queue:poems"));
        assert_eq!(event.service_name.as_deref(), Some("worker"));
        assert_eq!(event.cost_usd.unwrap().to_string(), NANO_USD);
    }
}

#[tokio::test]
async fn streams_are_priced_also_if_they_are_left_at_the_finish_reason() {
    let here = Surroundings::start().await;
    let printed = here.run("streaming", &[], "").await;
    assert_eq!(printed, "A short answer.\nA short answer.\n");
    let events = here.events();
    let endpoints: Vec<_> = events.iter().map(|event| event.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["responses", "chat"]);
    for event in events {
        assert_eq!((event.stream, event.error_code.as_deref()), (true, None));
        assert_eq!(event.cost_usd.unwrap().to_string(), NANO_USD);
    }
}

#[tokio::test]
async fn a_deployment_of_azure_is_priced_by_the_model_that_answers() {
    let here = Surroundings::start().await;
    let reply = spanledger_testkit::Reply::new().usage(spanledger_testkit::Usage::new(1_000, 100));
    here.provider.push(reply.model("gpt-4o-2024-08-06"));
    here.run("azure", &[], "").await;
    let event = here.receiver.event();
    assert_eq!(event.provider, "azure.ai.openai");
    assert_eq!(event.model.as_deref(), Some("my-deployment"));
    assert_eq!(event.response_model.as_deref(), Some("gpt-4o-2024-08-06"));
    // 1,000 × 2.50 + 100 × 10, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.0035");
}

#[tokio::test]
async fn a_call_with_plain_opentelemetry_is_one_event_with_its_span() {
    let here = Surroundings::start().await;
    here.run("plain_opentelemetry", &[], "").await;
    let event = here.receiver.event();
    assert_eq!((event.feature.as_deref(), event.state), (Some("greetings"), EventState::Live));
    assert!(event.trace_id.is_some() && event.parent_span_id.is_some(), "{event:#?}");
    assert_eq!(event.cost_usd.unwrap().to_string(), NANO_USD);
    let counters = here.receiver.counters();
    assert!(counters.spans() > 0 && counters.records() == 1, "the call came both ways");
}

#[tokio::test]
async fn a_batch_is_submitted_by_one_process_and_priced_by_another() {
    let here = Surroundings::start().await;
    let id = here.run("batches", &["submit"], "").await;
    let id = id.trim();
    assert_eq!(here.receiver.event().cost_state, "unpriced");
    for _ in 0..2 {
        let printed = here.run("batches", &["collect", id], "").await;
        assert_eq!(printed.lines().count(), 3, "{printed}");
    }
    let event = here.receiver.event();
    assert_eq!((event.endpoint.as_str(), event.batch_job_id.as_deref()), ("batch", Some(id)));
    assert_eq!(event.feature.as_deref(), Some("geography"));
    assert_eq!((event.prompt_tokens, event.completion_tokens), (Some(3_000), Some(300)));
    // Half of three calls.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.0004875");
}
