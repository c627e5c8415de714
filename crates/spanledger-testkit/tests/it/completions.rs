//! Legacy completions, as the typed client reads them.

use futures_util::StreamExt;
use serde_json::{Value, json};
use spanledger_testkit::{Reply, Usage};

use crate::support::{client, data, post, provider, typed};

fn request(more: &Value) -> Value {
    let mut request = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "Say hello"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

#[tokio::test]
async fn a_completion_has_a_text_and_a_usage() {
    let provider = provider([Reply::answer("Hello.").usage(Usage::new(12, 3))]).await;
    let answer = client(&provider).completions().create(typed(request(&json!({})))).await.unwrap();
    assert_eq!((answer.object.as_str(), answer.choices[0].text.as_str()), ("text_completion", "Hello."));
    assert!(answer.id.starts_with("cmpl-"));
    let usage = answer.usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (12, 3, 15));
}

#[tokio::test]
async fn a_stream_has_the_usage_in_its_last_chunk_if_it_was_requested() {
    let provider = provider([Reply::answer("a b c").usage(Usage::new(12, 3)), Reply::new()]).await;
    let options = json!({"stream_options": {"include_usage": true}});
    let stream = client(&provider).completions().create_stream(typed(request(&options))).await.unwrap();
    let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
    let text: String = chunks.iter().flat_map(|chunk| &chunk.choices).map(|choice| &*choice.text).collect();
    assert_eq!(text, "a b c");
    let usages: Vec<_> = chunks.iter().filter_map(|chunk| chunk.usage.as_ref()).collect();
    assert_eq!(usages.len(), 1);
    assert_eq!(usages[0].total_tokens, 15);
    assert!(chunks.last().unwrap().choices.is_empty());

    let plain = data(post(&provider, "/completions", &request(&json!({"stream": true}))).await).await;
    assert_eq!(plain.last().unwrap(), "[DONE]");
    assert!(plain.iter().all(|message| !message.contains("usage")));
}
