//! A service that calls models through rig. A `tracing` layer attributes, prices and records its calls.
//!
//! ```text
//! cargo run --quiet -- serve                                                  # in one terminal
//! OPENAI_API_KEY=… cargo run --package spanledger-other-libraries --example rig   # in another
//! ```
//!
//! `OPENAI_BASE_URL` names a compatible server instead of OpenAI's.

use std::{error::Error, time::Duration};

use futures_util::StreamExt as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rig_core::{completion::CompletionRequest, providers::openai::OpenAI};
use spanledger::{Attributed, Attribution, GenAiLayer};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    tracing_subscriber::registry()
        // New, and before the layer of OpenTelemetry.
        .with(GenAiLayer::new())
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("digest")))
        // The filter is only for the log output. A filter for all layers could exclude rig's spans.
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
            let openai = OpenAI::from_env()?;
            // The Responses API
            let model = openai.completion("gpt-5.4-nano");
            model.call(CompletionRequest::new("Name the first colour of the rainbow.")).await?;
            // A stream of the Chat Completions API
            let mut stream =
                openai.chat("gpt-5.4-nano").stream(CompletionRequest::new("Name the last one."))?;
            while let Some(event) = stream.next().await {
                event?;
            }
            // rig puts the usage of a stream on its span only here.
            stream.finish().await?;
            openai.embedding("text-embedding-3-small", None).call(vec!["rainbow".to_owned()]).await?;
            Ok::<(), Box<dyn Error>>(())
        })
        .await?;

    spanledger::flush(Duration::from_secs(5)).await?;
    // The shutdown of the SDK blocks.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}
