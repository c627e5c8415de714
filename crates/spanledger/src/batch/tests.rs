use spanledger_event::Endpoint;

use super::BatchOutput;

fn batch() -> BatchOutput {
    BatchOutput::new("https://api.openai.com/v1", "batch_1").unwrap()
}

fn line(custom_id: &str, status: u16) -> String {
    let usage = r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}"#;
    format!(
        r#"{{"id":"batch_req_1","custom_id":"{custom_id}","response":{{"status_code":{status},"request_id":"r","body":
            {{"id":"chatcmpl-1","object":"chat.completion","created":1780000000,"model":"gpt-5.5",
            "service_tier":"default","usage":{usage}}}}},"error":null}}"#
    )
}

#[test]
fn a_line_is_a_call_of_the_batch_tier_below_its_batch() {
    let o = batch().observation(&line("a", 200)).unwrap();
    assert_eq!((o.endpoint, o.service_tier.as_deref()), (Endpoint::Chat, Some("batch")));
    assert_eq!(o.usage.unwrap().prompt_tokens(), 100);
    assert_eq!(o.attribution.batch_job_id.as_deref(), Some("batch_1"));
    assert!(o.parent_span_id.is_some() && o.span_id.is_none());
    let other = batch().observation(&line("b", 200)).unwrap();
    assert_ne!(o.event_id, other.event_id);
    assert_eq!(o.trace_id, other.trace_id);
}

#[test]
fn a_line_without_an_answer_was_not_billed() {
    assert_eq!(batch().observation(&line("a", 400)), None);
    assert_eq!(batch().observation(r#"{"custom_id":"a","response":null,"error":{"code":"expired"}}"#), None);
    assert_eq!(batch().observation(""), None);
}

#[test]
fn a_base_url_must_be_a_url() {
    let error = BatchOutput::new("api.openai.com", "batch_1").unwrap_err();
    assert!(error.to_string().contains("`api.openai.com` is no base URL"), "{error}");
}
