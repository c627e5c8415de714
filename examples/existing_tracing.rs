//! A job of a service that already has `tracing`, `tracing-opentelemetry` and an OTLP exporter. The set-up stays as it
//! is: only the client's line and the attribution are new, and a sampler that keeps the spans of AI calls.
//!
//! ```text
//! cargo run --quiet -- serve --forward-traces http://localhost:14318        # in one terminal
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example existing_tracing   # in another
//! ```
//!
//! `OPENAI_BASE_URL` names a compatible server instead of OpenAI's.

use std::{error::Error, time::Duration};

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use spanledger::{Attributed, Attribution, KeepGenAi};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The usual set-up. Its sampler keeps one trace of a hundred.
fn set_up_tracing() -> Result<SdkTracerProvider, Box<dyn Error>> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
    let one_percent = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.01)));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        // New: the spans of AI calls are always kept. Their records do not depend on it.
        .with_sampler(KeepGenAi::new(one_percent))
        .build();
    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("digest")))
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_filter(EnvFilter::from_default_env()),
        )
        .init();
    Ok(provider)
}

#[tracing::instrument(skip(client))]
async fn summarize(client: Client<OpenAIConfig>, article: u32) -> Result<(), Box<dyn Error + Send + Sync>> {
    let text = format!("Summarize article {article} in one sentence.");
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build()?;
    let request = CreateChatCompletionRequestArgs::default()
        .model("gpt-5.4-nano")
        .messages([message.into()])
        .build()?;
    let response = client.chat().create(request).await?;
    let tokens = response.usage.map(|usage| usage.total_tokens);
    tracing::info!(article, tokens, "summarized");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = set_up_tracing()?;
    let client = spanledger::instrument(OpenAIConfig::new()).provider("openai").build();

    let attribution = Attribution::builder()
        .feature("digest")
        .route("cron:nightly-digest")
        .customer_id("internal")
        .environment("development")
        .build()?;
    attribution
        .scope(async {
            let tasks: Vec<_> = (1..=3)
                .map(|article| {
                    // The span is created inside the scope, and carries the attribution into the task.
                    let span = info_span!("task", article);
                    tokio::spawn(summarize(client.clone(), article).instrument(span))
                })
                .collect();
            for task in tasks {
                task.await?.map_err(|error| error as Box<dyn Error>)?;
            }
            Ok::<(), Box<dyn Error>>(())
        })
        .await?;

    spanledger::flush(Duration::from_secs(5)).await?;
    // The shutdown of the SDK blocks.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}
