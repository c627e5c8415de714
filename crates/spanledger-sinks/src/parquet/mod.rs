#![doc = include_str!("README.md")]

mod config;
mod disk;
mod encode;
mod objects;
mod problem;
mod sink;
#[cfg(test)]
mod tests;

pub use config::{ParquetConfig, PartitionBy};
pub use sink::ParquetSink;
