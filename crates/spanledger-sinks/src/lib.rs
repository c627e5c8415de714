//! Where cost events go.
//!
//! A [`Sink`] takes batches of events and says what became of them. The contract is written at the
//! trait; [`conformance`] checks it, and every sink runs that suite. Adding a sink is one folder
//! and one row in the table of the program that composes them.
//!
//! ```
//! use spanledger_event::CostEvent;
//! use spanledger_sinks::{DeliveryOutcome, Sink, stdout::Lines};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let mut sink = Lines::new(Vec::new());
//! assert_eq!(sink.deliver(vec![CostEvent::default()].into()).await, DeliveryOutcome::Delivered);
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod conformance;
mod sink;
pub mod stdout;

pub use sink::{Batch, Delivery, DeliveryOutcome, Sink};
