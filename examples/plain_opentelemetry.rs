//! OpenTelemetry without `tracing`: the spans of the calls are made through OpenTelemetry's own API.
//!
//! ```text
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example plain_opentelemetry
//! ```
//!
//! The spans go to the receiver too (`OTEL_EXPORTER_OTLP_ENDPOINT`, `http://localhost:4317` by default), which can
//! pass them on to a trace backend. A call is one event, although both its span and its record arrive.

use std::{io::Write as _, time::Duration};

use async_openai::{
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use opentelemetry::{
    Context, global,
    trace::{FutureExt as _, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use spanledger::{Attributed, Attribution};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // The usual set-up. A call finds the global provider when it starts.
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
    let tracer_provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("greeter").build())
        .build();
    global::set_tracer_provider(tracer_provider.clone());

    // The span of the call becomes a child of this one, and the context also carries the attribution: it follows
    // the context into every task that takes it along.
    let span = global::tracer("greeter").start("greet");
    let attribution = Attribution::builder()
        .feature("greetings")
        .route("example:plain_opentelemetry")
        .customer_id("internal")
        .environment("development")
        .build()?;
    let context = attribution.in_context(&Context::current_with_span(span));
    tokio::spawn(greet().with_context(context)).await??;

    // The spans and the records are two ways to the receiver; both are flushed.
    tokio::task::spawn_blocking(move || tracer_provider.shutdown()).await??;
    spanledger::flush(Duration::from_secs(5)).await?;
    Ok(())
}

async fn greet() -> Result<(), Error> {
    let client = spanledger::instrument(OpenAIConfig::new()).build();
    let message = ChatCompletionRequestUserMessageArgs::default().content("Say hello.").build()?;
    let request = CreateChatCompletionRequestArgs::default()
        .model("gpt-5.4-nano")
        .messages([message.into()])
        .build()?;
    let answer = client.chat().create(request).await?;
    for choice in answer.choices {
        writeln!(std::io::stdout(), "{}", choice.message.content.unwrap_or_default())?;
    }
    Ok(())
}
