//! `spanledger check`.

use std::{net::SocketAddr, process::ExitCode};

use spanledger_ledger::{Ledger, LedgerError, LedgerReader};
use spanledger_receiver::{Destination, PriceFiles};
use tokio::net::TcpListener;

use crate::{args::CheckArguments, config::Config, terminal};

/// What was checked and what came of it.
struct Findings {
    text: String,
    failed: usize,
}

impl Findings {
    fn add(&mut self, what: &str, result: Result<String, String>) {
        let (mark, words) = match result {
            Ok(words) => ("ok    ", words),
            Err(words) => {
                self.failed += 1;
                ("FAILED", words)
            }
        };
        self.text.push_str(&format!("{mark}  {what:<14} {words}\n"));
    }
}

pub(crate) async fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let config = Config::load(&arguments.serve)?;
    let mut findings = Findings { text: String::new(), failed: 0 };
    findings.add(
        "configuration",
        Ok(match &arguments.serve.config {
            Some(path) => path.display().to_string(),
            None => "no file; defaults, environment and command line".to_owned(),
        }),
    );
    prices(&mut findings, &config.prices);
    findings.add("ledger", ledger(&config));
    findings.add("OTLP/gRPC", port(config.grpc_addr, "grpc-addr").await);
    findings.add("OTLP/HTTP", port(config.http_addr, "http-addr").await);
    if let Some(address) = config.admin_addr {
        findings.add("admin", port(address, "admin-addr").await);
    }
    if let Some(address) = &config.forward_traces {
        let destination =
            Destination::new(address).map(|_| address.clone()).map_err(|error| error.to_string());
        findings.add("destination", destination);
    }
    for sink in &config.sinks {
        // The configuration was read, so that the options are right; nothing is sent.
        findings.add("sink", Ok(sink.to_string()));
    }
    terminal::data(&findings.text)?;
    Ok(if findings.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Each mistake is a finding of its own.
fn prices(findings: &mut Findings, files: &PriceFiles) {
    match files.read() {
        Ok(book) => {
            let models: usize = book.providers().iter().map(|provider| provider.models().len()).sum();
            let over = over(files);
            findings.add("price book", Ok(format!("{}, {models} models{over}", book.version())));
        }
        Err(error) => {
            error.mistakes.into_iter().for_each(|mistake| findings.add("price book", Err(mistake)));
        }
    }
}

/// Which files are laid over the built-in book.
pub(crate) fn over(files: &PriceFiles) -> String {
    let names: Vec<String> = files.paths().iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() { String::new() } else { format!(", with {}", names.join(", ")) }
}

fn ledger(config: &Config) -> Result<String, String> {
    let path = config.ledger.display();
    if !config.ledger.exists() {
        // Tried where it will be made, and taken away again.
        let probe = config.ledger.with_extension("check");
        if probe.exists() {
            return Err(format!("{} is in the way of the check: move it", probe.display()));
        }
        let tried = Ledger::open(&probe).map(drop).map_err(chain);
        for suffix in ["", ".lock", "-wal", "-shm"] {
            let mut name = probe.clone().into_os_string();
            name.push(suffix);
            // What was not made needs no removing.
            drop(std::fs::remove_file(name));
        }
        return tried.map(|()| format!("{path} will be made by `serve`"));
    }
    let read = || -> Result<String, LedgerError> {
        let reader = LedgerReader::open(&config.ledger)?;
        let broken = reader.integrity()?;
        if let Some(first) = broken.first() {
            return Ok(format!("{path} is damaged: {first}"));
        }
        let summary = reader.summary()?;
        Ok(format!(
            "{path}: {} events ({} quarantined, {} void) from {} observations",
            summary.events, summary.quarantined, summary.void, summary.observations
        ))
    };
    match read() {
        Ok(words) if words.contains(" is damaged: ") => Err(words),
        Ok(words) => Ok(words),
        Err(error) => Err(chain(error)),
    }
}

async fn port(address: SocketAddr, flag: &str) -> Result<String, String> {
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) => Err(format!(
            "{address} cannot be listened on ({error}): is `spanledger serve` running already? else choose another with --{flag}"
        )),
    }
}

/// An error with its causes, on one line.
fn chain(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
