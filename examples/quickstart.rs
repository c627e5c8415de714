//! The program of the crate's README, with the dependencies that the README names.
//!
//! ```text
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example quickstart
//! ```

use std::time::Duration;

use async_openai::{
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use spanledger::{Attributed, Attribution};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Once, where the client is made:
    let config = OpenAIConfig::new();
    let client = spanledger::instrument(config).build();

    // At each call, who it is for:
    let attribution = Attribution::builder()
        .feature("search")
        .route("/search")
        .customer_id("acme")
        .environment("production")
        .build()?;
    let message = ChatCompletionRequestUserMessageArgs::default().content("Which plan has SSO?").build()?;
    let request =
        CreateChatCompletionRequestArgs::default().model("gpt-5.5").messages([message.into()]).build()?;
    let response = client.chat().attributed(&attribution).create(request).await?;

    // Before the process ends:
    spanledger::flush(Duration::from_secs(5)).await?;
    drop(response);
    Ok(())
}
