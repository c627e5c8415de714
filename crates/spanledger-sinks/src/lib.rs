//! The destinations of cost events.
//!
//! A [`Sink`] takes batches of events and says when they are durable. The trait's documentation is the
//! contract; [`conformance`] checks it, and every sink runs that suite.
//!
//! A sink consists of a folder beside this file and a row in [`SINKS`]. The row has the sink's name, a
//! line of help, its README and its configuration type. The command line, the configuration file,
//! `spanledger check` and the documentation use the table, so only their golden files change with it.
//!
//! The table lists the sinks that this crate offers. A program chooses its sinks by the table that it
//! passes to [`build`]. Only `spanledger-cli` does that; the other crates use a [`ConfiguredSink`]. A program
//! with an additional sink passes `[SINKS, &[MY_KIND]].concat()`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use spanledger_event::{CostEvent, SharedEvent};
//! use spanledger_sinks::{Batch, BatchId, Opening, Positioned, Purpose, SINKS, SinkSpec};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let sinks = spanledger_sinks::build(SINKS, [("stdout", &SinkSpec::default())])?;
//! let mut sink = sinks[0].make()?;
//!
//! let (ledger, name) = ("0190a7e2".to_owned(), sinks[0].name.clone());
//! sink.open(&Opening { ledger: ledger.clone(), sink: name.clone(), purpose: Purpose::Deliver }).await?;
//! let event = Arc::new(SharedEvent::new(CostEvent::default()));
//! let batch = Batch {
//!     id: BatchId { ledger, sink: name, from: 0, to: 1 },
//!     events: vec![Positioned { position: 1, event }],
//! };
//! assert!(sink.write(&batch).await?.rejected.is_empty());
//! sink.commit().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
pub mod conformance;
mod disk;
pub mod encode;
mod fault;
mod filter;
mod registry;
mod secret;
mod sink;
pub mod table;
#[cfg(any(feature = "clickhouse", feature = "http", feature = "otlp"))]
mod web;

// The sinks: a folder, a `mod` line and a row each, in alphabetical order.
#[cfg(feature = "clickhouse")]
pub mod clickhouse;
pub mod file;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "parquet")]
pub mod parquet;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod stdout;

/// The row of a sink that is built only with the cargo feature of its name.
macro_rules! row_of_feature {
    ($feature:literal, $summary:literal, $readme:literal, $config:ty) => {{
        #[cfg(feature = $feature)]
        let row = SinkKind::new::<$config>($feature, $summary, include_str!($readme));
        #[cfg(not(feature = $feature))]
        let row = SinkKind::not_built($feature, $summary, include_str!($readme), $feature);
        row
    }};
}

/// The sinks of this crate.
pub static SINKS: &[SinkKind] = &[
    row_of_feature!(
        "clickhouse",
        "Writes each event to a table of ClickHouse, where it counts once",
        "clickhouse/README.md",
        clickhouse::ClickHouseConfig
    ),
    SinkKind::new::<file::FileConfig>(
        "file",
        "Writes each event as a line of JSON or CSV to a file that is rotated",
        include_str!("file/README.md"),
    ),
    row_of_feature!(
        "http",
        "Posts signed batches of events as JSON to an address of yours",
        "http/README.md",
        http::HttpConfig
    ),
    row_of_feature!(
        "kafka",
        "Sends each event as a JSON message to a topic of Apache Kafka",
        "kafka/README.md",
        kafka::KafkaConfig
    ),
    row_of_feature!(
        "nats",
        "Publishes each event as a JSON message to a stream of NATS JetStream",
        "nats/README.md",
        nats::NatsConfig
    ),
    row_of_feature!(
        "otlp",
        "Sends each event as an OTLP log record to a Collector, Loki or a backend",
        "otlp/README.md",
        otlp::OtlpConfig
    ),
    row_of_feature!(
        "parquet",
        "Writes Parquet files to a disk, S3, Google Cloud Storage or Azure",
        "parquet/README.md",
        parquet::ParquetConfig
    ),
    row_of_feature!(
        "postgres",
        "Writes each event once to a table of PostgreSQL",
        "postgres/README.md",
        postgres::PostgresConfig
    ),
    SinkKind::new::<stdout::StdoutConfig>(
        "stdout",
        "Writes each event as a line of JSON or CSV to standard output",
        include_str!("stdout/README.md"),
    ),
];

pub use batch::{Batch, BatchId, BatchShape, Positioned, Rejection, Written, approximate_bytes};
pub use fault::Fault;
pub use filter::{EventFilter, EventSelection, FilterError};
pub use registry::{
    BatchOptions, ConfiguredSink, OneOrMore, OptionError, SinkConfig, SinkConfigError, SinkKind, SinkSpec,
    Start, build,
};
pub use secret::{Secret, SecretError};
pub use sink::{BoxSink, Opened, Opening, Purpose, Sink};
