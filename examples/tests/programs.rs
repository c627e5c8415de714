//! Examples that run to their end, and what the ledger has after each of them.

use std::{io::Write as _, process::Stdio};

use spanledger_event::EventState;
use spanledger_testkit::{Provider, Reply, Usage, world::TestReceiver};

use crate::support::{World, check};

/// The cost of a call with `gpt-5.4-nano`: 1,000 × 0.20 + 100 × 1.25, per million.
const NANO_USD: &str = "0.000325";

fn reply() -> Reply {
    Reply::answer("A short answer.").usage(Usage::new(1_000, 100))
}

/// A provider at which every call uses 1,000 input and 100 output tokens, and a receiver.
async fn start() -> World {
    let provider = Provider::builder().seed(7).default_reply(reply()).start().await.unwrap();
    World { provider, receiver: TestReceiver::start().await }
}

/// Runs an example to its end, and returns what it printed.
async fn run(world: &World, example: &str, arguments: &[&str], input: &'static str) -> String {
    let mut command = world.command(example);
    command
        .args(arguments)
        .env("AZURE_OPENAI_ENDPOINT", world.provider.azure_base_url())
        .env("AZURE_OPENAI_API_KEY", "test")
        .env("AZURE_OPENAI_DEPLOYMENT", "my-deployment")
        // The stand-in is not at a host of OpenAI's.
        .env("SPANLEDGER_PROVIDER", "openai")
        .env("POLL_SECONDS", "0")
        .stdin(Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        // Only some examples read their input.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    });
    let output = ended.await.unwrap();
    check(&output);
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_chat_is_one_event() {
    let here = start().await;
    let printed = run(&here, "chat", &[], "").await;
    assert_eq!(printed, "A short answer.\n");
    let event = here.receiver.event();
    assert_eq!((event.feature.as_deref(), event.route.as_deref()), (Some("haiku"), Some("example:chat")));
    assert_eq!((event.stream, event.cost_usd.unwrap().to_string().as_str()), (true, NANO_USD));
}

#[tokio::test]
async fn a_worker_attributes_each_job_to_its_customer() {
    let here = start().await;
    let printed = run(&here, "worker", &[], "acme a poem\nglobex another poem\nacme a third one\n").await;
    assert_eq!(printed.lines().count(), 3, "{printed}");
    let events = here.receiver.events();
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
    let here = start().await;
    let printed = run(&here, "streaming", &[], "").await;
    assert_eq!(printed, "A short answer.\nA short answer.\n");
    let events = here.receiver.events();
    let endpoints: Vec<_> = events.iter().map(|event| event.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["responses", "chat"]);
    for event in events {
        assert_eq!((event.stream, event.error_code.as_deref()), (true, None));
        assert_eq!(event.cost_usd.unwrap().to_string(), NANO_USD);
    }
}

#[tokio::test]
async fn a_deployment_of_azure_is_priced_by_the_model_that_answers() {
    let here = start().await;
    here.provider.push(reply().model("gpt-4o-2024-08-06"));
    run(&here, "azure", &[], "").await;
    let event = here.receiver.event();
    assert_eq!(event.provider, "azure.ai.openai");
    assert_eq!(event.model.as_deref(), Some("my-deployment"));
    assert_eq!(event.response_model.as_deref(), Some("gpt-4o-2024-08-06"));
    // 1,000 × 2.50 + 100 × 10, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.0035");
}

#[tokio::test]
async fn a_call_with_plain_opentelemetry_is_one_event_with_its_span() {
    let here = start().await;
    run(&here, "plain_opentelemetry", &[], "").await;
    let event = here.receiver.event();
    assert_eq!((event.feature.as_deref(), event.state), (Some("greetings"), EventState::Live));
    assert!(event.trace_id.is_some() && event.parent_span_id.is_some(), "{event:#?}");
    assert_eq!(event.cost_usd.unwrap().to_string(), NANO_USD);
    let counters = here.receiver.counters();
    assert!(counters.spans() > 0 && counters.records() == 1, "the call came both ways");
}

#[tokio::test]
async fn a_batch_is_submitted_by_one_process_and_priced_by_another() {
    let here = start().await;
    let id = run(&here, "batches", &["submit"], "").await;
    let id = id.trim();
    assert_eq!(here.receiver.event().cost_state, "unpriced");
    for _ in 0..2 {
        let printed = run(&here, "batches", &["collect", id], "").await;
        assert_eq!(printed.lines().count(), 3, "{printed}");
    }
    let event = here.receiver.event();
    assert_eq!((event.endpoint.as_str(), event.batch_job_id.as_deref()), ("batch", Some(id)));
    assert_eq!(event.feature.as_deref(), Some("geography"));
    assert_eq!((event.prompt_tokens, event.completion_tokens), (Some(3_000), Some(300)));
    // Half of three calls.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.0004875");
}

#[tokio::test]
async fn a_sink_of_ones_own_passes_the_conformance_suite() {
    let here = start().await;
    assert_eq!(run(&here, "custom_sink", &[], "").await, "the sink fulfills the contract\n");
}
