//! Functions that the tests share.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use spanledger_testkit::{Provider, Reply};

/// A provider that gives these replies, one after the other.
pub(crate) async fn provider(script: impl IntoIterator<Item = Reply>) -> Provider {
    Provider::builder().seed(7).script(script).start().await.unwrap()
}

/// A typed client of the provider.
pub(crate) fn client(provider: &Provider) -> Client<OpenAIConfig> {
    let config = OpenAIConfig::new().with_api_base(provider.base_url()).with_api_key("sk-test");
    Client::with_config(config)
}

/// Makes a typed request from its JSON fields.
pub(crate) fn typed<T: DeserializeOwned>(fields: Value) -> T {
    serde_json::from_value(fields).unwrap()
}

/// A small chat request, with more fields.
pub(crate) fn chat(more: Value) -> Value {
    with(json!({"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]}), more)
}

/// A small Responses request, with more fields.
pub(crate) fn response(more: Value) -> Value {
    with(json!({"model": "gpt-5.5", "input": "Hi"}), more)
}

fn with(mut fields: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("the fields must be an object") };
    fields.as_object_mut().unwrap().extend(more);
    fields
}

/// Posts with a plain client.
pub(crate) async fn post(provider: &Provider, path: &str, body: &Value) -> reqwest::Response {
    try_post(provider, path, body).await.unwrap()
}

/// Posts with a plain client and returns errors. The returned future does not borrow the provider.
pub(crate) fn try_post(
    provider: &Provider,
    path: &str,
    body: &Value,
) -> impl Future<Output = reqwest::Result<reqwest::Response>> + use<> {
    reqwest::Client::new()
        .post(format!("{}{path}", provider.base_url()))
        .header("authorization", "Bearer sk-test")
        .body(body.to_string())
        .send()
}

/// Gets with a plain client: the status and the body.
pub(crate) async fn get(provider: &Provider, path: &str) -> (u16, Value) {
    let url = format!("{}{path}", provider.base_url());
    let request = reqwest::Client::new().get(url).header("authorization", "Bearer sk-test");
    let response = request.send().await.unwrap();
    (response.status().as_u16(), body(response).await)
}

/// The body as JSON.
pub(crate) async fn body(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The `data` of each message of a stream.
pub(crate) async fn data(response: reqwest::Response) -> Vec<String> {
    let text = String::from_utf8(response.bytes().await.unwrap().to_vec()).unwrap();
    let messages = text.strip_suffix("\n\n").expect("the stream must end with a whole message");
    messages
        .split("\n\n")
        .map(|message| {
            let (_, data) = message.split_once("data: ").expect("each message must have data");
            data.to_owned()
        })
        .collect()
}
