use super::*;

fn counted(endpoint: Endpoint, body: &str, events: &[&str], model: &str) -> Option<(u64, u64)> {
    let mut streamed = StreamedText::default();
    streamed.keep_prompt(endpoint, Some(&body.to_owned().into()));
    for event in events {
        streamed.add_event(event.as_bytes());
    }
    let usage = streamed.usage(Some(model))?;
    assert_eq!(usage.unstated(), Unstated::ALL);
    Some((usage.tokens(Bucket::Input), usage.tokens(Bucket::Output)))
}

#[test]
fn the_tokens_of_messages_and_of_the_pieces_of_the_answer_are_counted() {
    // "hello world" and " world hello" have two and two tokens in both encodings.
    let body = r#"{"model":"gpt-5.5","messages":[{"role":"user","content":"hello world"},
        {"role":"user","content":[{"type":"text","text":"hello world"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#;
    let events = [
        r#"{"choices":[{"delta":{"content":"hello"}}]}"#,
        r#"{"choices":[{"delta":{"content":" world"}}],"usage":null}"#,
        r#"{"choices":[]}"#,
    ];
    assert_eq!(counted(Endpoint::Chat, body, &events, "gpt-5.5"), Some((2 + 2 + 9, 2)));
    assert_eq!(counted(Endpoint::Chat, body, &events, "gpt-4-0613"), Some((2 + 2 + 9, 2)));
}

#[test]
fn the_other_apis_have_their_texts_elsewhere() {
    let deltas = [r#"{"type":"response.output_text.delta","delta":"hello world"}"#];
    let body = r#"{"input":"hello world","instructions":"hello world"}"#;
    assert_eq!(counted(Endpoint::Responses, body, &deltas, "gpt-5.5"), Some((4 + 9, 2)));
    let pieces = [r#"{"choices":[{"text":"hello world"}]}"#];
    assert_eq!(counted(Endpoint::Completions, r#"{"prompt":"hello world"}"#, &pieces, "m"), Some((2 + 6, 2)));
    assert_eq!(counted(Endpoint::Images, r#"{"prompt":"hello world"}"#, &[], "m"), None);
    assert_eq!(counted(Endpoint::Chat, "not json", &[], "m"), None);
}

#[test]
fn an_endless_answer_is_counted_in_proportion() {
    let mut streamed = StreamedText::default();
    streamed.keep_prompt(Endpoint::Chat, Some(&"{}".to_owned().into()));
    let piece = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, " word".repeat(13_000));
    (0..32).for_each(|_| streamed.add_event(piece.as_bytes()));
    assert!(streamed.output.len() <= OUTPUT_BYTES_MAX);
    let output = streamed.usage(None).unwrap().tokens(Bucket::Output);
    assert!((410_000..=420_000).contains(&output), "{output}");
}
