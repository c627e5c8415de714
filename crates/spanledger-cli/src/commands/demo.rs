//! `spanledger demo`: everything at once, on this machine alone.

mod ledger;
mod service;

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::Context as _;
use spanledger::{ExporterConfig, Recorder};
use spanledger_ledger::{GroupBy, LedgerReader, Query};
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_receiver::{Pipeline, Server};
use spanledger_testkit::Provider;

use self::{ledger::DemoLedger, service::Calls};
use crate::{
    args::{By, DemoArguments},
    config::{GRPC_ADDR, HTTP_ADDR, on_this_machine},
    render, shutdown, terminal,
};

const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    // The calls fail on purpose, and the client logs each failure.
    terminal::init_logs("error,async_openai=off");
    let mut file = DemoLedger::new(arguments.ledger.clone())?;
    let provider = Provider::builder()
        .seed(arguments.seed)
        .start()
        .await
        .context("the stand-in provider did not start")?;
    let (grpc, http) = if arguments.keep_serving {
        (GRPC_ADDR, HTTP_ADDR)
    } else {
        (on_this_machine(0), on_this_machine(0))
    };
    let server = Server::builder()
        .grpc(arguments.grpc_addr.unwrap_or(grpc).0)
        .http(arguments.http_addr.unwrap_or(http).0)
        .bind()
        .await?;
    let pipeline = Pipeline::new(file.open()?, PriceBook::builtin(), ObservationReader::default());
    let server = server.spawn(pipeline);
    let endpoint = format!("http://{}", server.addresses().http);
    terminal::say(format!("provider  {} (a stand-in for OpenAI's API)", provider.base_url()));
    terminal::say(format!("receiver  {endpoint} (OTLP)"));
    terminal::say(format!("ledger    {}", file.path().display()));

    let mut export = ExporterConfig::to(&endpoint).service_name("demo-shop");
    export.linger = Duration::from_millis(20);
    let recorder = Recorder::new(export);
    let Calls { made, repeated } = service::run(&provider, &recorder, arguments.seed).await?;
    recorder.flush(FLUSH_TIMEOUT).await?;
    terminal::say(format!(
        "calls     {made}, all acknowledged by the receiver\n\
         requests  {}, because {repeated} of the calls asked again under the id of another\n",
        made - repeated
    ));

    print_reports(file.path())?;
    print_next_steps(file.path(), arguments.keep_serving)?;
    let path = file.keep();
    if arguments.keep_serving {
        let stopped = shutdown::signal()?;
        terminal::say(format!("\nstill receiving on {endpoint} into {}; Ctrl-C ends it", path.display()));
        stopped.await;
    }
    server.stop().await?;
    provider.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn print_reports(path: &Path) -> anyhow::Result<()> {
    let reader = LedgerReader::open(path)?;
    let width = terminal::width();
    let mut text = String::new();
    for by in [By::Feature, By::Customer] {
        let report = reader.report(&Query::by(by.into()))?;
        text.push_str(&format!("Spend by {}\n{}\n", by.name(), render::table(&report, by, width)));
    }
    let reasons = reader.reasons(&Query::by(GroupBy::Feature))?;
    text.push_str(&render::reasons(&reasons, width));
    text.push('\n');
    terminal::data(&text)
}

fn print_next_steps(path: &Path, keeps_serving: bool) -> anyhow::Result<()> {
    let program = std::env::args().next().unwrap_or_else(|| "spanledger".to_owned());
    let path = path.display();
    let mut text = format!(
        "The ledger is {path}. Next:\n\n\
         \u{20}\u{20}{program} report --ledger {path} --by model\n\
         \u{20}\u{20}{program} tail --ledger {path} --no-follow --format json\n"
    );
    if !keeps_serving {
        text.push_str(&format!("\u{20}\u{20}{program} serve\n"));
    }
    text.push_str(
        "\nREADME.md shows how to add the layer to a service, and how other languages\nsend their spans.\n",
    );
    terminal::data(&text)
}
