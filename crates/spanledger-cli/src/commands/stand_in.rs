//! `spanledger stand-in`: the demo's provider by itself.

use std::process::ExitCode;

use anyhow::Context as _;
use spanledger_testkit::Provider;

use crate::{args::StandInArguments, shutdown, terminal};

pub(crate) async fn run(arguments: &StandInArguments) -> anyhow::Result<ExitCode> {
    let address = arguments.addr.0;
    let provider =
        Provider::builder().bind(address).seed(arguments.seed).start().await.with_context(|| {
            format!(
                "the stand-in cannot listen on {address}: choose another address with --addr, or any free port with \
                 --addr 0"
            )
        })?;
    let url = provider.base_url();
    let stopped = shutdown::signal()?;
    terminal::data(&format!("{url}\n"))?;
    terminal::say(format!(
        "This is a stand-in for OpenAI's API. Try it:\n\n\
         \u{20}\u{20}curl {url}/chat/completions -H 'Authorization: Bearer any-key' -H 'Content-Type: application/json' \\\n\
         \u{20}\u{20}  -d '{{\"model\": \"gpt-5.5\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n\n\
         Configure an OpenAI client with OPENAI_BASE_URL={url} and any OPENAI_API_KEY. A service with the crate spanledger \
         also needs SPANLEDGER_PROVIDER=openai, because this host has no prices of its own. Press Ctrl-C to stop."
    ));
    stopped.await;
    provider.stop().await;
    Ok(ExitCode::SUCCESS)
}
