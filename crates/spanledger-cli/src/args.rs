//! What can be said on the command line. The doc comments are the manual.

mod price;
mod prices;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    price::{BookArguments, PriceArguments, PriceFormat},
    prices::{
        BookCheckArguments, DiffArguments, DiffFormat, ImportArguments, ListArguments, ListFormat, PriceList,
        PricesArguments, PricesCommand, ShowArguments,
    },
};

/// Where does our AI money go?
///
/// Spanledger takes the OpenTelemetry spans and records of AI calls, from any language, prices each
/// call exactly, attributes it to feature, route, customer and environment, and keeps one durable
/// event per request.
#[derive(Debug, Parser)]
#[command(name = "spanledger", version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(ServeArguments),
    Report(ReportArguments),
    Tail(TailArguments),
    Check(CheckArguments),
    Demo(DemoArguments),
    Price(PriceArguments),
    Prices(PricesArguments),
}

/// Receive OTLP and keep the ledger; needs no configuration.
///
/// Listens for OTLP/gRPC and OTLP/HTTP (protobuf and JSON, gzip); both ports take both. A request
/// is answered with success once every AI call in it is durable in the ledger. Talk goes to
/// standard error; standard output carries events, when `--sink stdout` is given, and nothing else.
///
/// Each option can stand in a file (--config), in the environment, or here; the latter wins.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// A configuration file, TOML. See docs/configuration.md.
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The ledger's file; created where there is none. [default: spanledger.db]
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_LEDGER")]
    pub(crate) ledger: Option<PathBuf>,
    /// Where OTLP/gRPC is taken. [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDRESS", env = "SPANLEDGER_GRPC_ADDR")]
    pub(crate) grpc_addr: Option<SocketAddr>,
    /// Where OTLP/HTTP is taken. [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDRESS", env = "SPANLEDGER_HTTP_ADDR")]
    pub(crate) http_addr: Option<SocketAddr>,
    /// Pass traces on, byte for byte, and wait for this destination before answering:
    /// `http://host:4318` (OTLP/HTTP) or `grpc://host:4317` (OTLP/gRPC).
    #[arg(long, value_name = "URL", env = "SPANLEDGER_FORWARD_TRACES")]
    pub(crate) forward_traces: Option<String>,
    /// Where events go; may be given more than once. It replaces the sinks of the configuration file,
    /// where a sink can also have options.
    #[arg(long = "sink", value_name = "SINK", value_parser = crate::sinks::names())]
    pub(crate) sinks: Vec<String>,
    /// A file of your own prices, laid over the built-in book and read again when it changes; may be
    /// given more than once, or with commas between.
    #[arg(long, value_name = "FILE", value_delimiter = ',', env = "SPANLEDGER_PRICES")]
    pub(crate) prices: Vec<std::ffi::OsString>,
    /// Where /healthz, /readyz and /metrics are answered; `off` for nowhere. [default: 127.0.0.1:4319]
    #[arg(long, value_name = "ADDRESS", env = "SPANLEDGER_ADMIN_ADDR")]
    pub(crate) admin_addr: Option<crate::config::AdminAddr>,
}

/// Show spend by feature, route, customer, model or day.
///
/// Sums are exact. A request counts once, with all its retries; `unpriced` requests have a cost
/// that is not (wholly) known, and the spend shown beside them is a lower bound, marked ≥.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// What to group by.
    #[arg(long, value_enum, default_value = "feature")]
    pub(crate) by: By,
    /// From this moment: `2026-11-01`, `2026-11-01T10:00:00Z`, or back from now: `90m`, `24h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Up to this moment, exclusive.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only this environment.
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// How to show it.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: ReportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Feature,
    Route,
    Customer,
    Model,
    Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people; amounts rounded to six places.
    Table,
    /// For programs; amounts exact, as number literals.
    Json,
    /// For spreadsheets; amounts exact.
    Csv,
}

/// Show events as they arrive.
#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// Begin with so many of the latest events.
    #[arg(short = 'n', long, default_value_t = 10, value_name = "NUMBER")]
    pub(crate) lines: usize,
    /// End when the latest event is shown.
    #[arg(long)]
    pub(crate) no_follow: bool,
    /// How to show them.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: TailFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TailFormat {
    /// One line for people.
    Text,
    /// One JSON object a line, all columns.
    Json,
}

/// Check configuration, price book, ledger and ports, and say what to do.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

/// See it work on this machine alone: no key, no network.
///
/// Starts a stand-in for OpenAI, runs a small service through the real client, layer and exporter
/// into a real receiver and ledger, and prints the report. It ends by itself.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The same seed gives the same calls, tokens and costs.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The ledger's file. The default one is made anew by each demo; another one must not exist.
    /// [default: spanledger-demo.db]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Go on receiving on 127.0.0.1:4317 and :4318 when the report is printed.
    #[arg(long)]
    pub(crate) keep_serving: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LedgerArguments {
    /// The ledger's file.
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_LEDGER", default_value = "spanledger.db")]
    pub(crate) ledger: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Arguments::command().debug_assert();
    }

    fn subcommands(command: &mut clap::Command, above: &str, help: &mut String) {
        for sub in command.get_subcommands_mut() {
            let name = format!("{above}{}", sub.get_name());
            help.push_str(&format!("\n──── {name} ────\n"));
            help.push_str(&sub.render_long_help().to_string());
            subcommands(sub, &format!("{name} "), help);
        }
    }

    #[test]
    fn the_help_is_pinned() {
        let mut help = String::new();
        let mut command = Arguments::command().version("0").term_width(100);
        help.push_str(&command.render_long_help().to_string());
        subcommands(&mut command, "", &mut help);
        expect_test::expect_file!["../tests/golden/help.txt"].assert_eq(&help);
    }
}
