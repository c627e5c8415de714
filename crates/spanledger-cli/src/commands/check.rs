//! `spanledger check`.

mod ledger;
mod network;

use std::process::ExitCode;

use spanledger_receiver::PriceFiles;

use self::network::Probe;
use crate::{
    args::CheckArguments,
    commands::sinks::open_for_check,
    config::Config,
    render::text::{printable, wrapped},
    terminal,
};

/// The results of the checks, as text.
#[derive(Default)]
pub(crate) struct Findings {
    text: String,
    failed: usize,
}

/// A sentence that says why something is in order, or what is wrong with it and what to do.
pub(crate) type Finding = Result<String, String>;

impl Findings {
    /// The findings, a line or more for each.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing failed.
    pub(crate) fn is_ok(&self) -> bool {
        self.failed == 0
    }

    pub(crate) fn add(&mut self, what: &str, finding: Finding) {
        let (mark, words) = match finding {
            Ok(words) => ("ok    ", words),
            Err(words) => {
                self.failed += 1;
                ("FAILED", words)
            }
        };
        let label = format!("{mark}  {what:<14} ");
        let width = terminal::width().unwrap_or(usize::MAX);
        self.text.push_str(&wrapped(&label, label.len(), &printable(&words), width));
    }
}

pub(crate) async fn run(arguments: CheckArguments) -> anyhow::Result<ExitCode> {
    let arguments = arguments.serve;
    let mut findings = Findings::default();
    let source = match &arguments.config {
        Some(path) => path.display().to_string(),
        None => "no file; defaults, environment and command line".to_owned(),
    };
    let config = Config::load(arguments.config.as_deref(), arguments.options)?;
    findings.add("configuration", Ok(source));
    prices(&mut findings, &config);
    findings.add("ledger", ledger::check(&config.ledger));
    let probe = Probe::new(config.admin_addr).await?;
    findings.add("OTLP/gRPC", probe.port(config.grpc_addr, "grpc-addr").await);
    findings.add("OTLP/HTTP", probe.port(config.http_addr, "http-addr").await);
    if let Some(address) = config.admin_addr {
        findings.add("admin", probe.port(address, "admin-addr").await);
    }
    if let Some(address) = &config.forward_traces {
        findings.add("destination", network::destination(address).await);
    }
    for sink in &config.sinks {
        findings.add("sink", open_for_check(sink, &config.ledger).await);
    }
    terminal::data(findings.text())?;
    Ok(if findings.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the price files. Each mistake is a separate finding.
fn prices(findings: &mut Findings, config: &Config) {
    let files: &PriceFiles = &config.prices;
    match files.read() {
        Ok(book) => {
            let models: usize = book.providers().iter().map(|provider| provider.models().len()).sum();
            let words = format!("{}, {models} models{}", book.version(), config.price_files());
            findings.add("price book", Ok(words));
        }
        Err(error) => {
            error.mistakes.into_iter().for_each(|mistake| findings.add("price book", Err(mistake)));
        }
    }
}
