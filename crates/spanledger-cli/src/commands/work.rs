//! Work on a ledger that changes it. If `serve` has the ledger open, it is asked to do the work.

use std::path::Path;

use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use spanledger_ledger::{Ledger, LedgerError};

use crate::args::AdminArguments;

/// Does a task of the admin API: by `here` if nobody has the ledger open, and otherwise by sending `request` to
/// the `serve` that has it.
pub(super) async fn run<Answer: DeserializeOwned>(
    path: &Path,
    admin: &AdminArguments,
    task: &str,
    request: &impl Serialize,
    here: impl AsyncFnOnce(Ledger) -> anyhow::Result<Answer>,
) -> anyhow::Result<Answer> {
    match Ledger::open(path) {
        Ok(ledger) => here(ledger).await,
        Err(LedgerError::InUse { .. }) => {
            let address = admin.admin_addr.0;
            ask(admin, task, request)
                .await
                .with_context(|| format!("another process has the ledger open, and is asked at {address}"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Lets the `serve` at that address do the work.
pub(super) async fn ask<Answer: DeserializeOwned>(
    admin: &AdminArguments,
    task: &str,
    request: &impl Serialize,
) -> anyhow::Result<Answer> {
    let url = format!("http://{}/api/{task}", admin.admin_addr.0);
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let body = serde_json::to_string(request)?;
    let remedy = "if it is `serve`, give the address of its admin port with --admin-addr, or stop it; if it is another \
                  command, wait until that ends";
    let answer = client
        .post(url)
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await
        .context(remedy)?;
    let (status, text) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        let words = serde_json::from_str::<serde_json::Value>(&text).ok();
        match words.and_then(|answer| answer["error"].as_str().map(str::to_owned)) {
            // A refusal of `serve` says itself what to do.
            Some(words) => anyhow::bail!("it answered {status}: {words}"),
            None => anyhow::bail!("it answered {status}: {text}; {remedy}"),
        }
    }
    serde_json::from_str(&text).context("its answer is not one of this version of spanledger")
}
