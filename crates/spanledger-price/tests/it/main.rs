//! What the price book promises, tested from outside.

#![expect(clippy::unwrap_used, reason = "a test that finds nothing where it looks has failed")]

mod bugs;
mod properties;
mod published;
mod support;
mod tools;
mod vectors;
