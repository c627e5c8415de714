//! Where cost events go.
//!
//! A [`Sink`] takes batches of events and says what became of each batch. The trait's documentation
//! is the contract; [`conformance`] checks it, and every sink runs that suite.
//!
//! A sink is a folder beside this file and a row in [`SINKS`]. The row gives the sink's name, a line
//! of help, its README and its configuration type; the command line, the configuration file,
//! `spanledger check` and the documentation read the table, so that only their golden files change with it.
//!
//! The table is a catalogue: it says which sinks this crate offers. Which of them a program knows is
//! decided by the program, which passes a table to [`build`]. Only `spanledger-cli` does that; every
//! crate in between sees a `Box<dyn Sink>`. A program with a sink of its own passes
//! `[SINKS, &[MY_KIND]].concat()`.
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
mod registry;
mod sink;

// The sinks: a folder, a `mod` line and a row each, in alphabetical order.
pub mod stdout;

/// The sinks of this crate.
pub static SINKS: &[SinkKind] = &[SinkKind::new::<stdout::StdoutConfig>(
    "stdout",
    "One JSON object a line on standard output",
    include_str!("stdout/README.md"),
)];

pub use registry::{ConfiguredSink, OptionError, SinkConfig, SinkConfigError, SinkKind, SinkSpec, build};
pub use sink::{Batch, Delivery, DeliveryOutcome, Sink};
