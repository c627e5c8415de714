use http::Method;
use spanledger_event::{CallOutcome, Endpoint, Observation, Role};

use super::{JobKind, JobRead};

fn read(kind: JobKind) -> JobRead {
    JobRead { kind, provider: "openai".to_owned(), server_address: Some("api.openai.com".to_owned()) }
}

fn observations(kind: JobKind, job: &str) -> Vec<Observation> {
    read(kind).observations(job.as_bytes())
}

fn kind_of(method: Method, path: &str) -> Option<JobKind> {
    let url = format!("https://api.openai.com/v1/{path}").parse().unwrap();
    JobRead::of(&reqwest::Request::new(method, url), None).map(|read| read.kind)
}

#[test]
fn only_reads_of_one_job_are_observed() {
    assert_eq!(kind_of(Method::GET, "batches/batch_1"), Some(JobKind::Batch));
    assert_eq!(kind_of(Method::POST, "batches/batch_1/cancel"), Some(JobKind::Batch));
    assert_eq!(kind_of(Method::GET, "responses/resp_1?stream=true"), Some(JobKind::Response));
    assert_eq!(kind_of(Method::GET, "evals/eval_1/runs/evalrun_1"), Some(JobKind::EvalRun));
    for path in
        ["batches", "responses/resp_1/input_items", "files/file-1/content", "evals/eval_1/runs", "models/m"]
    {
        assert_eq!(kind_of(Method::GET, path), None, "{path}");
    }
    assert_eq!(kind_of(Method::DELETE, "responses/resp_1"), None);
}

/// Guarantees: every process that reads a job makes the same observation, so that it counts once.
#[test]
fn the_observation_of_a_job_depends_on_nothing_but_the_job() {
    let usage = r#"{"input_tokens":10,"output_tokens":5,"total_tokens":15}"#;
    let job = format!(
        r#"{{"id":"batch_1","status":"completed","model":"gpt-5.5","created_at":1780000000,
            "completed_at":1780000300,"usage":{usage}}}"#
    );
    let first = observations(JobKind::Batch, &job);
    assert_eq!(first, observations(JobKind::Batch, &job));
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].endpoint, first[0].role), (Endpoint::Batch, Role::Aggregate));
    assert_eq!(first[0].attribution.batch_job_id.as_deref(), Some("batch_1"));
    assert_eq!(first[0].attribution.known(), 0, "whoever reads the job is not the one it is for");
    assert_eq!(first[0].start.nanos(), 1_780_000_000_999_999_999);
    let other = observations(JobKind::Batch, &job.replace("batch_1", "batch_2"));
    assert_ne!(first[0].event_id, other[0].event_id);
}

#[test]
fn a_job_in_work_or_without_a_usage_is_not_recorded() {
    let zeros = r#"{"input_tokens":0,"output_tokens":0,"total_tokens":0}"#;
    for status in ["validating", "in_progress", "finalizing", "cancelling"] {
        let job = format!(r#"{{"id":"batch_1","status":"{status}","usage":{zeros}}}"#);
        assert_eq!(observations(JobKind::Batch, &job), [], "{status}");
    }
    assert_eq!(observations(JobKind::Batch, r#"{"id":"batch_1","status":"completed"}"#), []);
    let queued = r#"{"id":"resp_1","status":"queued","background":true,"usage":null}"#;
    assert_eq!(observations(JobKind::Response, queued), []);
    assert_eq!(observations(JobKind::Video, r#"{"id":"video_1","status":"in_progress","seconds":"4"}"#), []);
    assert_eq!(observations(JobKind::Video, "not json"), []);
}

#[test]
fn a_response_that_was_not_made_in_the_background_was_billed_before() {
    let job = |background: &str| {
        format!(
            r#"{{"id":"resp_1","status":"completed","background":{background},
                "usage":{{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}}"#
        )
    };
    assert_eq!(observations(JobKind::Response, &job("true")).len(), 1);
    assert_eq!(observations(JobKind::Response, &job("false")), []);
    assert_eq!(observations(JobKind::Response, &job("null")), []);
}

#[test]
fn a_failed_job_is_settled_without_tokens() {
    let failed =
        observations(JobKind::Batch, r#"{"id":"batch_1","status":"failed","created_at":1780000000}"#);
    assert_eq!(failed[0].outcome, CallOutcome::Failed("failed".to_owned()));
    assert!(failed[0].usage.as_ref().unwrap().is_empty());
}

/// Guarantees: a run that sums up many prompts is not billed at the rates of one long prompt.
#[test]
fn each_model_of_a_run_is_an_observation_of_a_sum() {
    let run = r#"{"id":"evalrun_1","status":"completed","per_model_usage":[
        {"model_name":"gpt-5.5","invocation_count":9,"prompt_tokens":900,"completion_tokens":60,"cached_tokens":128},
        {"model_name":"o3","invocation_count":99,"prompt_tokens":900000,"completion_tokens":60,"cached_tokens":0}
    ]}"#;
    let [first, second] = observations(JobKind::EvalRun, run).try_into().unwrap();
    let usage = first.usage.unwrap();
    assert_eq!((usage.prompt_tokens(), usage.cached_tokens(), usage.output_tokens()), (900, 128, 60));
    assert_eq!((first.role, second.role), (Role::Aggregate, Role::Aggregate));
    assert_ne!(first.event_id, second.event_id);
}
