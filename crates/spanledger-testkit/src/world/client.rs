//! A receiver, the stand-in provider, and a client that the crate `spanledger` instruments.

use std::{sync::Once, time::Duration};

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{
        ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
    },
};
use spanledger::{Attribution, ExporterConfig, Instrument, Recorder};
use spanledger_event::CostEvent;

use super::{TestReceiver, receiver::only};
use crate::Provider;

/// The time after which [`World::events`] gives up waiting for the records of ended calls. Only a defect
/// takes that long.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the exporter waits for more records before it sends what it has.
const LINGER: Duration = Duration::from_millis(5);

/// A service, its provider and its receiver.
#[derive(Debug)]
pub struct World {
    /// The stand-in for OpenAI.
    pub provider: Provider,
    /// The receiver and its ledger.
    pub receiver: TestReceiver,
    /// Sends the records of the service's calls to the receiver.
    pub recorder: Recorder,
}

impl World {
    /// Starts the provider, the receiver and the recorder.
    pub async fn start() -> Self {
        keep_spans_enabled();
        let receiver = TestReceiver::start().await;
        let mut export = ExporterConfig::to(&receiver.http_url()).service_name("api");
        export.linger = LINGER;
        let provider = Provider::builder().seed(7).start().await.unwrap();
        Self { provider, receiver, recorder: Recorder::new(export) }
    }

    /// The configuration of a client of the stand-in provider.
    pub fn config(&self) -> OpenAIConfig {
        OpenAIConfig::new().with_api_base(self.provider.base_url()).with_api_key("test")
    }

    /// A builder of an instrumented client of the stand-in provider, with the prices of OpenAI.
    pub fn instrument(&self) -> Instrument<OpenAIConfig> {
        spanledger::instrument(self.config()).provider("openai").recorder(self.recorder.clone())
    }

    /// An instrumented client of the stand-in provider.
    pub fn client(&self) -> Client<OpenAIConfig> {
        self.instrument().build()
    }

    /// Waits until the records of all ended calls have arrived, and returns all events, oldest first.
    pub async fn events(&self) -> Vec<CostEvent> {
        self.recorder.flush(FLUSH_TIMEOUT).await.unwrap();
        self.receiver.events()
    }

    /// The only event. Panics if the ledger has none or more than one.
    pub async fn event(&self) -> CostEvent {
        only(self.events().await)
    }
}

/// Keeps spans enabled in the whole process.
///
/// `tracing` caches for each kind of span whether any subscriber is interested in it. Tests with a subscriber
/// of their own run at the same time as tests without one, and a test without a subscriber could disable the
/// span for all of them. A global subscriber that accepts every span prevents that.
pub fn keep_spans_enabled() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
}

/// An attribution with this feature, route `/search`, customer `acme` and environment `test`.
pub fn attribution(feature: &str) -> Attribution {
    Attribution::builder()
        .feature(feature)
        .route("/search")
        .customer_id("acme")
        .environment("test")
        .build()
        .unwrap()
}

/// A request for a chat completion of `gpt-5.5`.
pub fn chat_request(text: &str) -> CreateChatCompletionRequest {
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build().unwrap();
    CreateChatCompletionRequestArgs::default().model("gpt-5.5").messages([message.into()]).build().unwrap()
}
