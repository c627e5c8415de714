//! Every billable method of the client ends as one event, with the endpoint, the model, the usage and the price.
//! Reads, listings, deletions and uploads make none.

#![allow(deprecated, reason = "what is still sold is still billed")]

use async_openai::{
    Client,
    config::OpenAIConfig,
    traits::RequestOptionsBuilder as _,
    types::{
        InputSource,
        audio::{AudioInput, AudioResponseFormat, CreateTranscriptionRequest, CreateTranslationRequest},
        containers::CreateContainerRequest,
        evals::{
            CreateEvalJsonlRunDataSource, CreateEvalRunDataSource, CreateEvalRunRequest,
            EvalJsonlFileIdSource, EvalJsonlSource,
        },
        files::{CreateFileRequest, FileInput, FilePurpose},
        images::{
            CreateImageEditRequest, CreateImageVariationRequest, ImageEditInput, ImageInput, ImageModel,
        },
        realtime::{RealtimeCallCreateRequest, RealtimeCreateClientSecretRequest},
        videos::{
            CreateVideoEditRequest, CreateVideoExtendRequest, CreateVideoRequest, RemixVideoRequest,
            VideoEditInput, VideoReferenceInputParam,
        },
    },
};
use futures_util::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use spanledger::Attributed as _;
use spanledger_event::CostEvent;
use spanledger_testkit::{
    Reply, Usage,
    world::{World, attribution},
};

/// The usage of most replies.
const USAGE: Usage = Usage::new(1_000, 100);

/// What the event of a call must say.
struct Expected {
    endpoint: &'static str,
    model: &'static str,
    /// The cost. `None` if the call cannot be priced when it ends.
    usd: Option<&'static str>,
    tokens: (Option<i64>, Option<i64>),
}

impl Expected {
    const fn priced(endpoint: &'static str, model: &'static str, usd: &'static str) -> Self {
        Self { endpoint, model, usd: Some(usd), tokens: (Some(1_000), Some(100)) }
    }

    const fn unpriced(endpoint: &'static str, model: &'static str) -> Self {
        Self { endpoint, model, usd: None, tokens: (None, None) }
    }

    const fn tokens(mut self, prompt: Option<i64>, completion: Option<i64>) -> Self {
        self.tokens = (prompt, completion);
        self
    }
}

/// Makes a test of each call: its reply, what its event must say, and the call.
macro_rules! billable {
    ($($(#[$meta:meta])* $name:ident: $reply:expr => $expected:expr, |$client:ident| $call:expr;)+) => {
        $(
            $(#[$meta])*
            #[tokio::test]
            async fn $name() {
                let world = World::start().await;
                world.provider.push($reply);
                let $client = world.client();
                attribution("coverage").scope(async { $call; }).await;
                check(&world, $expected).await;
            }
        )+
    };
}

async fn check(world: &World, expected: Expected) {
    let event = world.event().await;
    assert_eq!(event.endpoint, expected.endpoint, "{event:#?}");
    let model = event.model.as_deref().or(event.response_model.as_deref()).unwrap_or_default();
    assert_eq!(model, expected.model);
    assert_eq!(event.cost_usd.map(|usd| usd.to_string()).as_deref(), expected.usd, "{:?}", event.cost_detail);
    assert_eq!(event.cost_state, if expected.usd.is_some() { "priced" } else { "unpriced" });
    assert_eq!((event.prompt_tokens, event.completion_tokens), expected.tokens);
    assert_eq!((event.feature.as_deref(), event.error_code.as_deref()), (Some("coverage"), None));
}

/// Makes a typed request from its JSON fields.
fn typed<T: DeserializeOwned>(fields: Value) -> T {
    serde_json::from_value(fields).unwrap()
}

/// Reads a stream to its end.
async fn drain<T, E: std::fmt::Debug>(mut stream: impl Stream<Item = Result<T, E>> + Unpin) {
    while let Some(item) = stream.next().await {
        item.unwrap();
    }
}

fn chat() -> Value {
    json!({"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]})
}

fn response() -> Value {
    json!({"model": "gpt-5.5", "input": "Hi"})
}

fn completion() -> Value {
    json!({"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"})
}

fn image(model: &str) -> Value {
    json!({"model": model, "prompt": "a cat"})
}

fn picture() -> ImageInput {
    ImageInput::from_vec_u8("cat.png".to_owned(), vec![7; 40_000])
}

fn edit() -> CreateImageEditRequest {
    CreateImageEditRequest {
        image: ImageEditInput::Image(picture()),
        prompt: "add a hat".to_owned(),
        model: ImageModel::GptImage2,
        ..CreateImageEditRequest::default()
    }
}

fn variation() -> CreateImageVariationRequest {
    CreateImageVariationRequest {
        image: picture(),
        model: Some(ImageModel::Other("dall-e-2".to_owned())),
        ..CreateImageVariationRequest::default()
    }
}

fn recording() -> AudioInput {
    AudioInput::from_vec_u8("talk.mp3".to_owned(), vec![0; 40_000])
}

fn transcription(model: &str, format: AudioResponseFormat) -> CreateTranscriptionRequest {
    CreateTranscriptionRequest {
        file: recording(),
        model: model.to_owned(),
        response_format: Some(format),
        ..CreateTranscriptionRequest::default()
    }
}

fn translation() -> CreateTranslationRequest {
    CreateTranslationRequest {
        file: recording(),
        model: "whisper-1".to_owned(),
        ..CreateTranslationRequest::default()
    }
}

fn video() -> CreateVideoRequest {
    CreateVideoRequest {
        model: "sora-2".to_owned(),
        prompt: "a cat".to_owned(),
        ..CreateVideoRequest::default()
    }
}

fn eval_run() -> CreateEvalRunRequest {
    let source = EvalJsonlSource::FileId(EvalJsonlFileIdSource { id: "file-1".to_owned() });
    let data_source = CreateEvalRunDataSource::Jsonl(CreateEvalJsonlRunDataSource { source });
    CreateEvalRunRequest { name: None, data_source, metadata: None }
}

async fn upload(client: &Client<OpenAIConfig>) -> String {
    let line = json!({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": chat()});
    let source = InputSource::VecU8 { filename: "in.jsonl".to_owned(), vec: line.to_string().into_bytes() };
    let file = FileInput { source };
    let request = CreateFileRequest { file, purpose: FilePurpose::Batch, expires_after: None };
    client.files().create(request).await.unwrap().id
}

async fn create_batch(client: &Client<OpenAIConfig>) -> String {
    let request = json!({
        "input_file_id": upload(client).await,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    });
    client.batches().create(typed(request)).await.unwrap().id
}

fn reply() -> Reply {
    Reply::new().usage(USAGE)
}

billable! {
    chat_create: reply() => Expected::priced("chat", "gpt-5.5", "0.008"),
        |client| client.chat().create(typed(chat())).await.unwrap();
    chat_create_stream: reply() => Expected::priced("chat", "gpt-5.5", "0.008"),
        |client| drain(client.chat().create_stream(typed(chat())).await.unwrap()).await;
    completions_create: reply() => Expected::priced("completions", "gpt-3.5-turbo-instruct", "0.0017"),
        |client| client.completions().create(typed(completion())).await.unwrap();
    completions_create_stream: reply() =>
        Expected::priced("completions", "gpt-3.5-turbo-instruct", "0.0017"),
        |client| drain(client.completions().create_stream(typed(completion())).await.unwrap()).await;
    responses_create: reply() => Expected::priced("responses", "gpt-5.5", "0.008"),
        |client| client.responses().create(typed(response())).await.unwrap();
    responses_create_stream: reply() => Expected::priced("responses", "gpt-5.5", "0.008"),
        |client| drain(client.responses().create_stream(typed(response())).await.unwrap()).await;
    responses_create_in_the_background: reply() => Expected::unpriced("responses", "gpt-5.5"),
        |client| {
            let mut request = response();
            request["background"] = json!(true);
            client.responses().create(typed(request)).await.unwrap()
        };
    responses_compact: reply() => Expected::priced("responses", "gpt-5.5", "0.008"),
        |client| client.responses().compact(typed(response())).await.unwrap();
    embeddings_create: reply() =>
        Expected::priced("embeddings", "text-embedding-3-small", "0.00002").tokens(Some(1_000), Some(0)),
        |client| {
            let request = json!({"model": "text-embedding-3-small", "input": "Hi"});
            client.embeddings().create(typed(request)).await.unwrap()
        };
    embeddings_create_base64: reply() =>
        Expected::priced("embeddings", "text-embedding-3-small", "0.00002").tokens(Some(1_000), Some(0)),
        |client| {
            let request = json!({"model": "text-embedding-3-small", "input": "Hi", "encoding_format": "base64"});
            client.embeddings().create_base64(typed(request)).await.unwrap()
        };
    images_generate: Reply::new().usage(USAGE.image_out(100)) =>
        Expected::priced("images", "gpt-image-2", "0.008"),
        |client| client.images().generate(typed(image("gpt-image-2"))).await.unwrap();
    images_generate_by_an_older_model: Reply::new() =>
        Expected::priced("images", "dall-e-3", "0.04").tokens(Some(0), Some(0)),
        |client| client.images().generate(typed(image("dall-e-3"))).await.unwrap();
    images_generate_stream: Reply::new().usage(USAGE.image_out(100)) =>
        Expected::priced("images", "gpt-image-2", "0.008"),
        |client| {
            let mut request = image("gpt-image-2");
            request["partial_images"] = json!(2);
            drain(client.images().generate_stream(typed(request)).await.unwrap()).await;
        };
    images_edit: Reply::new().usage(USAGE.image_in(600).image_out(100)) =>
        Expected::priced("images", "gpt-image-2", "0.0098"),
        |client| client.images().edit(edit()).await.unwrap();
    images_edit_stream: Reply::new().usage(USAGE.image_in(600).image_out(100)) =>
        Expected::priced("images", "gpt-image-2", "0.0098"),
        |client| {
            let request = CreateImageEditRequest { stream: Some(true), ..edit() };
            drain(client.images().edit_stream(request).await.unwrap()).await;
        };
    images_create_variation: Reply::new() =>
        Expected::priced("images", "dall-e-2", "0.02").tokens(Some(0), Some(0)),
        |client| client.images().create_variation(variation()).await.unwrap();
    audio_speech_create: Reply::new() =>
        Expected::priced("audio_speech", "tts-1", "0.000075").tokens(Some(0), Some(0)),
        |client| {
            let request = json!({"model": "tts-1", "input": "Hello", "voice": "alloy"});
            client.audio().speech().create(typed(request)).await.unwrap()
        };
    audio_speech_create_stream: reply() => Expected::priced("audio_speech", "gpt-4o-mini-tts", "0.0018"),
        |client| {
            let request = json!({"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy",
                "stream_format": "sse"});
            drain(client.audio().speech().create_stream(typed(request)).await.unwrap()).await;
        };
    audio_transcription_create: Reply::new().usage(USAGE.audio_in(900)) =>
        Expected::priced("audio_transcription", "gpt-4o-transcribe", "0.00665"),
        |client| {
            let request = transcription("gpt-4o-transcribe", AudioResponseFormat::Json);
            client.audio().transcription().create(request).await.unwrap()
        };
    audio_transcription_create_stream: Reply::new().usage(USAGE.audio_in(900)) =>
        Expected::priced("audio_transcription", "gpt-4o-transcribe", "0.00665"),
        |client| {
            let mut request = transcription("gpt-4o-transcribe", AudioResponseFormat::Json);
            request.stream = Some(true);
            drain(client.audio().transcription().create_stream(request).await.unwrap()).await;
        };
    audio_transcription_create_verbose_json: Reply::new().audio_seconds(30.0) =>
        Expected::priced("audio_transcription", "whisper-1", "0.003").tokens(Some(0), Some(0)),
        |client| {
            let request = transcription("whisper-1", AudioResponseFormat::VerboseJson);
            client.audio().transcription().create_verbose_json(request).await.unwrap()
        };
    audio_transcription_create_diarized_json: Reply::new().usage(USAGE.audio_in(900)) =>
        Expected::priced("audio_transcription", "gpt-4o-transcribe-diarize", "0.00665"),
        |client| {
            let request = transcription("gpt-4o-transcribe-diarize", AudioResponseFormat::DiarizedJson);
            client.audio().transcription().create_diarized_json(request).await.unwrap()
        };
    audio_transcription_create_raw: Reply::answer("Hello.") =>
        Expected::unpriced("audio_transcription", "whisper-1"),
        |client| {
            let request = transcription("whisper-1", AudioResponseFormat::Srt);
            client.audio().transcription().create_raw(request).await.unwrap()
        };
    audio_translation_create: Reply::answer("Hello.") =>
        Expected::unpriced("audio_translation", "whisper-1"),
        |client| client.audio().translation().create(translation()).await.unwrap();
    /// The answer states the length of the audio, by which the model is billed.
    audio_translation_create_verbose_json: Reply::answer("Hello.").audio_seconds(29.5) =>
        Expected::priced("audio_translation", "whisper-1", "0.003").tokens(Some(0), Some(0)),
        |client| {
            let mut request = translation();
            request.response_format = Some(typed(json!("verbose_json")));
            client.audio().translation().create_verbose_json(request).await.unwrap()
        };
    audio_translation_create_raw: Reply::answer("Hello.") =>
        Expected::unpriced("audio_translation", "whisper-1"),
        |client| {
            let mut request = translation();
            request.response_format = Some(async_openai::types::audio::TranslationResponseFormat::Text);
            client.audio().translation().create_raw(request).await.unwrap()
        };
    moderations_create: Reply::new() =>
        Expected::priced("moderations", "omni-moderation-latest", "0").tokens(None, None),
        |client| {
            let request = json!({"model": "omni-moderation-latest", "input": "Hi"});
            client.moderations().create(typed(request)).await.unwrap()
        };
    decisions_create: reply() => Expected::priced("other", "gpt-5.5", "0.008"),
        |client| {
            let question = json!({"type": "predicate", "instructions": "Is it late?"});
            let request = json!({"model": "gpt-5.5", "input": "Hi", "questions": [question]});
            client.decisions().create(typed(request)).await.unwrap()
        };
    realtime_create_call: Reply::new() => Expected::unpriced("realtime", ""),
        |client| {
            let offer = RealtimeCallCreateRequest { sdp: "v=0".to_owned(), session: None };
            client.realtime().create_call(offer).await.unwrap()
        };
    batches_create: Reply::new() => Expected::unpriced("batch", ""),
        |client| create_batch(&client).await;
    fine_tuning_create: Reply::new() => Expected::unpriced("other", "gpt-4.1-mini"),
        |client| {
            let request = json!({"model": "gpt-4.1-mini", "training_file": "file-1"});
            client.fine_tuning().create(typed(request)).await.unwrap()
        };
    evals_runs_create: Reply::new() => Expected::unpriced("other", ""),
        |client| client.evals().runs("eval_1").create(eval_run()).await.unwrap();
    videos_create: Reply::new() => Expected::unpriced("other", "sora-2"),
        |client| client.videos().create(video()).await.unwrap();
    videos_remix: Reply::new() => Expected::unpriced("other", "sora-2"),
        |client| {
            let request = RemixVideoRequest { prompt: "a dog".to_owned() };
            client.videos().remix("video_1", request).await.unwrap()
        };
    videos_edit: Reply::new() => Expected::unpriced("other", "sora-2"),
        |client| {
            let video = VideoEditInput::Reference(VideoReferenceInputParam { id: "video_1".to_owned() });
            let request = CreateVideoEditRequest { video, prompt: "a dog".to_owned() };
            client.videos().edit(request).await.unwrap()
        };
    videos_extend: Reply::new() => Expected::unpriced("other", "sora-2"),
        |client| {
            let video = VideoEditInput::Reference(VideoReferenceInputParam { id: "video_1".to_owned() });
            let request = CreateVideoExtendRequest { video, prompt: "a dog".to_owned(), seconds: None };
            client.videos().extend(request).await.unwrap()
        };
    containers_create: Reply::new() => Expected::unpriced("other", ""),
        |client| {
            let request = CreateContainerRequest { name: "c".to_owned(), ..CreateContainerRequest::default() };
            client.containers().create(request).await.unwrap()
        };
}

/// Scenario: the path of a call is overridden with one that the crate does not know. Guarantees: the call is
/// an unpriced event and not silence.
#[tokio::test]
async fn an_unknown_post_is_an_unpriced_event() {
    let world = World::start().await;
    // The answer has the form of Responses, so that the typed client can read it.
    world.provider.push_for_path("/v1/holograms", Reply::new().usage(USAGE));
    let client = world.client();
    attribution("coverage")
        .scope(async {
            let request = typed(json!({"model": "gpt-9", "input": "Hi"}));
            let answer = client.responses().path("/holograms").unwrap().create(request).await;
            assert!(answer.is_err(), "the typed client does not know this object");
        })
        .await;
    check(&world, Expected::unpriced("other", "gpt-9").tokens(Some(1_000), Some(100))).await;
}

#[tokio::test]
async fn a_vector_store_is_an_unpriced_event_because_its_storage_is_billed() {
    let world = World::start().await;
    let client = world.client();
    attribution("coverage")
        .scope(async { client.vector_stores().create(typed(json!({"name": "docs"}))).await.unwrap() })
        .await;
    check(&world, Expected::unpriced("other", "")).await;
}

/// Scenario: no attribution is in scope. Guarantees: reads, listings, changes and deletions, uploads, counts of
/// tokens and commands are sent, and none makes an event.
#[tokio::test]
async fn what_is_not_billed_makes_no_event_and_needs_no_attribution() {
    let world = World::start().await;
    let plain = Client::with_config(world.config());
    let stored = typed(json!({"model": "gpt-5.5", "store": true,
        "messages": [{"role": "user", "content": "Hi"}]}));
    let chat = plain.chat().create(stored).await.unwrap().id;
    let response = plain.responses().create(typed(response())).await.unwrap().id;
    let batch = create_batch(&plain).await;
    let job = json!({"model": "gpt-4.1-mini", "training_file": "file-1"});
    let job = plain.fine_tuning().create(typed(job)).await.unwrap().id;
    let run = plain.evals().runs("eval_1").create(eval_run()).await.unwrap().id;
    let video = plain.videos().create(video()).await.unwrap().id;
    let container = CreateContainerRequest { name: "c".to_owned(), ..CreateContainerRequest::default() };
    let container = plain.containers().create(container).await.unwrap().id;
    let store = plain.vector_stores().create(typed(json!({}))).await.unwrap().id;

    let client = world.client();
    client.models().list().await.unwrap();
    client.models().retrieve("gpt-5.5").await.unwrap();
    client.chat().list().await.unwrap();
    client.chat().retrieve(&chat).await.unwrap();
    client.chat().update(&chat, typed(json!({"metadata": {"a": "b"}}))).await.unwrap();
    client.chat().delete(&chat).await.unwrap();
    client.responses().retrieve(&response).await.unwrap();
    drain(client.responses().retrieve_stream(&response).await.unwrap()).await;
    client.responses().list_input_items(&response).await.unwrap();
    let count = json!({"model": "gpt-5.5", "input": "Hi"});
    client.responses().get_input_token_counts(typed(count)).await.unwrap();
    client.responses().delete(&response).await.unwrap();
    let file = upload(&client).await;
    client.files().list().await.unwrap();
    client.files().retrieve(&file).await.unwrap();
    client.files().content(&file).await.unwrap();
    client.files().delete(&file).await.unwrap();
    client.batches().list().await.unwrap();
    client.batches().cancel(&batch).await.unwrap();
    client.fine_tuning().list_paginated().await.unwrap();
    client.fine_tuning().cancel(&job).await.unwrap();
    client.evals().runs("eval_1").list().await.unwrap();
    client.evals().runs("eval_1").cancel(&run).await.unwrap();
    client.videos().list().await.unwrap();
    client.videos().download_content(&video).await.unwrap();
    client.videos().delete(&video).await.unwrap();
    client.containers().retrieve(&container).await.unwrap();
    client.containers().delete(&container).await.unwrap();
    client.vector_stores().retrieve(&store).await.unwrap();
    client.vector_stores().search(&store, typed(json!({"query": "cats"}))).await.unwrap();
    client.vector_stores().delete(&store).await.unwrap();
    let conversation = client.conversations().create(typed(json!({}))).await.unwrap().id;
    let items = json!({"items": [{"role": "user", "content": "Hi"}]});
    client.conversations().items(&conversation).create(typed(items)).await.unwrap();

    let session = typed(json!({"type": "realtime", "model": "gpt-realtime"}));
    let request = RealtimeCreateClientSecretRequest { session, expires_after: None };
    client.realtime().create_client_secret(request).await.unwrap();

    let events: Vec<CostEvent> = world.events().await;
    assert!(events.is_empty(), "{events:#?}");
}
