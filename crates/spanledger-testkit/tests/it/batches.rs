//! Files and batches, as the typed client reads them.

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::{
        InputSource,
        batches::{BatchRequestOutput, BatchStatus},
        files::{CreateFileRequest, FileInput, FilePurpose},
    },
};
use serde_json::json;
use spanledger_testkit::{Provider, Reply, Usage};

use crate::support::{body, client, get, post, provider, typed};

async fn upload(client: &Client<OpenAIConfig>, lines: &str) -> String {
    let source = InputSource::VecU8 { filename: "in.jsonl".to_owned(), vec: lines.as_bytes().to_vec() };
    let request =
        CreateFileRequest { file: FileInput { source }, purpose: FilePurpose::Batch, expires_after: None };
    client.files().create(request).await.unwrap().id
}

fn line(custom_id: &str, body: &serde_json::Value) -> String {
    json!({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
}

fn lines() -> String {
    let chat = json!({"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]});
    [line("a", &chat), line("b", &chat), line("c", &json!({"model": "gpt-5.5"}))].join("\n")
}

async fn create(provider: &Provider) -> async_openai::types::batches::Batch {
    let client = client(provider);
    let input_file_id = upload(&client, &lines()).await;
    let request = json!({"input_file_id": input_file_id, "endpoint": "/v1/chat/completions",
        "completion_window": "24h", "metadata": {"job": "nightly"}});
    client.batches().create(typed(request)).await.unwrap()
}

#[tokio::test]
async fn a_batch_completes_with_the_sum_of_its_usage_and_a_line_for_each_request() {
    let provider = provider([Reply::answer("Hello.").usage(Usage::new(100, 20).cached(64))]).await;
    let client = client(&provider);
    let created = create(&provider).await;
    assert!(matches!(created.status, BatchStatus::Validating));
    assert_eq!(created.usage.unwrap().total_tokens, 0);

    let working = client.batches().retrieve(&created.id).await.unwrap();
    assert!(matches!(working.status, BatchStatus::InProgress));
    assert_eq!(working.usage.unwrap().total_tokens, 0);

    let done = client.batches().retrieve(&created.id).await.unwrap();
    assert!(matches!(done.status, BatchStatus::Completed));
    assert_eq!(done.model.as_deref(), Some("gpt-5.5-2026-04-23"));
    let usage = done.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (200, 40));
    assert_eq!(usage.input_tokens_details.cached_tokens, 128);
    let counts = done.request_counts.unwrap();
    assert_eq!((counts.total, counts.completed, counts.failed), (3, 2, 1));

    let outputs = async |id: Option<String>| -> Vec<BatchRequestOutput> {
        let content = client.files().content(&id.unwrap()).await.unwrap();
        content
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    };
    let answered = outputs(done.output_file_id).await;
    assert_eq!(answered.iter().map(|line| &*line.custom_id).collect::<Vec<_>>(), ["a", "b"]);
    let bodies: Vec<_> = answered.into_iter().map(|line| line.response.unwrap().body).collect();
    assert_eq!(bodies[0]["usage"]["prompt_tokens"], 100);
    assert_ne!(bodies[0]["id"], bodies[1]["id"]);
    let refused = outputs(done.error_file_id).await;
    assert_eq!(refused[0].custom_id, "c");
    assert_eq!(refused[0].response.as_ref().unwrap().status_code, 400);
}

#[tokio::test]
async fn a_batch_can_stay_in_work_and_be_cancelled_or_fail() {
    let provider =
        provider([Reply::new().polls(5), Reply::failed("bad_file", "Not a batch.").polls(0)]).await;
    let client = client(&provider);
    let created = create(&provider).await;
    for _ in 0..3 {
        let batch = client.batches().retrieve(&created.id).await.unwrap();
        assert!(matches!(batch.status, BatchStatus::InProgress));
    }
    let cancelled = client.batches().cancel(&created.id).await.unwrap();
    assert!(matches!(cancelled.status, BatchStatus::Cancelling));
    let cancelled = client.batches().retrieve(&created.id).await.unwrap();
    assert!(matches!(cancelled.status, BatchStatus::Cancelled));

    let failing = create(&provider).await;
    let failed = client.batches().retrieve(&failing.id).await.unwrap();
    assert!(matches!(failed.status, BatchStatus::Failed));
    assert_eq!(failed.errors.unwrap().data[0].code, "bad_file");
    assert_eq!(client.batches().list().await.unwrap().data.len(), 2);
}

#[tokio::test]
async fn an_older_batch_has_no_usage_and_an_unknown_file_is_refused() {
    let provider = provider([Reply::new().without_usage().polls(0)]).await;
    let created = create(&provider).await;
    let (_, batch) = get(&provider, &format!("/batches/{}", created.id)).await;
    assert_eq!((&batch["status"], batch.get("usage")), (&json!("completed"), None));
    let request =
        json!({"input_file_id": "file-0", "endpoint": "/v1/embeddings", "completion_window": "24h"});
    let refused = post(&provider, "/batches", &request).await;
    assert_eq!(body(refused).await["error"]["param"], "input_file_id");
}

#[tokio::test]
async fn a_file_is_stored_listed_read_and_deleted() {
    let provider = provider([]).await;
    let client = client(&provider);
    let id = upload(&client, "{}\n").await;
    let file = client.files().retrieve(&id).await.unwrap();
    assert_eq!((file.filename.as_str(), file.bytes), ("in.jsonl", Some(3)));
    assert_eq!(&client.files().content(&id).await.unwrap()[..], b"{}\n");
    assert_eq!(client.files().list().await.unwrap().data.len(), 1);
    assert!(client.files().delete(&id).await.unwrap().deleted);
    assert_eq!(get(&provider, &format!("/files/{id}")).await.0, 404);
}
