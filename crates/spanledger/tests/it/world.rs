//! Everything that a call passes, in one process.

use std::{sync::Once, time::Duration};

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{
        ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
    },
};
use spanledger::{Attribution, ExporterConfig, Recorder};
use spanledger_event::CostEvent;
use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_receiver::{Pipeline, RunningServer, Server};
use spanledger_testkit::Provider;

pub(crate) struct World {
    pub(crate) provider: Provider,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    _server: RunningServer,
    _folder: tempfile::TempDir,
}

/// Tests with a subscriber of their own run beside tests without one. `tracing` remembers for all
/// of them when nobody listens to a span; with a subscriber for the process somebody always does.
static LISTENING: Once = Once::new();

impl World {
    pub(crate) async fn start() -> Self {
        LISTENING
            .call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
        let pipeline = Pipeline::new(ledger.clone(), PriceBook::builtin(), ObservationReader::default());
        let server = Server::builder().bind().await.unwrap().spawn(pipeline);
        let mut export =
            ExporterConfig::to(&format!("http://{}", server.addresses().http)).service_name("api");
        export.linger = Duration::from_millis(5);
        Self {
            provider: Provider::builder().seed(7).start().await.unwrap(),
            ledger,
            recorder: Recorder::new(export),
            _server: server,
            _folder: folder,
        }
    }

    pub(crate) fn config(&self) -> OpenAIConfig {
        OpenAIConfig::new().with_api_base(self.provider.base_url()).with_api_key("test")
    }

    pub(crate) fn client(&self) -> Client<OpenAIConfig> {
        spanledger::instrument(self.config()).recorder(self.recorder.clone()).build()
    }

    /// All events, oldest first, after everything that ended has arrived.
    pub(crate) async fn events(&self) -> Vec<CostEvent> {
        self.recorder.flush(Duration::from_secs(20)).await.unwrap();
        let mut events: Vec<CostEvent> = self
            .ledger
            .reader()
            .unwrap()
            .changes_after(0, usize::MAX)
            .unwrap()
            .into_iter()
            .map(|change| change.event)
            .collect();
        events.sort_by_key(|event| event.timestamp);
        events
    }

    pub(crate) async fn event(&self) -> CostEvent {
        let mut events = self.events().await;
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }
}

pub(crate) fn attribution(feature: &str) -> Attribution {
    Attribution::builder()
        .feature(feature)
        .route("/search")
        .customer_id("acme")
        .environment("test")
        .build()
        .unwrap()
}

pub(crate) fn chat(text: &str) -> CreateChatCompletionRequest {
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build().unwrap();
    CreateChatCompletionRequestArgs::default().model("gpt-5.5").messages([message.into()]).build().unwrap()
}
