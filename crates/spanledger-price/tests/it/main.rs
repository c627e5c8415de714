//! Tests of the price book through its public interface.

#![expect(clippy::unwrap_used, reason = "a missing value fails the test")]

mod bugs;
mod properties;
mod published;
mod support;
mod tools;
mod usage;
mod usage_bugs;
mod usage_fixtures;
mod usage_properties;
mod usage_silence;
mod vectors;
