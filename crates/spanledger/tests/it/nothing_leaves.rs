//! Nothing internal leaves for the provider: no attribution, no baggage and no header of ours.

use async_openai::{
    traits::RequestOptionsBuilder as _,
    types::{
        InputSource,
        audio::{AudioInput, CreateTranscriptionRequest},
        batches::{BatchCompletionWindow, BatchEndpoint, BatchRequest},
        files::{CreateFileRequest, FileInput, FilePurpose},
    },
};
use futures_util::StreamExt as _;
use opentelemetry::{Context, KeyValue, baggage::BaggageExt as _, context::FutureExt as _};
use spanledger::{Attributed as _, Attribution};
use spanledger_testkit::{
    Reply,
    world::{World, chat_request},
};

/// Words that occur in the attribution and in the baggage, and nowhere in the user's request.
const INTERNAL: [&str; 8] = [
    "spanledger",
    "zz-feature",
    "zz-route",
    "zz-customer",
    "zz-environment",
    "zz-request",
    "zz-team",
    "zz-tenant",
];

fn attribution() -> Attribution {
    Attribution::builder()
        .feature("zz-feature")
        .route("zz-route")
        .customer_id("zz-customer")
        .environment("zz-environment")
        .request_id("zz-request")
        .dim("team", "zz-team")
        .build()
        .unwrap()
}

/// Checks every byte that the provider received.
fn check(world: &World, count: usize) {
    let requests = world.provider.requests();
    assert_eq!(requests.len(), count);
    for request in requests {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let values: Vec<String> = request.headers.values().map(|value| text(value.as_bytes())).collect();
        let names = request.headers.keys().map(|name| name.as_str().to_owned());
        let sent: Vec<String> = [request.path, request.query.unwrap_or_default()]
            .into_iter()
            .chain([text(&request.body)])
            .chain(names)
            .chain(values)
            .collect();
        for text in &sent {
            let text = text.to_lowercase();
            assert!(
                !INTERNAL.iter().any(|word| text.contains(word)) && text != "baggage",
                "{text} in {sent:#?}"
            );
        }
    }
}

/// Makes calls in a scope, a context with baggage and with attached attributions, with retries, and one call that
/// cannot be billed.
#[tokio::test]
async fn nothing_internal_is_sent_to_the_provider() {
    let world = World::start().await;
    let client = world.client();
    let attribution = attribution();
    let baggage = Context::new().with_baggage([KeyValue::new("tenant", "zz-tenant")]);
    let calls = async {
        // The first attempt fails, and the request is built again.
        world.provider.push(Reply::status(500));
        let group = client.chat().header("baggage", "tenant=zz-tenant").unwrap().attributed(&attribution);
        group.create(chat_request("one")).await.unwrap();
        let stream = client.chat().attributed(&attribution).create_stream(chat_request("two")).await.unwrap();
        stream.for_each(|_| async {}).await;
        client.chat().create(chat_request("three")).await.unwrap();
        let group = client.models().header("baggage", "tenant=zz-tenant").unwrap().attributed(&attribution);
        group.list().await.unwrap();
    };
    let context = attribution.in_baggage(&baggage);
    attribution.scope(calls).with_context(context).await;
    check(&world, 5);
    assert_eq!(world.events().await.len(), 3);
}

/// The ways on which a request is built again or read as it passes: an upload that is repeated, a stream whose option
/// is refused, a job that is created and read.
#[tokio::test]
async fn nothing_internal_is_sent_with_uploads_refused_options_and_jobs() {
    let world = World::start().await;
    let client = world.client();
    let attribution = attribution();
    let baggage = Context::new().with_baggage([KeyValue::new("tenant", "zz-tenant")]);
    let calls = async {
        world.provider.push(Reply::status(500));
        let request = CreateTranscriptionRequest {
            file: AudioInput::from_vec_u8("talk.mp3".to_owned(), vec![0; 4_000]),
            model: "whisper-1".to_owned(),
            ..CreateTranscriptionRequest::default()
        };
        let audio = client.audio();
        let group = audio.transcription().header("baggage", "tenant=zz-tenant").unwrap();
        group.attributed(&attribution).create(request).await.unwrap();

        let refusal = r#"{"error":{"message":"Unknown parameter: stream_options","param":"stream_options"}}"#;
        world.provider.push(Reply::raw(400, "application/json".parse().unwrap(), refusal));
        let group = client.chat().header("baggage", "tenant=zz-tenant").unwrap().attributed(&attribution);
        let stream = group.create_stream(chat_request("two")).await.unwrap();
        stream.for_each(|_| async {}).await;

        let line = r#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-5.5",
            "messages":[]}}"#;
        let vec = line.replace('\n', "").into_bytes();
        let source = InputSource::VecU8 { filename: "requests.jsonl".to_owned(), vec };
        let upload = CreateFileRequest {
            file: FileInput { source },
            purpose: FilePurpose::Batch,
            expires_after: None,
        };
        let file = client.files().attributed(&attribution).create(upload).await.unwrap();
        let request = BatchRequest {
            input_file_id: file.id,
            endpoint: BatchEndpoint::V1ChatCompletions,
            completion_window: BatchCompletionWindow::W24H,
            metadata: None,
            output_expires_after: None,
        };
        let group = client.batches().header("baggage", "tenant=zz-tenant").unwrap().attributed(&attribution);
        let batch = group.create(request).await.unwrap();
        let group = client.batches().header("baggage", "tenant=zz-tenant").unwrap().attributed(&attribution);
        group.retrieve(&batch.id).await.unwrap();
    };
    let context = attribution.in_baggage(&baggage);
    attribution.scope(calls).with_context(context).await;
    check(&world, 7);
    assert_eq!(world.events().await.len(), 3);
}

#[tokio::test]
async fn the_attribution_of_the_contexts_baggage_counts_where_no_scope_states_one() {
    let world = World::start().await;
    let client = world.client();
    let call = || async { client.chat().create(chat_request("one")).await };
    let context = attribution().in_baggage(&Context::new());
    async { call().await.unwrap() }.with_context(context.clone()).await;
    let other = spanledger_testkit::world::attribution("of the scope");
    other.scope(async { call().await.unwrap() }).with_context(context).await;
    let features: Vec<_> = world.events().await.into_iter().map(|event| event.feature.unwrap()).collect();
    assert_eq!(features, ["zz-feature", "of the scope"]);
    // A baggage that lacks a field is no attribution.
    let incomplete = [KeyValue::new("spanledger.feature", "zz-feature")];
    let context = Context::new().with_baggage(incomplete);
    async { call().await.unwrap_err() }.with_context(context).await;
    check(&world, 2);
}
