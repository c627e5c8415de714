//! Declares the command line. The doc comments are the help texts.

mod ledger;
mod price;
mod prices;
mod reprice;
mod sinks;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::{
    ledger::{
        LedgerBackupArguments, LedgerCheckArguments, LedgerCommand, LedgerCommandArguments,
        LedgerCompactArguments, LedgerForgetArguments, LedgerFormat, LedgerInfoArguments,
        LedgerPruneArguments, LedgerRefoldArguments, LedgerRestoreArguments,
    },
    price::{BookArguments, PriceArguments, PriceFormat},
    prices::{
        BookCheckArguments, DiffArguments, DiffFormat, ImportArguments, ListArguments, ListFormat, PriceList,
        PricesArguments, PricesCommand, ShowArguments,
    },
    reprice::RepriceArguments,
    sinks::{
        SinksArguments, SinksCheckArguments, SinksCommand, SinksConfigArguments, SinksDdlArguments,
        SinksDeadCommand, SinksDeadDropArguments, SinksDeadListArguments, SinksDeadRetryArguments,
        SinksListArguments, SinksReplayArguments, SinksStatusArguments,
    },
};
use crate::config::{LEDGER, ListenAddr, Options};

/// Where does our AI money go?
///
/// Spanledger receives the OpenTelemetry spans and records of AI calls, from any language. It prices each
/// call exactly, attributes it to a feature, route, customer and environment, and keeps one durable event
/// per request.
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
    Ledger(LedgerCommandArguments),
    Sinks(SinksArguments),
    Reprice(RepriceArguments),
    #[cfg(feature = "demo")]
    Demo(DemoArguments),
    #[cfg(feature = "demo")]
    StandIn(StandInArguments),
    Price(PriceArguments),
    Prices(PricesArguments),
}

/// Receive OTLP and keep the ledger; needs no configuration.
///
/// Listens for OTLP/gRPC and OTLP/HTTP (protobuf and JSON, gzip); each port accepts both. A request is
/// answered with success once every AI call in it is durable in the ledger. Messages and logs go to
/// standard error; standard output carries only the events of `--sink stdout`.
///
/// An option can also be set in the environment, or in a file (--config). The command line overrides
/// the environment, and the environment overrides the file.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// A configuration file (TOML), described in docs/configuration.md.
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Show spend by feature, route, customer, model or day.
///
/// Sums are exact. A request counts once, with all its retries. The cost of an `unpriced` request is
/// unknown, fully or in part; the spend of its row is then a lower bound, marked ≥. The text below the
/// table says why requests failed, were retried, have no price, or lack attribution.
///
/// A terminal that is too narrow does not show all columns; JSON and CSV always have all of them.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// The dimension to group by.
    #[arg(long, value_enum, default_value = "feature")]
    pub(crate) by: By,
    /// Only events from this moment on: a day (`2026-11-01`, `today`, `yesterday`), a month (`2026-11`), a time
    /// (`2026-11-01T10:00:00Z`), or how long ago (`90m`, `24h`, `7d`, `1w`); all in UTC.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only events before this moment, written like --since; `--since 2026-10 --until 2026-11` is October.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only events of this environment.
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// The output format.
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
    /// For people; amounts are rounded to six places.
    Table,
    /// For programs; amounts are exact number literals.
    Json,
    /// For spreadsheets; amounts are exact. A text that a spreadsheet would run as a formula gets an
    /// apostrophe in front.
    Csv,
}

/// Show events as they arrive.
#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    pub(crate) ledger: LedgerArguments,
    /// The number of latest events to begin with.
    #[arg(short = 'n', long, default_value_t = 10, value_name = "NUMBER")]
    pub(crate) lines: usize,
    /// Do not wait for new events: end after the latest one.
    #[arg(long)]
    pub(crate) no_follow: bool,
    /// The output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: TailFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TailFormat {
    /// For people: one line for each event; in a narrow terminal the line is shorter and remarks follow
    /// on a second line.
    Text,
    /// For programs: one JSON object with all columns on each line.
    Json,
}

/// Check the configuration, the prices, the ledger, the ports and the destination of traces.
///
/// Takes the options of `serve` and says for each part whether `serve` could use it, and what to do if
/// it could not. A port that is in use by a running `serve` is reported as such, not as a failure. The
/// exit code is 1 if something failed.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

/// Run Spanledger on this machine with simulated calls: no API key, no network.
///
/// Starts a stand-in for OpenAI, runs a small service through the real client, layer and exporter
/// into a real receiver and ledger, and prints the report. It ends by itself.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The same seed gives the same calls, tokens and costs.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The ledger's file. Each demo replaces the default file; another file must not exist yet.
    /// [default: spanledger-demo.db]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Continue to receive after the report is printed, until Ctrl-C.
    #[arg(long)]
    pub(crate) keep_serving: bool,
    /// The address that receives OTLP/gRPC. [default: 127.0.0.1:4317 with --keep-serving, otherwise any
    /// free port]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) grpc_addr: Option<ListenAddr>,
    /// The address that receives OTLP/HTTP. [default: 127.0.0.1:4318 with --keep-serving, otherwise any
    /// free port]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http_addr: Option<ListenAddr>,
}

/// Start the demo's stand-in for OpenAI by itself: no key, no network, no cost.
///
/// It serves chat completions, responses, embeddings and models in OpenAI's wire format, including
/// streams. Its answers depend only on the request and the seed. Configure a client with the base URL
/// that it prints; any API key is accepted.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct StandInArguments {
    /// The address to listen on; port 0 means any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4310")]
    pub(crate) addr: ListenAddr,
    /// The same seed gives the same answers and tokens.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct LedgerArguments {
    /// The ledger's file.
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_LEDGER", default_value = LEDGER)]
    pub(crate) ledger: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    /// The admin address of the `serve` that has the ledger open.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4319")]
    pub(crate) admin_addr: ListenAddr,
}
