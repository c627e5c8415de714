//! Declares the options of `serve`, each once.
//!
//! The same structs are read from the configuration file (serde) and from the environment and the
//! command line (clap). The id of an argument is its key in the file. Its doc comment is the text of the
//! help and of the reference page docs/configuration.md, which a test compares with this file.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf};

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use serde::Deserialize;
use spanledger_sinks::SinkSpec;

use super::address::{AdminAddr, ListenAddr};

/// The options as they were given. An option that is not given is `None` or empty.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// The ledger's file; it is created if it does not exist. [default: spanledger.db]
    #[arg(long, value_name = "FILE", env = "SPANLEDGER_LEDGER")]
    pub(crate) ledger: Option<PathBuf>,
    /// A sink that receives the events, by its kind; may be given more than once. On the command line it
    /// replaces all sinks of the file, where a sink is a table `[sinks.NAME]` with options.
    #[arg(long = "sink", value_name = "SINK", value_parser = crate::sinks::names())]
    #[serde(skip)]
    pub(crate) sinks: Vec<String>,
    /// The sinks of the file, each a table `[sinks.NAME]`.
    #[arg(skip)]
    #[serde(rename = "sinks")]
    pub(crate) sink_tables: BTreeMap<String, SinkSpec>,
    /// A file with your own prices, which is laid over the built-in price book and read again when it
    /// changes; may be given more than once, or as a list with commas.
    #[arg(
        long,
        value_name = "FILE",
        value_delimiter = ',',
        env = "SPANLEDGER_PRICES",
        // An empty variable is accepted and names no file.
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(crate) prices: Vec<PathBuf>,
    /// Events whose call began more than so many days ago are deleted, once all sinks have received them.
    /// Reports keep their sums.
    #[arg(long, value_name = "DAYS", env = "SPANLEDGER_KEEP_DAYS")]
    pub(crate) keep_days: Option<NonZeroU32>,
    /// The address that serves /healthz, /readyz, /metrics, and POST requests below /api/, with which commands
    /// such as `reprice --apply` change the ledger; `off` disables it. [default: 127.0.0.1:4319]
    #[arg(long, value_name = "ADDRESS", env = "SPANLEDGER_ADMIN_ADDR")]
    pub(crate) admin_addr: Option<AdminAddr>,
    #[command(flatten)]
    pub(crate) receiver: ReceiverOptions,
    #[command(flatten)]
    pub(crate) attribution: AttributionOptions,
}

/// The file's section `[receiver]`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReceiverOptions {
    /// The address that receives OTLP/gRPC. A port without a host, such as `4317`, is reachable from this
    /// machine only; `0.0.0.0:4317` listens on all interfaces. [default: 127.0.0.1:4317]
    #[arg(
        id = "receiver.grpc_addr",
        long = "grpc-addr",
        value_name = "ADDRESS",
        env = "SPANLEDGER_GRPC_ADDR"
    )]
    pub(crate) grpc_addr: Option<ListenAddr>,
    /// The address that receives OTLP/HTTP. [default: 127.0.0.1:4318]
    #[arg(
        id = "receiver.http_addr",
        long = "http-addr",
        value_name = "ADDRESS",
        env = "SPANLEDGER_HTTP_ADDR"
    )]
    pub(crate) http_addr: Option<ListenAddr>,
    /// A destination that receives the same traces, byte for byte, before a request is answered:
    /// `http://host:4318` (OTLP/HTTP) or `grpc://host:4317` (OTLP/gRPC).
    #[arg(
        id = "receiver.forward_traces",
        long = "forward-traces",
        value_name = "URL",
        env = "SPANLEDGER_FORWARD_TRACES"
    )]
    pub(crate) forward_traces: Option<String>,
    /// The greatest size of one message in bytes, before and after decompression. [default: 67108864]
    #[arg(
        id = "receiver.body_bytes_max",
        long = "body-bytes-max",
        value_name = "BYTES",
        env = "SPANLEDGER_BODY_BYTES_MAX",
        help_heading = "Limits",
        hide_short_help = true
    )]
    pub(crate) body_bytes_max: Option<usize>,
    /// The greatest size in bytes of all messages in memory together. [default: 268435456]
    #[arg(
        id = "receiver.in_flight_bytes_max",
        long = "in-flight-bytes-max",
        value_name = "BYTES",
        env = "SPANLEDGER_IN_FLIGHT_BYTES_MAX",
        help_heading = "Limits",
        hide_short_help = true
    )]
    pub(crate) in_flight_bytes_max: Option<usize>,
    /// The greatest number of open connections to the OTLP ports. [default: 4096]
    #[arg(
        id = "receiver.connections_max",
        long = "connections-max",
        value_name = "NUMBER",
        env = "SPANLEDGER_CONNECTIONS_MAX",
        help_heading = "Limits",
        hide_short_help = true
    )]
    pub(crate) connections_max: Option<usize>,
}

/// The file's section `[attribution]`: attribute keys that are read before the default ones. They can be
/// set only in the file.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AttributionOptions {
    #[arg(skip)]
    pub(crate) feature: Vec<String>,
    #[arg(skip)]
    pub(crate) route: Vec<String>,
    #[arg(skip)]
    pub(crate) customer_id: Vec<String>,
    #[arg(skip)]
    pub(crate) environment: Vec<String>,
    #[arg(skip)]
    pub(crate) request_id: Vec<String>,
    #[arg(skip)]
    pub(crate) batch_job_id: Vec<String>,
    #[arg(skip)]
    pub(crate) user: Vec<String>,
}

impl Options {
    /// Takes each option from `self` or, if it is not given there, from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        let (receiver, fallback) = (self.receiver, other.receiver);
        Self {
            ledger: self.ledger.or(other.ledger),
            sinks: self.sinks,
            sink_tables: other.sink_tables,
            prices: if self.prices.is_empty() { other.prices } else { self.prices },
            keep_days: self.keep_days.or(other.keep_days),
            admin_addr: self.admin_addr.or(other.admin_addr),
            receiver: ReceiverOptions {
                grpc_addr: receiver.grpc_addr.or(fallback.grpc_addr),
                http_addr: receiver.http_addr.or(fallback.http_addr),
                forward_traces: receiver.forward_traces.or(fallback.forward_traces),
                body_bytes_max: receiver.body_bytes_max.or(fallback.body_bytes_max),
                in_flight_bytes_max: receiver.in_flight_bytes_max.or(fallback.in_flight_bytes_max),
                connections_max: receiver.connections_max.or(fallback.connections_max),
            },
            // Attribution keys can be set only in the file.
            attribution: other.attribution,
        }
    }
}
