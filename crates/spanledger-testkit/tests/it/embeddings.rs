//! Embeddings and models, as the typed client reads them.

use serde_json::json;
use spanledger_testkit::{Reply, Usage};

use crate::support::{client, get, provider, typed};

#[tokio::test]
async fn each_input_has_a_vector_and_only_the_prompt_is_counted() {
    let provider = provider([Reply::new().usage(Usage::new(42, 9))]).await;
    let request = json!({"model": "text-embedding-3-small", "input": ["a", "b", "c"]});
    let answer = client(&provider).embeddings().create(typed(request)).await.unwrap();
    assert_eq!(answer.object, "list");
    assert_eq!(answer.model, "text-embedding-3-small");
    assert_eq!((answer.usage.prompt_tokens, answer.usage.total_tokens), (42, 42));
    let indices: Vec<u32> = answer.data.iter().map(|embedding| embedding.index).collect();
    assert_eq!(indices, [0, 1, 2]);
    assert!(answer.data.iter().all(|embedding| embedding.embedding.len() == 1_536));
    assert_ne!(answer.data[0].embedding, answer.data[1].embedding);
}

#[tokio::test]
async fn base64_is_the_same_vector() {
    let provider = provider([]).await;
    let request = |encoding: &str| {
        typed(json!({
            "model": "text-embedding-3-large",
            "input": "text",
            "dimensions": 256,
            "encoding_format": encoding,
        }))
    };
    let client = client(&provider);
    let plain = client.embeddings().create(request("float")).await.unwrap();
    let coded = client.embeddings().create_base64(request("base64")).await.unwrap();
    let decoded: Vec<f32> = coded.data[0].embedding.clone().into();
    assert_eq!(decoded.len(), 256);
    assert_eq!(decoded, plain.data[0].embedding);
}

#[tokio::test]
async fn a_token_array_is_one_input_of_that_many_tokens() {
    let provider = provider([]).await;
    let request = json!({"model": "text-embedding-ada-002", "input": [1, 2, 3, 4, 5]});
    let answer = client(&provider).embeddings().create(typed(request)).await.unwrap();
    assert_eq!(answer.data.len(), 1);
    assert_eq!(answer.usage.prompt_tokens, 5);
    assert_eq!(answer.model, "text-embedding-ada-002-v2");
}

#[tokio::test]
async fn models_are_listed_and_found_by_name() {
    let provider = provider([]).await;
    let client = client(&provider);
    let list = client.models().list().await.unwrap();
    for name in ["gpt-5.5", "gpt-5.5-2026-04-23", "gpt-5.6-sol"] {
        assert_eq!(list.data.iter().filter(|model| model.id == name).count(), 1, "{name}");
    }
    assert_eq!(client.models().retrieve("gpt-5.5").await.unwrap().object, "model");
    let (status, error) = get(&provider, "/models/gpt-0").await;
    assert_eq!((status, &error["error"]["code"]), (404, &json!("model_not_found")));
}
