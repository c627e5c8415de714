#![doc = include_str!("README.md")]

mod config;
mod sink;
#[cfg(test)]
mod tests;

pub use config::StdoutConfig;
pub use sink::{LinePosition, StdoutSink};
