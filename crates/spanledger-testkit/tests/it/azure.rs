//! The paths of Azure.

use async_openai::{Client, config::AzureConfig};
use serde_json::json;
use spanledger_testkit::{Provider, Reply, Usage};

use crate::support::{provider, typed};

fn client(provider: &Provider) -> Client<AzureConfig> {
    let config = AzureConfig::new()
        .with_api_base(provider.azure_base_url())
        .with_api_key("key")
        .with_deployment_id("my-deployment")
        .with_api_version("2024-10-21");
    Client::with_config(config)
}

#[tokio::test]
async fn a_deployment_stands_for_the_model() {
    let provider = provider([Reply::new().model("gpt-4o-2024-08-06").usage(Usage::new(10, 2))]).await;
    let request = json!({"model": "ignored", "messages": [{"role": "user", "content": "Hi"}]});
    let answer = client(&provider).chat().create(typed(request)).await.unwrap();
    assert_eq!(answer.model, "gpt-4o-2024-08-06");
    let received = &provider.requests()[0];
    assert_eq!(received.path, "/openai/deployments/my-deployment/chat/completions");
    assert_eq!(received.query.as_deref(), Some("api-version=2024-10-21"));
}

#[tokio::test]
async fn both_forms_of_the_path_need_a_key_and_the_older_one_a_version() {
    let provider = provider([]).await;
    let status = async |path: &str, key: &str| {
        let url = format!("{}{path}", provider.azure_base_url());
        let request = reqwest::Client::new().post(url).header(key, "k").body(r#"{"input":"a","model":"m"}"#);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("/openai/deployments/d/embeddings?api-version=2024-10-21", "api-key").await, 200);
    assert_eq!(status("/openai/deployments/d/embeddings", "api-key").await, 404);
    assert_eq!(status("/openai/v1/embeddings", "api-key").await, 200);
    assert_eq!(status("/openai/v1/embeddings", "no-key").await, 401);
}
