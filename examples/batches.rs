//! A batch: one process submits it, and another one collects it hours later.
//!
//! ```text
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example batches -- submit
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example batches -- collect batch_…
//! ```
//!
//! The call that creates the batch records whom it is for. The read that finds it completed records what it cost.
//! Both are one event, because both know the provider's id of the batch; nothing is added to the batch itself. It
//! does not matter how often the batch is read, nor by how many processes.

use std::{io::Write as _, time::Duration};

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::{
        InputSource,
        batches::{BatchCompletionWindow, BatchEndpoint, BatchRequest, BatchStatus},
        files::{CreateFileRequest, FileInput, FilePurpose},
    },
};
use serde_json::json;
use spanledger::{Attributed, Attribution, ExporterConfig};

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // The guard flushes at the end, also if the batch has failed or expired: what ran before that is billed.
    let _guard = spanledger::init(ExporterConfig::from_env())?;
    let client = spanledger::instrument(OpenAIConfig::new()).build();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["submit"] => submit(&client).await?,
        ["collect", id] => collect(&client, id).await?,
        _ => return Err("usage: batches submit | batches collect <batch id>".into()),
    }
    Ok(())
}

async fn submit(client: &Client<OpenAIConfig>) -> Result<(), Error> {
    let lines: Vec<String> = ["rivers", "mountains", "lakes"]
        .iter()
        .map(|subject| {
            let content = format!("A sentence about {subject}.");
            let body = json!({"model": "gpt-5.4-nano", "messages": [{"role": "user", "content": content}]});
            json!({"custom_id": subject, "method": "POST", "url": "/v1/chat/completions", "body": body})
                .to_string()
        })
        .collect();
    let source =
        InputSource::VecU8 { filename: "requests.jsonl".to_owned(), vec: lines.join("\n").into_bytes() };
    let upload =
        CreateFileRequest { file: FileInput { source }, purpose: FilePurpose::Batch, expires_after: None };
    let file = client.files().create(upload).await?;

    let attribution = Attribution::builder()
        .feature("geography")
        .route("cron:nightly-sentences")
        .customer_id("internal")
        .environment("development")
        .build()?;
    let request = BatchRequest {
        input_file_id: file.id,
        endpoint: BatchEndpoint::V1ChatCompletions,
        completion_window: BatchCompletionWindow::W24H,
        metadata: None,
        output_expires_after: None,
    };
    let batch = client.batches().attributed(&attribution).create(request).await?;
    writeln!(std::io::stdout(), "{}", batch.id)?;
    Ok(())
}

/// Waits for the batch and prints its answers. Reads need no attribution.
async fn collect(client: &Client<OpenAIConfig>, id: &str) -> Result<(), Error> {
    let output_file_id = loop {
        let batch = client.batches().retrieve(id).await?;
        match batch.status {
            BatchStatus::Completed => {
                break batch.output_file_id.ok_or("no request of the batch succeeded")?;
            }
            BatchStatus::Failed | BatchStatus::Expired | BatchStatus::Cancelled => {
                return Err(format!("the batch {id} ended as {:?}", batch.status).into());
            }
            _ => tokio::time::sleep(poll_interval()).await,
        }
    };
    let output = client.files().content(&output_file_id).await?;
    writeln!(std::io::stdout(), "{}", String::from_utf8_lossy(&output).trim_end())?;
    Ok(())
}

/// A batch takes minutes to hours.
fn poll_interval() -> Duration {
    let seconds = std::env::var("POLL_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(30))
}
