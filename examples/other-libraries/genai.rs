//! A service that calls models through genai with its feature `otel`. A `tracing` layer attributes, prices and records
//! its calls.
//!
//! ```text
//! cargo run --quiet -- serve                                                    # in one terminal
//! OPENAI_API_KEY=… cargo run --package spanledger-other-libraries --example genai   # in another
//! ```
//!
//! `OPENAI_BASE_URL` names a compatible server instead of OpenAI's.

use std::{error::Error, time::Duration};

use futures_util::StreamExt as _;
use genai::{
    Client, ServiceTarget,
    chat::{ChatMessage, ChatOptions, ChatRequest},
    resolver::{Endpoint, ServiceTargetResolver},
};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanledger::{Attributed, Attribution, GenAiLayer};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// A client whose base URL can be changed as that of the other examples.
fn client() -> Result<Client, genai::Error> {
    let Ok(base_url) = std::env::var("OPENAI_BASE_URL") else { return Client::new() };
    let resolve = move |target: ServiceTarget| -> Result<ServiceTarget, genai::resolver::Error> {
        let endpoint = Endpoint::from_owned(format!("{}/", base_url.trim_end_matches('/')));
        Ok(ServiceTarget { endpoint, ..target })
    };
    Client::builder().with_service_target_resolver(ServiceTargetResolver::from_resolver_fn(resolve)).build()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    tracing_subscriber::registry()
        // New, and before the layer of OpenTelemetry.
        .with(GenAiLayer::new())
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("digest")))
        // The filter is only for the log output. A filter for all layers could exclude genai's spans.
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_filter(EnvFilter::from_default_env()),
        )
        .init();

    let attribution = Attribution::builder()
        .feature("digest")
        .route("cron:nightly-digest")
        .customer_id("internal")
        .environment("development")
        .build()?;
    attribution
        .scope(async {
            let client = client()?;
            let request = |text: &str| ChatRequest::new(vec![ChatMessage::user(text)]);
            client.exec_chat("gpt-4o-mini", request("Name the first colour of the rainbow."), None).await?;
            // Without this option genai does not ask for the usage of a stream.
            let options = ChatOptions::default().with_capture_usage(true);
            let request = request("Name the last one.");
            let mut stream = client.exec_chat_stream("gpt-4o-mini", request, Some(&options)).await?.stream;
            while let Some(event) = stream.next().await {
                event?;
            }
            client.embed("text-embedding-3-small", "rainbow", None).await?;
            Ok::<(), Box<dyn Error>>(())
        })
        .await?;

    spanledger::flush(Duration::from_secs(5)).await?;
    // The shutdown of the SDK blocks.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}
