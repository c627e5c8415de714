//! The ledger through its public interface alone, so that the tests outlive the way it stores things.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod append;
mod kill;
mod model;
mod readers;
mod reasons;
mod support;
