//! The destinations of cost events.
//!
//! A [`Sink`] delivers batches of events and returns the outcome of each batch. The trait's documentation
//! is the contract; [`conformance`] checks it, and every sink runs that suite.
//!
//! A sink consists of a folder beside this file and a row in [`SINKS`]. The row has the sink's name, a
//! line of help, its README and its configuration type. The command line, the configuration file,
//! `spanledger check` and the documentation use the table, so only their golden files change with it.
//!
//! The table lists the sinks that this crate offers. A program chooses its sinks by the table that it
//! passes to [`build`]. Only `spanledger-cli` does that; the other crates use a `Box<dyn Sink>`. A program
//! with an additional sink passes `[SINKS, &[MY_KIND]].concat()`.
//!
//! ```
//! use spanledger_event::CostEvent;
//! use spanledger_sinks::{DeliveryOutcome, SINKS, SinkSpec};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let specs = [SinkSpec::of_kind("stdout")];
//! let mut sinks = spanledger_sinks::build(SINKS, &specs)?;
//! let outcome = sinks[0].sink.deliver(vec![CostEvent::default()].into()).await;
//! assert_eq!(outcome, DeliveryOutcome::Delivered);
//! # Ok::<(), spanledger_sinks::SinkConfigError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod conformance;
pub mod encode;
mod registry;
mod sink;
pub mod table;

// The sinks: a folder, a `mod` line and a row each, in alphabetical order.
pub mod stdout;

/// The sinks of this crate.
pub static SINKS: &[SinkKind] = &[SinkKind::new::<stdout::StdoutConfig>(
    "stdout",
    "Writes each event as one line of JSON to standard output",
    include_str!("stdout/README.md"),
)];

pub use registry::{ConfiguredSink, OptionError, SinkConfig, SinkConfigError, SinkKind, SinkSpec, build};
pub use sink::{Batch, Delivery, DeliveryOutcome, Sink};
