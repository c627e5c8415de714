//! Fine-tuning, evaluations and videos, as the typed client reads them.

#![allow(deprecated, reason = "videos are billed until they are shut down")]

use async_openai::types::{
    evals::{
        CreateEvalJsonlRunDataSource, CreateEvalRunDataSource, CreateEvalRunRequest, EvalJsonlFileIdSource,
        EvalJsonlSource, EvalRunStatus,
    },
    finetuning::FineTuningJobStatus,
    videos::{CreateVideoRequest, RemixVideoRequest, VideoStatus},
};
use serde_json::json;
use spanledger_testkit::{Reply, Usage};

use crate::support::{client, get, post, provider, typed};

#[tokio::test]
async fn a_fine_tuning_job_succeeds_with_its_trained_tokens() {
    let provider = provider([Reply::new().usage(Usage::new(54_321, 0))]).await;
    let client = client(&provider);
    let request = json!({"model": "gpt-4.1-mini", "training_file": "file-1"});
    let job = client.fine_tuning().create(typed(request)).await.unwrap();
    assert!(matches!(job.status, FineTuningJobStatus::ValidatingFiles));
    assert_eq!((job.model.as_str(), job.trained_tokens), ("gpt-4.1-mini-2025-04-14", None));
    let running = client.fine_tuning().retrieve(&job.id).await.unwrap();
    assert!(matches!(running.status, FineTuningJobStatus::Running));
    let done = client.fine_tuning().retrieve(&job.id).await.unwrap();
    assert!(matches!(done.status, FineTuningJobStatus::Succeeded));
    assert_eq!(done.trained_tokens, Some(54_321));
    assert!(done.fine_tuned_model.unwrap().starts_with("ft:gpt-4.1-mini-2025-04-14:"));
    assert_eq!(client.fine_tuning().list_paginated().await.unwrap().data.len(), 1);
    let cancelled = client.fine_tuning().cancel(&job.id).await.unwrap();
    assert!(matches!(cancelled.status, FineTuningJobStatus::Cancelled));
}

#[tokio::test]
async fn a_run_of_an_evaluation_completes_with_the_usage_of_each_model() {
    let provider = provider([Reply::new().usage(Usage::new(900, 60).cached(128))]).await;
    let client = client(&provider);
    let source = EvalJsonlSource::FileId(EvalJsonlFileIdSource { id: "file-1".to_owned() });
    let request = CreateEvalRunRequest {
        name: Some("nightly".to_owned()),
        data_source: CreateEvalRunDataSource::Jsonl(CreateEvalJsonlRunDataSource { source }),
        metadata: None,
    };
    let run = client.evals().runs("eval_1").create(request).await.unwrap();
    assert!(matches!(run.status, EvalRunStatus::Queued));
    assert!(run.per_model_usage.is_none());
    client.evals().runs("eval_1").retrieve(&run.id).await.unwrap();
    let done = client.evals().runs("eval_1").retrieve(&run.id).await.unwrap();
    assert!(matches!(done.status, EvalRunStatus::Completed));
    let usage = &done.per_model_usage.unwrap()[0];
    assert_eq!((usage.model_name.as_str(), usage.cached_tokens), ("gpt-4.1-mini-2025-04-14", 128));
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (900, 60, 960));
    assert_eq!(client.evals().runs("eval_1").list().await.unwrap().data.len(), 1);
}

#[tokio::test]
async fn an_evaluation_is_created_without_a_billed_call() {
    // The typed client cannot read the object: it expects the type of the data source twice.
    let provider = provider([Reply::new()]).await;
    let request =
        json!({"data_source_config": {"type": "custom", "item_schema": {}}, "testing_criteria": []});
    let eval = crate::support::body(post(&provider, "/evals", &request).await).await;
    assert_eq!((&eval["object"], &eval["data_source_config"]["type"]), (&json!("eval"), &json!("custom")));
    let (status, read) = get(&provider, &format!("/evals/{}", eval["id"].as_str().unwrap())).await;
    assert_eq!((status, read), (200, eval));
    assert_eq!(provider.scripted(), 1, "only a run takes a reply");
}

#[tokio::test]
async fn a_video_names_its_model_seconds_and_size() {
    let provider = provider([Reply::answer("mp4")]).await;
    let client = client(&provider);
    let request = CreateVideoRequest {
        model: "sora-2".to_owned(),
        prompt: "a cat".to_owned(),
        seconds: Some(typed(json!("8"))),
        size: Some(typed(json!("1280x720"))),
        ..CreateVideoRequest::default()
    };
    let video = client.videos().create(request).await.unwrap();
    assert!(matches!(video.status, VideoStatus::Queued));
    assert_eq!(
        (video.model.as_str(), json!(video.seconds), json!(video.size)),
        ("sora-2", json!("8"), json!("1280x720"))
    );
    client.videos().retrieve(&video.id).await.unwrap();
    let done = client.videos().retrieve(&video.id).await.unwrap();
    assert!(matches!(done.status, VideoStatus::Completed));
    assert_eq!(&client.videos().download_content(&video.id).await.unwrap()[..], b"mp4");

    let remix =
        client.videos().remix(&video.id, RemixVideoRequest { prompt: "a dog".to_owned() }).await.unwrap();
    assert_eq!((remix.remixed_from_video_id, json!(remix.seconds)), (Some(video.id.clone()), json!("8")));
    assert_eq!(client.videos().list().await.unwrap().data.len(), 2);
    assert!(client.videos().delete(&video.id).await.unwrap().deleted);
}
