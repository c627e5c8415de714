use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;

use super::*;

fn pipeline() -> (tempfile::TempDir, Pipeline) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
    (folder, Pipeline::new(ledger, PriceBook::builtin(), ObservationReader::default()))
}

async fn run(task: Task, pipeline: &Pipeline, more: serde_json::Value) -> Result<serde_json::Value, Refused> {
    let mut body = serde_json::json!({ "ledger": pipeline.ledger().id() });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    task.run(body.to_string().as_bytes(), pipeline).await
}

#[tokio::test]
async fn a_task_is_refused_while_another_one_is_at_work() {
    let (_folder, pipeline) = pipeline();
    let none = serde_json::json!({});
    let working = pipeline.upkeep().lock().await;
    for task in [Task::Refold, Task::Compact] {
        let (status, words) = run(task, &pipeline, none.clone()).await.unwrap_err();
        assert!(status == StatusCode::CONFLICT && words.contains("another command"), "{words}");
    }
    drop(working);
    run(Task::Refold, &pipeline, none).await.unwrap();
}

#[tokio::test]
async fn a_sink_is_forgotten_unless_the_server_delivers_to_it() {
    let (_folder, pipeline) = pipeline();
    let sink = spanledger_sinks::build(spanledger_sinks::SINKS, [("audit", &audit())]).unwrap().remove(0);
    pipeline.set_sinks(vec![(crate::SinkStatus::new("audit", "stdout"), sink)]);
    pipeline.ledger().advance("audit", 0).await.unwrap();
    pipeline.ledger().advance("old", 0).await.unwrap();
    let (status, words) =
        run(Task::Forget, &pipeline, serde_json::json!({ "sink": "audit" })).await.unwrap_err();
    assert!(status == StatusCode::CONFLICT && words.contains("remove it from the configuration"), "{words}");
    for is_known in [true, false] {
        let answer = run(Task::Forget, &pipeline, serde_json::json!({ "sink": "old" })).await.unwrap();
        assert_eq!(answer["forgotten"], is_known);
    }
}

#[tokio::test]
async fn a_pruning_needs_a_moment() {
    let (_folder, pipeline) = pipeline();
    for (more, words) in [
        (serde_json::json!({}), "before"),
        (serde_json::json!({ "before": "soon" }), "`soon` is not a moment"),
        (serde_json::json!({ "before": "2026-01-01T00:00:00Z", "keep": 1 }), "keep"),
    ] {
        let (status, found) = run(Task::Prune, &pipeline, more).await.unwrap_err();
        assert!(status == StatusCode::BAD_REQUEST && found.contains(words), "{found}");
    }
    let answer = run(Task::Prune, &pipeline, serde_json::json!({ "before": "2026-01-01T00:00:00Z" })).await;
    assert_eq!(answer.unwrap()["events"], 0);
}

/// A sink that writes to standard output.
fn audit() -> spanledger_sinks::SinkSpec {
    spanledger_sinks::SinkSpec { kind: Some("stdout".to_owned()), ..Default::default() }
}
