#![doc = include_str!("README.md")]

mod claim;
mod config;
mod connect;
mod copy;
mod fault;
mod prepare;
mod sink;
#[cfg(test)]
mod tests;

pub use config::{PartitionOption, PostgresConfig, TlsOption};
pub use sink::PostgresSink;
