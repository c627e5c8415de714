//! Streams: one that is read by another task, and one that is left at its finish reason.
//!
//! ```text
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example streaming
//! ```
//!
//! A stream is one event when it ends, when it fails, and when it is dropped half-way. The usage of a chat stream is
//! requested even if your request does not ask for it, and your loop does not see the chunk that carries it.

use std::{io::Write as _, time::Duration};

use async_openai::{
    config::OpenAIConfig,
    types::{
        chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
        responses::{CreateResponseArgs, ResponseStreamEvent},
    },
};
use futures_util::StreamExt as _;
use spanledger::{Attributed, Attribution};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = spanledger::instrument(OpenAIConfig::new()).build();
    let attribution = Attribution::builder()
        .feature("stories")
        .route("example:streaming")
        .customer_id("internal")
        .environment("development")
        .build()?;

    // 1. A response that another task reads. The attribution belongs to the call, so that it does not matter where
    //    its stream is polled.
    let request = CreateResponseArgs::default().model("gpt-5.4-nano").input("Tell a short story.").build()?;
    let mut story = client.responses().attributed(&attribution).create_stream(request).await?;
    let reader = tokio::spawn(async move {
        let mut text = String::new();
        while let Some(event) = story.next().await {
            if let Ok(ResponseStreamEvent::ResponseOutputTextDelta(delta)) = event {
                text.push_str(&delta.delta);
            }
        }
        text
    });
    let mut out = std::io::stdout();
    writeln!(out, "{}", reader.await?)?;

    // 2. A chat whose loop ends at the finish reason. The usage comes after it. It is read in the background, for at
    //    most a few seconds, so that the call is priced.
    let message = ChatCompletionRequestUserMessageArgs::default().content("And its moral?").build()?;
    let request = CreateChatCompletionRequestArgs::default()
        .model("gpt-5.4-nano")
        .messages([message.into()])
        .build()?;
    let mut moral = client.chat().attributed(&attribution).create_stream(request).await?;
    'reading: while let Some(chunk) = moral.next().await {
        for choice in chunk?.choices {
            write!(out, "{}", choice.delta.content.unwrap_or_default())?;
            if choice.finish_reason.is_some() {
                break 'reading;
            }
        }
    }
    drop(moral);
    writeln!(out)?;

    spanledger::flush(Duration::from_secs(5)).await?;
    Ok(())
}
