//! Makes one chat completion with an attribution, as a stream.
//!
//! ```text
//! cargo run --quiet -- serve                                        # in one terminal
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example chat   # in another
//! cargo run --quiet -- report --by customer
//! ```
//!
//! The example calls OpenAI's API. Set `OPENAI_BASE_URL` to call a compatible server instead.

use std::{io::Write as _, time::Duration};

use async_openai::{
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use futures_util::StreamExt as _;
use spanledger::{Attributed, Attribution};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Create the client: use `instrument` instead of `Client::with_config`.
    let client = spanledger::instrument(OpenAIConfig::new()).build();

    // 2. Say to which feature, route, customer and environment the call belongs.
    let attribution = Attribution::builder()
        .feature("haiku")
        .route("example:chat")
        .customer_id("internal")
        .environment("development")
        .build()?;

    // 3. Make the call. Compared with plain `async-openai`, only `attributed` is new.
    let message = ChatCompletionRequestUserMessageArgs::default()
        .content("Write a haiku about a ledger that is right to the last cent.")
        .build()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-5.4-nano".to_owned());
    let request =
        CreateChatCompletionRequestArgs::default().model(model).messages([message.into()]).build()?;
    let mut stream = client.chat().attributed(&attribution).create_stream(request).await?;
    let mut out = std::io::stdout();
    while let Some(chunk) = stream.next().await {
        for choice in chunk?.choices {
            write!(out, "{}", choice.delta.content.unwrap_or_default())?;
            out.flush()?;
        }
    }
    writeln!(out)?;

    // 4. Before the process ends, wait until the receiver has acknowledged the record of the call.
    spanledger::flush(Duration::from_secs(5)).await?;
    Ok(())
}
