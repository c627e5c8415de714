//! The clients that are compared. The bare one has none of Spanledger's code.

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{
        ChatCompletionRequestUserMessageArgs, ChatCompletionStreamOptions, CreateChatCompletionRequest,
        CreateChatCompletionRequestArgs,
    },
};
use futures_util::StreamExt as _;
use spanledger::{Attributed as _, Attribution, Recorder, SpanledgerLayer};
use tower::{Layer as _, service_fn};

use crate::memory::{self, Reply};

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// To a service in the same process.
    Memory(Reply),
    /// To a server with this base URL.
    Http(String),
}

/// What the layer of a client needs.
#[derive(Clone, Debug)]
pub(crate) struct Layered {
    pub(crate) recorder: Recorder,
    pub(crate) attribution: Attribution,
}

/// A client with or without the layer.
#[derive(Clone, Debug)]
pub(crate) struct TestedClient {
    client: Client<OpenAIConfig>,
    attribution: Option<Attribution>,
}

impl TestedClient {
    /// A client of the target, which has the layer if `layered` is given.
    pub(crate) fn new(target: &Target, layered: Option<&Layered>) -> Self {
        let config = OpenAIConfig::new().with_api_key("key");
        let client = match (target, layered) {
            (Target::Memory(reply), None) => {
                let reply = *reply;
                let service = service_fn(move |factory| memory::answer(factory, reply));
                Client::with_config(config).with_http_service(service)
            }
            (Target::Memory(reply), Some(layered)) => {
                let reply = *reply;
                let service = service_fn(move |factory| memory::answer(factory, reply));
                let layer = SpanledgerLayer::new().with_recorder(layered.recorder.clone());
                Client::with_config(config).with_http_service(layer.layer(service))
            }
            (Target::Http(url), None) => Client::with_config(config.with_api_base(url)),
            (Target::Http(url), Some(layered)) => spanledger::instrument(config.with_api_base(url))
                .provider("openai")
                .recorder(layered.recorder.clone())
                .build(),
        };
        Self { client, attribution: layered.map(|layered| layered.attribution.clone()) }
    }

    fn chat(&self) -> async_openai::Chat<'_, OpenAIConfig> {
        match &self.attribution {
            Some(attribution) => self.client.chat().attributed(attribution),
            None => self.client.chat(),
        }
    }

    /// Makes a call.
    pub(crate) async fn call(&self, request: CreateChatCompletionRequest) {
        let answer = self.chat().create(request).await.unwrap();
        assert!(answer.usage.is_some(), "every answer has a usage");
    }

    /// Makes a call and reads its stream. Returns the number of chunks.
    pub(crate) async fn stream(&self, request: CreateChatCompletionRequest) -> usize {
        let mut stream = self.chat().create_stream(request).await.unwrap();
        let mut chunks = 0;
        while let Some(chunk) = stream.next().await {
            drop(chunk.unwrap());
            chunks += 1;
        }
        chunks
    }
}

/// A request whose prompt has one kilobyte.
///
/// A stream over HTTP asks for its usage, so that all clients receive the same bytes. In memory it does not, so that
/// the layer has to ask for it and to hide it.
pub(crate) fn request(target: &Target, is_stream: bool) -> CreateChatCompletionRequest {
    let text = "x".repeat(1_000);
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build().unwrap();
    let mut request = CreateChatCompletionRequestArgs::default();
    request.model("gpt-5.5").messages([message.into()]);
    if is_stream && matches!(target, Target::Http(_)) {
        let usage = ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None };
        request.stream_options(usage);
    }
    request.build().unwrap()
}
