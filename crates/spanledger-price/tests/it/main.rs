//! What the price book promises, tested from outside.

#![expect(clippy::unwrap_used, reason = "a test that finds nothing where it looks has failed")]

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
