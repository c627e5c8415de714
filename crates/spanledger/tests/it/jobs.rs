//! Jobs: the call that creates one has the attribution, and any later read of it, also in another process, has the
//! usage. Both are one event.

#![allow(deprecated, reason = "what is still sold is still billed")]

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::{
        InputSource,
        evals::{
            CreateEvalJsonlRunDataSource, CreateEvalRunDataSource, CreateEvalRunRequest,
            EvalJsonlFileIdSource, EvalJsonlSource,
        },
        files::{CreateFileRequest, FileInput, FilePurpose},
        videos::CreateVideoRequest,
    },
};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use spanledger::{Attributed as _, BatchOutput, ExporterConfig, RealtimeSession, Recorder};
use spanledger_event::{CostEvent, EventState, Flag};
use spanledger_testkit::{
    Reply, Usage,
    world::{World, attribution},
};

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

fn typed<T: DeserializeOwned>(fields: Value) -> T {
    serde_json::from_value(fields).unwrap()
}

/// Another process: a client with a recorder of its own, and no attribution.
struct Other {
    client: Client<OpenAIConfig>,
    recorder: Recorder,
}

impl Other {
    fn new(world: &World) -> Self {
        let config = ExporterConfig::to(&world.receiver.http_url()).service_name("poller");
        // The receiver takes the environment of the service for records that state none.
        let recorder =
            Recorder::new(config.resource_attribute("deployment.environment.name", "of-the-poller"));
        let client =
            spanledger::instrument(world.config()).provider("openai").recorder(recorder.clone()).build();
        Self { client, recorder }
    }

    async fn events(&self, world: &World) -> Vec<CostEvent> {
        self.recorder.flush(TIMEOUT).await.unwrap();
        world.events().await
    }

    async fn event(&self, world: &World) -> CostEvent {
        let mut events = self.events(world).await;
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }
}

async fn create_batch(client: &Client<OpenAIConfig>) -> String {
    let chat = json!({"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]});
    let line = |id: &str| {
        json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": chat}).to_string()
    };
    let lines = format!("{}\n{}\n", line("a"), line("b"));
    let source = InputSource::VecU8 { filename: "in.jsonl".to_owned(), vec: lines.into_bytes() };
    let file = FileInput { source };
    let request = CreateFileRequest { file, purpose: FilePurpose::Batch, expires_after: None };
    let request = json!({
        "input_file_id": client.files().create(request).await.unwrap().id,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"job": "nightly"},
    });
    let created = client.batches().attributed(&attribution("digest")).create(typed(request)).await;
    created.unwrap().id
}

#[tokio::test]
async fn a_batch_is_one_event_with_the_attribution_of_its_creation_and_the_cost_of_its_completion() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100).cached(512)).polls(1));
    let id = create_batch(&world.client()).await;
    let pending = world.event().await;
    assert_eq!((pending.cost_state.as_str(), pending.prompt_tokens), ("unpriced", None), "{pending:#?}");

    let poller = Other::new(&world);
    for _ in 0..4 {
        poller.client.batches().retrieve(&id).await.unwrap();
    }
    let event = poller.event(&world).await;
    assert_eq!(event.event_id, pending.event_id);
    assert_eq!((event.endpoint.as_str(), event.state), ("batch", EventState::Live));
    assert_eq!((event.feature.as_deref(), event.environment.as_deref()), (Some("digest"), Some("test")));
    assert_eq!(event.batch_job_id.as_deref(), Some(id.as_str()));
    assert_eq!(event.response_model.as_deref(), Some("gpt-5.5-2026-04-23"));
    assert_eq!((event.prompt_tokens, event.cached_tokens), (Some(2_000), Some(1_024)));
    // The batch rates are half: 976 × 2.5 + 1,024 × 0.25 + 200 × 15, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.005696");
    assert_eq!((event.billed_usd, event.attempts), (event.cost_usd, 1));
}

/// Guarantees: the provider gets the bytes that the user sent, also in the metadata.
#[tokio::test]
async fn nothing_of_ours_is_in_the_batch_at_the_provider() {
    let world = World::start().await;
    create_batch(&world.client()).await;
    let requests = world.provider.requests();
    let sent = requests.iter().find(|request| request.path == "/v1/batches").unwrap();
    assert_eq!(sent.json().unwrap()["metadata"], json!({"job": "nightly"}));
    assert!(sent.headers.keys().all(|name| !name.as_str().contains("spanledger")), "{:?}", sent.headers);
    world.event().await;
}

#[tokio::test]
async fn a_batch_that_failed_costs_nothing() {
    let world = World::start().await;
    world.provider.push(Reply::failed("bad_file", "Not a batch.").polls(0));
    let client = world.client();
    let id = create_batch(&client).await;
    client.batches().retrieve(&id).await.unwrap();
    let event = world.event().await;
    assert_eq!((event.cost_state.as_str(), event.cost_usd.unwrap().to_string()), ("priced", "0".to_owned()));
    assert_eq!((event.error_code.as_deref(), event.feature.as_deref()), (Some("failed"), Some("digest")));
}

/// Guarantees: each request of a batch can have its own customer, and the total of the batch then counts no more,
/// whichever of both was recorded first.
#[tokio::test]
async fn the_requests_of_a_batch_replace_its_total() {
    for total_first in [true, false] {
        let world = World::start().await;
        world.provider.push(Reply::new().usage(Usage::new(1_000, 100)).polls(0));
        let client = world.client();
        let id = create_batch(&client).await;
        let plain = Client::with_config(world.config());
        let reader = if total_first { &client } else { &plain };
        let file = reader.batches().retrieve(&id).await.unwrap().output_file_id.unwrap();
        let output = client.files().content(&file).await.unwrap();
        let batch = BatchOutput::new(&world.provider.base_url(), &id).unwrap().provider("openai");
        for line in std::str::from_utf8(&output).unwrap().lines().chain(["", "not json"]) {
            batch.record_line(&world.recorder, line, |custom_id| Some(attribution(custom_id)));
        }
        if !total_first {
            client.batches().retrieve(&id).await.unwrap();
        }
        let events = world.events().await;
        let live: Vec<_> = events.iter().filter(|event| event.state == EventState::Live).collect();
        let mut features: Vec<_> = live.iter().map(|event| event.feature.as_deref().unwrap()).collect();
        features.sort_unstable();
        assert_eq!(features, ["a", "b"], "{events:#?}");
        for event in live {
            assert_eq!((event.endpoint.as_str(), event.service_tier.as_deref()), ("chat", Some("batch")));
            assert_eq!(event.batch_job_id.as_deref(), Some(id.as_str()));
            // (1,000 × 2.5 + 100 × 15) per million.
            assert_eq!(event.cost_usd.unwrap().to_string(), "0.004");
        }
        let total: Vec<_> = events.iter().filter(|event| event.endpoint == "batch").collect();
        assert!(matches!(total[..], [event] if event.state == EventState::Void), "{total:#?}");
    }
}

/// Guarantees: a batch with more requests than the receiver compares with each other is not counted twice either.
#[tokio::test]
async fn the_requests_of_a_large_batch_replace_its_total_too() {
    const REQUESTS: usize = 300;
    let world = World::start().await;
    let batch = BatchOutput::new(&world.provider.base_url(), "batch_1").unwrap().provider("openai");
    let usage = r#"{"input_tokens":300000,"output_tokens":30000,"total_tokens":330000}"#;
    let completed = format!(
        r#"{{"id":"batch_1","status":"completed","model":"gpt-5.5","created_at":1780000000,"usage":{usage}}}"#
    );
    let json = reqwest::header::HeaderValue::from_static("application/json");
    world.provider.push_for_path("/v1/batches/batch_1", Reply::raw(200, json, completed));
    // The typed client expects more fields; the layer needs none of them.
    drop(world.client().batches().retrieve("batch_1").await);
    for number in 0..REQUESTS {
        let line = format!(
            r#"{{"custom_id":"{number}","response":{{"status_code":200,"body":{{"id":"chatcmpl-{number}",
                "object":"chat.completion","created":1780000000,"model":"gpt-5.5",
                "usage":{{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}}}}}}}"#
        );
        assert!(batch.record_line(&world.recorder, &line, |_| Some(attribution("digest"))));
    }
    let events = world.events().await;
    let live: Vec<_> = events.iter().filter(|event| event.state == EventState::Live).collect();
    assert_eq!(live.len(), REQUESTS);
    assert!(live.iter().all(|event| event.cost_usd.unwrap().to_string() == "0.004"));
    assert_eq!(events.len(), REQUESTS + 1, "the total is void");
}

#[tokio::test]
async fn a_background_response_gets_its_usage_from_a_later_read_once() {
    let world = World::start().await;
    world.provider.push(Reply::answer("Hello.").usage(Usage::new(1_000, 100)).polls(1));
    let client = world.client();
    let request = typed(json!({"model": "gpt-5.5", "input": "Hi", "background": true}));
    let id = client.responses().attributed(&attribution("agent")).create(request).await.unwrap().id;
    assert_eq!(world.event().await.cost_state, "unpriced");

    let poller = Other::new(&world);
    for _ in 0..3 {
        client.responses().retrieve(&id).await.unwrap();
        poller.client.responses().retrieve(&id).await.unwrap();
    }
    let stream = poller.client.responses().retrieve_stream(&id).await.unwrap();
    assert!(stream.all(|event| std::future::ready(event.is_ok())).await);
    let event = poller.event(&world).await;
    assert_eq!((event.endpoint.as_str(), event.feature.as_deref()), ("responses", Some("agent")));
    assert_eq!((event.model.as_deref(), event.response_id.as_deref()), (Some("gpt-5.5"), Some(id.as_str())));
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.008");
    assert_eq!(event.billed_usd, event.cost_usd);
    assert!(!event.flags.contains(&Flag::PossibleDuplicate), "{:?}", event.flags);
}

#[tokio::test]
async fn a_background_response_that_is_read_as_a_stream_gets_its_usage_too() {
    let world = World::start().await;
    world.provider.push(Reply::answer("Hello.").usage(Usage::new(1_000, 100)));
    let client = world.client();
    let request = typed(json!({"model": "gpt-5.5", "input": "Hi", "background": true}));
    let id = client.responses().attributed(&attribution("agent")).create(request).await.unwrap().id;
    let stream = client.responses().retrieve_stream(&id).await.unwrap();
    assert!(stream.all(|event| std::future::ready(event.is_ok())).await);
    assert_eq!(world.event().await.cost_usd.unwrap().to_string(), "0.008");
}

#[tokio::test]
async fn a_response_that_was_billed_is_not_billed_by_a_read() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    let client = world.client();
    let request = typed(json!({"model": "gpt-5.5", "input": "Hi"}));
    let id = client.responses().attributed(&attribution("agent")).create(request).await.unwrap().id;
    let poller = Other::new(&world);
    poller.client.responses().retrieve(&id).await.unwrap();
    let event = poller.event(&world).await;
    assert_eq!((event.cost_usd, event.billed_usd), (event.billed_usd, event.cost_usd));
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.008");
    assert_eq!(poller.recorder.stats().recorded, 0);
}

#[tokio::test]
async fn a_video_costs_its_seconds_when_it_is_complete() {
    let world = World::start().await;
    let client = world.client();
    let request = CreateVideoRequest {
        model: "sora-2".to_owned(),
        prompt: "a cat".to_owned(),
        seconds: Some(typed(json!("8"))),
        ..CreateVideoRequest::default()
    };
    let id = client.videos().attributed(&attribution("clips")).create(request).await.unwrap().id;
    for _ in 0..3 {
        client.videos().retrieve(&id).await.unwrap();
    }
    let event = world.event().await;
    assert_eq!(
        (event.cost_usd.unwrap().to_string().as_str(), event.feature.as_deref()),
        ("0.8", Some("clips"))
    );
}

#[tokio::test]
async fn training_costs_its_tokens_when_the_job_has_succeeded() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(54_321, 0)).polls(0));
    let client = world.client();
    let request = typed(json!({"model": "gpt-4.1-mini", "training_file": "file-1"}));
    let id = client.fine_tuning().attributed(&attribution("training")).create(request).await.unwrap().id;
    client.fine_tuning().retrieve(&id).await.unwrap();
    let event = world.event().await;
    // 54,321 × 5, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.271605");
    assert_eq!(event.feature.as_deref(), Some("training"));
}

#[tokio::test]
async fn a_run_of_an_evaluation_costs_what_its_models_used() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)).polls(0));
    let client = world.client();
    let source = EvalJsonlSource::FileId(EvalJsonlFileIdSource { id: "file-1".to_owned() });
    let data_source = CreateEvalRunDataSource::Jsonl(CreateEvalJsonlRunDataSource { source });
    let request = CreateEvalRunRequest { name: None, data_source, metadata: None };
    let runs = client.evals();
    let id = runs.runs("eval_1").attributed(&attribution("quality")).create(request).await.unwrap().id;
    runs.runs("eval_1").retrieve(&id).await.unwrap();
    let event = world.event().await;
    assert_eq!(event.response_model.as_deref(), Some("gpt-4.1-mini-2025-04-14"));
    // 1,000 × 0.40 + 100 × 1.60, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.00056");
    assert_eq!(event.feature.as_deref(), Some("quality"));
}

#[tokio::test]
async fn a_realtime_session_is_recorded_from_its_events_once() {
    let world = World::start().await;
    let session =
        RealtimeSession::new("https://api.openai.com/v1", "gpt-realtime", &attribution("voice")).unwrap();
    let mut session = session.recorder(world.recorder.clone());
    let done = |id: &str| {
        json!({"type": "response.done", "response": {"id": id, "status": "completed", "usage": {
            "total_tokens": 1_100, "input_tokens": 1_000, "output_tokens": 100,
            "input_token_details": {"text_tokens": 1_000, "audio_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": 100, "audio_tokens": 0},
        }}})
        .to_string()
    };
    for event in [done("resp_1"), done("resp_2"), done("resp_1")] {
        assert!(session.record(&event));
    }
    let events = world.events().await;
    assert_eq!(events.len(), 2, "{events:#?}");
    for event in events {
        assert_eq!((event.endpoint.as_str(), event.feature.as_deref()), ("realtime", Some("voice")));
        assert_eq!(event.model.as_deref(), Some("gpt-realtime"));
        // 1,000 × 4 + 100 × 16, per million.
        assert_eq!(event.cost_usd.unwrap().to_string(), "0.0056");
    }
}
