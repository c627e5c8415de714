//! `spanledger demo`: everything at once, on this machine alone.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use spanledger::{ExporterConfig, Recorder};
use spanledger_event::CostEvent;
use spanledger_ledger::{GroupBy, Ledger, LedgerReader, Query};
use spanledger_price::PriceBook;
use spanledger_receiver::{Limits, Pipeline, Receiver};
use spanledger_testkit::Provider;
use tokio::sync::oneshot;

use crate::{
    args::{By, DemoArguments, ReportFormat},
    render,
    serve::shutdown_signal,
    terminal,
};

mod service;
mod story;

/// The file that each demo makes anew.
const DEFAULT_LEDGER: &str = "spanledger-demo.db";
const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn run(arguments: DemoArguments) -> anyhow::Result<ExitCode> {
    // The calls fail on purpose, and the client logs each failure.
    terminal::init_logs("error,async_openai=off");
    let path = fresh_file(arguments.ledger)?;
    let provider = Provider::builder()
        .seed(arguments.seed)
        .start()
        .await
        .context("the stand-in provider did not start")?;
    let ledger = Ledger::open(&path)?;
    let pipeline =
        Pipeline::new(ledger.clone(), PriceBook::builtin(), spanledger_otlp::ObservationReader::default());
    let (grpc, http) = if arguments.keep_serving { (4317, 4318) } else { (0, 0) };
    let receiver = Receiver::bind(
        (Ipv4Addr::LOCALHOST, grpc).into(),
        (Ipv4Addr::LOCALHOST, http).into(),
        Limits::default(),
        pipeline,
    )
    .await?;
    let endpoint = format!("http://{}", receiver.http_addr()?);
    terminal::say(format!(
        "provider  {} (a stand-in that speaks OpenAI's wire formats)",
        provider.base_url()
    ));
    terminal::say(format!("receiver  {endpoint} (OTLP)"));
    terminal::say(format!("ledger    {}", path.display()));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(receiver.serve(async move {
        // An error means that the sender is gone: stop as well.
        drop(stopped.await);
    }));

    let mut export = ExporterConfig::to(&endpoint).service_name("demo-shop");
    export.linger = Duration::from_millis(20);
    let recorder = Recorder::new(export);
    let made = service::run(&provider, &recorder, arguments.seed).await?;
    recorder.flush(FLUSH_TIMEOUT).await?;
    terminal::say(format!("calls     {made}, all acknowledged by the receiver\n"));

    print_reports(&path)?;
    print_next(&path, arguments.keep_serving)?;
    if arguments.keep_serving {
        terminal::say(format!("\nstill receiving on {endpoint}; Ctrl-C ends it"));
        shutdown_signal().await;
    }
    drop(stop);
    serving.await.context("the receiver panicked")?;
    provider.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// A path without a ledger: the demo's own file is removed, nobody else's is.
fn fresh_file(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let Some(path) = given else {
        if Path::new(DEFAULT_LEDGER).exists() {
            // In use, or no ledger at all: an error, and nothing is removed.
            drop(Ledger::open(DEFAULT_LEDGER)?);
        }
        for suffix in ["", "-wal", "-shm"] {
            let file = format!("{DEFAULT_LEDGER}{suffix}");
            match fs::remove_file(&file) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot replace the last demo's {file}"));
                }
            }
        }
        return Ok(DEFAULT_LEDGER.into());
    };
    anyhow::ensure!(
        !path.exists(),
        "{} exists: the demo begins with an empty ledger, choose another file",
        path.display()
    );
    Ok(path)
}

fn print_reports(path: &Path) -> anyhow::Result<()> {
    let reader = LedgerReader::open(path)?;
    let mut text = String::new();
    for (title, by, group_by) in [
        ("Spend by feature", By::Feature, GroupBy::Feature),
        ("Spend by customer", By::Customer, GroupBy::Customer),
    ] {
        text.push_str(&format!("{title}\n"));
        text.push_str(&render::report(&reader.report(&Query::by(group_by))?, by, ReportFormat::Table)?);
        text.push('\n');
    }
    let events: Vec<CostEvent> = reader
        .changes_after(0, usize::MAX)?
        .into_iter()
        .map(|change| change.event)
        .filter(CostEvent::counts)
        .collect();
    text.push_str(&story::tell(&events));
    terminal::data(&text)
}

fn print_next(path: &Path, keeps_serving: bool) -> anyhow::Result<()> {
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
        "\nREADME.md shows how to add the layer to a service, and how other languages send their spans.\n",
    );
    terminal::data(&text)
}
