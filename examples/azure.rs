//! Azure OpenAI: a deployment instead of a model.
//!
//! ```text
//! AZURE_OPENAI_ENDPOINT=https://my-resource.openai.azure.com AZURE_OPENAI_DEPLOYMENT=my-deployment \
//! AZURE_OPENAI_API_KEY=… cargo run --package spanledger-examples --example azure
//! ```
//!
//! The provider of the event is `azure.ai.openai`, by the host. The name of a deployment says nothing about the price:
//! the call is priced by the model that the answer names.

use std::{io::Write as _, time::Duration};

use async_openai::{
    config::AzureConfig,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use spanledger::{Attributed, Attribution};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let deployment = std::env::var("AZURE_OPENAI_DEPLOYMENT")?;
    let config = AzureConfig::new()
        .with_api_base(std::env::var("AZURE_OPENAI_ENDPOINT")?)
        .with_api_key(std::env::var("AZURE_OPENAI_API_KEY")?)
        .with_deployment_id(&deployment)
        .with_api_version("2024-10-21");
    // `instrument` takes any configuration of `async-openai`.
    let client = spanledger::instrument(config).build();

    let attribution = Attribution::builder()
        .feature("haiku")
        .route("example:azure")
        .customer_id("internal")
        .environment("development")
        .build()?;
    let message = ChatCompletionRequestUserMessageArgs::default().content("A haiku about clouds.").build()?;
    let request =
        CreateChatCompletionRequestArgs::default().model(deployment).messages([message.into()]).build()?;
    let answer = client.chat().attributed(&attribution).create(request).await?;
    for choice in answer.choices {
        writeln!(std::io::stdout(), "{}", choice.message.content.unwrap_or_default())?;
    }
    spanledger::flush(Duration::from_secs(5)).await?;
    Ok(())
}
