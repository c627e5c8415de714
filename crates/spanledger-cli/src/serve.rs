//! `spanledger serve`.

use std::process::ExitCode;

use anyhow::Context as _;
use spanledger_ledger::Ledger;
use spanledger_otlp::Reader;
use spanledger_price::PriceBook;
use spanledger_receiver::{DeliveryOptions, Destination, Pipeline, Receiver, deliver};
use spanledger_sinks::{Sink, stdout::Lines};
use tokio::sync::watch;

use crate::{
    args::{ServeArguments, SinkName},
    config::Config,
    terminal,
};

pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<ExitCode> {
    terminal::init_logs("info");
    let config = Config::load(&arguments)?;
    let ledger = Ledger::open(&config.ledger)?;
    let mut pipeline =
        Pipeline::new(ledger.clone(), PriceBook::builtin(), Reader { keys: config.keys.clone() });
    if let Some(address) = &config.forward_traces {
        pipeline = pipeline.with_destination(Destination::new(address)?);
    }
    let receiver =
        Receiver::bind(config.grpc_addr, config.http_addr, config.limits, pipeline.clone()).await?;
    announce(&config, &receiver)?;

    let (stop, stopped) = watch::channel(false);
    let mut deliveries = Vec::new();
    for sink in config.sinks.iter().map(|&name| sink(name)) {
        let mut stopped = stopped.clone();
        let until = async move {
            // An error means that the sender is gone: stop as well.
            drop(stopped.wait_for(|stop| *stop).await);
        };
        deliveries.push(tokio::spawn(deliver(ledger.clone(), sink, DeliveryOptions::default(), until)));
    }

    receiver.serve(shutdown_signal()).await;
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

/// The sinks that there are; adding one is a row.
fn sink(name: SinkName) -> Box<dyn Sink> {
    match name {
        SinkName::Stdout => Box::new(Lines::stdout()),
    }
}

fn announce(config: &Config, receiver: &Receiver) -> anyhow::Result<()> {
    terminal::say(format!("OTLP/gRPC on {}", receiver.grpc_addr()?));
    terminal::say(format!("OTLP/HTTP on {}", receiver.http_addr()?));
    terminal::say(format!("ledger    {}", config.ledger.display()));
    terminal::say(format!("prices    {}", PriceBook::builtin().version()));
    if let Some(address) = &config.forward_traces {
        terminal::say(format!("traces    passed on to {address}"));
    }
    for sink in &config.sinks {
        terminal::say(format!("events    to {}", format!("{sink:?}").to_lowercase()));
    }
    Ok(())
}

/// Ctrl-C, or the signal of a service manager.
pub(crate) async fn shutdown_signal() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "serve.signal.failed");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    () = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => interrupt.await,
        }
    }
    #[cfg(not(unix))]
    interrupt.await;
}
