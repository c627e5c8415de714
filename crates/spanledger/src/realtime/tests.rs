use spanledger_event::{Attribution, CallOutcome, Endpoint};

use super::{Event, RealtimeSession};
use crate::lenient;

fn session() -> RealtimeSession {
    let attribution = Attribution::builder()
        .feature("voice")
        .route("/calls")
        .customer_id("acme")
        .environment("test")
        .build();
    RealtimeSession::new("https://api.openai.com/v1", "gpt-realtime", &attribution.unwrap()).unwrap()
}

fn event(json: &str) -> Event<'_> {
    lenient::object(json.as_bytes()).unwrap()
}

const DONE: &str = r#"{"type":"response.done","event_id":"event_1","response":{"id":"resp_1","object":
    "realtime.response","status":"cancelled","usage":{"total_tokens":300,"input_tokens":200,"output_tokens":100,
    "input_token_details":{"text_tokens":120,"audio_tokens":80,"cached_tokens":64,
    "cached_tokens_details":{"text_tokens":64,"audio_tokens":0}},
    "output_token_details":{"text_tokens":20,"audio_tokens":80}}}}"#;

#[test]
fn a_response_has_its_usage_and_the_attribution_of_the_session() {
    let o = session().response(&event(DONE)).unwrap();
    assert_eq!((o.endpoint, o.model.as_deref()), (Endpoint::Realtime, Some("gpt-realtime")));
    let usage = o.usage.unwrap();
    assert_eq!((usage.prompt_tokens(), usage.cached_tokens(), usage.output_tokens()), (200, 64, 100));
    assert_eq!(o.attribution.feature.as_deref(), Some("voice"));
    assert_eq!(o.outcome, CallOutcome::Incomplete("cancelled".to_owned()));
    let again = session().response(&event(DONE)).unwrap();
    assert_eq!((o.event_id, o.call_id), (again.event_id, again.call_id));
}

#[test]
fn the_session_names_the_models() {
    let mut session = session();
    let created = r#"{"type":"session.created","session":{"model":"gpt-realtime-mini",
        "audio":{"input":{"transcription":{"model":"whisper-1"}}}}}"#;
    assert!(!session.record(created));
    assert_eq!(session.response(&event(DONE)).unwrap().model.as_deref(), Some("gpt-realtime-mini"));
    let transcribed = r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"item_1",
        "usage":{"type":"duration","seconds":2.5}}"#;
    let o = session.transcription(&event(transcribed)).unwrap();
    assert_eq!((o.endpoint, o.model.as_deref()), (Endpoint::AudioTranscription, Some("whisper-1")));
    assert_eq!(o.usage.unwrap().audio_seconds.unwrap().to_string(), "2.5");
}

#[test]
fn other_events_are_ignored() {
    let mut session = session();
    for other in [
        r#"{"type":"response.output_audio.delta","delta":"AAAA"}"#,
        r#"{"type":"response.created","response":{"id":"resp_1","usage":null}}"#,
        r#"{"type":"rate_limits.updated"}"#,
        "not json",
    ] {
        assert!(!session.record(other), "{other}");
    }
}
