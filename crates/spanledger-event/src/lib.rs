//! The domain types of Spanledger: the attribution, usage and cost of an AI call, and the fold of
//! several sightings of a call into one event. The crate has no I/O, clocks or randomness.
//!
//! Three words are used with one meaning everywhere:
//!
//! * an [`Observation`] is one sighting of a call: a span, or the record that the crate
//!   `spanledger` emits itself;
//! * a *charge* is one billed response of the provider;
//! * a [`CostEvent`] is one logical request: the [`fold()`] of its charges and failed attempts.
//!
//! A store of observations implements [`Journal`], which has two questions. [`related`] then tells which
//! stored observations belong together with new ones, and [`Component::fold`] makes their events.
//!
//! Money is [`Usd`], an exact integer of 10⁻¹² dollars; this crate has no floats. Tokens are a
//! [`Usage`] of exclusive buckets, so that a sum of buckets never counts a token twice.
//!
//! Three tables define names that several crates use:
//!
//! * [`COLUMNS`]: the columns of the event, from which the ledger's tables, the JSON form and
//!   `docs/events.md` ([`reference()`]) derive;
//! * [`CARRIED`]: the columns that an event copies from its observations without change;
//! * [`keys`]: the names of all attributes.
//!
//! [`limits`] has the maximum of everything that a sender chooses.
//!
//! ```
//! use spanledger_event::{Attribution, NestedUsage, Usd};
//!
//! // Attribution: a missing field does not compile; a bad value is an error that names it.
//! let attribution = Attribution::builder()
//!     .feature("search")
//!     .route("/search")
//!     .customer_id("acme")
//!     .environment("production")
//!     .dim("team", "growth")
//!     .build()?;
//! assert_eq!(attribution.customer_id(), "acme");
//!
//! // Providers report nested totals. They are taken apart once, where they are read.
//! let nested = NestedUsage { input: 1_000, cached: 400, output: 300, reasoning: 250, ..NestedUsage::default() };
//! let usage = nested.exclusive()?;
//! assert_eq!((usage.prompt_tokens(), usage.cached_tokens()), (1_000, 400));
//! assert_eq!((usage.completion_tokens(), usage.reasoning_tokens()), (50, 250));
//!
//! // Money is exact.
//! let third: Usd = "0.000000000001".parse()?;
//! assert_eq!((third + third).to_string(), "0.000000000002");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Non-goals
//!
//! This crate knows no prices (`spanledger-price` does), no wire formats (`spanledger-otlp`) and no
//! storage (`spanledger-ledger`).

#![deny(clippy::float_arithmetic)]

mod attribution;
mod cost;
mod error_chain;
mod event;
mod fold;
mod id;
pub mod keys;
pub mod limits;
mod money;
mod observation;
mod reference;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
mod timestamp;
mod usage;
mod words;

pub use attribution::{
    Attribution, AttributionBuilder, AttributionError, Field, Given, HasCustomerId, HasEnvironment,
    HasFeature, HasRoute, Missing, PartialAttribution, check_value,
};
pub use cost::{Cost, CostCertainty, CostLine, UnpricedReason};
pub use error_chain::ErrorChain;
pub use event::{
    COLUMNS, Cell, CellError, Column, ColumnKind, CostEvent, EventJson, EventState, Flag, JsonText,
    SharedEvent, UsageSource,
};
pub use fold::{
    Component, CrowdedRelation, Folded, Journal, REVISION_OF_CROWDED, REVISION_OF_EPOCH, RefusedReason,
    Related, Relation, RelationKind, fold, fold_lone, related, related_while, stored_components,
};
pub use id::{EventId, fingerprint};
pub use money::{ParseUsdError, Usd};
pub use observation::{
    CARRIED, CallOutcome, CarriedField, Endpoint, Observation, ObservedAs, ResponseRef, Role,
};
pub use reference::reference;
pub use timestamp::Timestamp;
pub use usage::{Bucket, NestedUsage, Unstated, Usage, UsageError};
