//! Tests of the price book and the usage readers through the crate's public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails at that place")]

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
mod usage_unstated;
mod vectors;
