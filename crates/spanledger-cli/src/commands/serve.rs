//! `spanledger serve`.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_receiver::{Admin, DeliveryOptions, Destination, Pipeline, PriceWatch, Receiver, deliver};
use spanledger_sinks::ConfiguredSink;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::{args::ServeArguments, config::Config, shutdown, terminal};

pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<ExitCode> {
    terminal::init_logs("info");
    let config = Config::load(arguments.config.as_deref(), arguments.options)?;
    let prices = PriceWatch::start(config.prices.clone())?;
    let ledger = Ledger::open(&config.ledger)?;
    let mut pipeline = Pipeline::new(
        ledger.clone(),
        prices.prices().clone(),
        ObservationReader { keys: config.keys.clone() },
    );
    if let Some(address) = &config.forward_traces {
        pipeline = pipeline.with_destination(Destination::new(address)?);
    }
    let receiver =
        Receiver::bind(config.grpc_addr, config.http_addr, config.limits, pipeline.clone()).await?;
    let admin = match config.admin_addr {
        Some(address) => Some(Admin::bind(address, pipeline.clone()).await?),
        None => None,
    };
    announce(&config, &receiver, admin.as_ref(), &pipeline)?;
    let mut background = JoinSet::new();
    let reload = Arc::new(Notify::new());
    reload_on_hangup(&config, &reload, &mut background)?;
    background.spawn(prices.run(reload));
    if let Some(admin) = admin {
        background.spawn(admin.serve());
    }

    let (stop, stopped) = watch::channel(false);
    let mut deliveries = Vec::new();
    for ConfiguredSink { sink, .. } in config.sinks {
        let mut stopped = stopped.clone();
        let until = async move {
            // An error means that the sender is gone: stop as well.
            drop(stopped.wait_for(|stop| *stop).await);
        };
        deliveries.push(tokio::spawn(deliver(ledger.clone(), sink, DeliveryOptions::default(), until)));
    }

    receiver.serve(shutdown::signal()).await;
    terminal::say("stopping: requests that were begun are answered, events go to their sinks");
    stop.send_replace(true);
    for delivery in deliveries {
        delivery.await.context("a sink's task panicked")??;
    }
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

fn announce(
    config: &Config,
    receiver: &Receiver,
    admin: Option<&Admin>,
    pipeline: &Pipeline,
) -> anyhow::Result<()> {
    terminal::say(format!("OTLP/gRPC on {}", receiver.grpc_addr()?));
    terminal::say(format!("OTLP/HTTP on {}", receiver.http_addr()?));
    if let Some(admin) = admin {
        terminal::say(format!("admin     on {}", admin.addr()?));
    }
    terminal::say(format!("ledger    {}", config.ledger.display()));
    let version = pipeline.prices().current().version().to_owned();
    terminal::say(format!("prices    {version}{}", config.price_files()));
    if let Some(address) = &config.forward_traces {
        terminal::say(format!("traces    passed on to {address}"));
    }
    for sink in &config.sinks {
        terminal::say(format!("events    to {sink}"));
    }
    Ok(())
}

/// SIGHUP reads the files of prices at once. At a terminal without such files it keeps its usual
/// meaning: the terminal is gone, and the process ends.
#[cfg(unix)]
fn reload_on_hangup(
    config: &Config,
    reload: &Arc<Notify>,
    background: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    use std::io::IsTerminal as _;
    use tokio::signal::unix::{SignalKind, signal};
    if config.prices.paths().is_empty() && std::io::stderr().is_terminal() {
        return Ok(());
    }
    let mut hangups = signal(SignalKind::hangup())?;
    let reload = Arc::clone(reload);
    background.spawn(async move {
        while hangups.recv().await.is_some() {
            reload.notify_one();
        }
    });
    Ok(())
}

/// Elsewhere there is no such signal.
#[cfg(not(unix))]
fn reload_on_hangup(_: &Config, _: &Arc<Notify>, _: &mut JoinSet<()>) -> anyhow::Result<()> {
    Ok(())
}
