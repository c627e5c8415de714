//! `spanledger serve`.

use std::process::ExitCode;

use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_receiver::{Addresses, Destination, Pipeline, PriceReload, PriceWatch, Server};

use crate::{args::ServeArguments, config::Config, shutdown, terminal};

pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<ExitCode> {
    terminal::init_logs("info");
    let config = Config::load(arguments.config.as_deref(), arguments.options)?;
    let prices = PriceWatch::start(config.prices.clone())?;
    let destination = config.forward_traces.as_deref().map(Destination::new).transpose()?;
    // The ledger is opened last: if a port is in use or the destination is invalid, no new file is created.
    let mut server = Server::builder()
        .grpc(config.grpc_addr)
        .http(config.http_addr)
        .admin(config.admin_addr)
        .limits(config.limits)
        .bind()
        .await?;
    let ledger = Ledger::open(&config.ledger)?;
    let mut pipeline =
        Pipeline::new(ledger, prices.prices().clone(), ObservationReader { keys: config.keys.clone() });
    if let Some(destination) = destination {
        pipeline = pipeline.with_destination(destination);
    }
    let stopped = shutdown::signal()?;
    // The signal may come as soon as the announcement is read.
    reload_on_hangup(&config, prices.reload_handle())?;
    announce(&config, server.addresses(), &pipeline);
    server = server.with_price_watch(prices);
    for sink in config.sinks {
        server = server.with_sink(sink);
    }
    if let Some(retention) = config.retention {
        server = server.with_retention(retention);
    }
    let shutdown = async {
        stopped.await;
        terminal::say("stopping: open requests are answered, and events are delivered to their sinks");
    };
    server.serve(pipeline.clone(), shutdown).await?;
    let counters = pipeline.counters();
    terminal::say(format!(
        "recorded {} observations ({} delivered again), from {} spans and {} records in {} requests ({} refused)",
        counters.observations(),
        counters.duplicates(),
        counters.spans(),
        counters.records(),
        counters.requests(),
        counters.refused(),
    ));
    Ok(ExitCode::SUCCESS)
}

fn announce(config: &Config, addresses: Addresses, pipeline: &Pipeline) {
    terminal::say(format!("OTLP/gRPC on {}", addresses.grpc));
    terminal::say(format!("OTLP/HTTP on {}", addresses.http));
    if let Some(admin) = addresses.admin {
        terminal::say(format!("admin     on {admin}"));
    }
    terminal::say(format!("ledger    {}", config.ledger.display()));
    let version = pipeline.prices().current().version().to_owned();
    terminal::say(format!("prices    {version}{}", config.price_files()));
    if let Some(address) = &config.forward_traces {
        terminal::say(format!("traces    forwarded to {address}"));
    }
    for sink in &config.sinks {
        terminal::say(format!("events    to {sink}"));
    }
    if let Some(retention) = config.retention {
        terminal::say(format!("events    older than {retention} are deleted"));
    }
}

/// Reads the price files at once on SIGHUP. In a terminal and without price files, SIGHUP keeps its usual
/// meaning: the terminal was closed, and the process ends.
#[cfg(unix)]
fn reload_on_hangup(config: &Config, reload: PriceReload) -> anyhow::Result<()> {
    use std::io::IsTerminal as _;
    use tokio::signal::unix::{SignalKind, signal};
    if config.prices.paths().is_empty() && std::io::stderr().is_terminal() {
        return Ok(());
    }
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reload.reload();
        }
    });
    Ok(())
}

/// SIGHUP exists on Unix only.
#[cfg(not(unix))]
fn reload_on_hangup(_: &Config, _: PriceReload) -> anyhow::Result<()> {
    Ok(())
}
