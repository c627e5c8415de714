#![doc = include_str!("README.md")]

mod config;
mod message;
mod sink;
#[cfg(test)]
mod tests;

pub use config::OtlpConfig;
pub use sink::OtlpSink;
