//! Tests of the ledger that use only its public interface, so that they do not depend on how it stores data.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod append;
mod batches;
mod crash;
mod faults;
mod files;
mod hostile;
mod inspect;
mod kill;
mod model;
mod outbox;
mod readers;
mod reasons;
mod support;
