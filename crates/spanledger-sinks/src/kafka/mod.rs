#![doc = include_str!("README.md")]

mod client;
mod config;
mod fault;
mod marker;
mod sink;
#[cfg(test)]
mod tests;

pub use config::{CompressionOption, KafkaConfig};
pub use sink::KafkaSink;
