#![doc = include_str!("README.md")]

mod config;
mod fault;
mod sink;
#[cfg(test)]
mod tests;

pub use config::NatsConfig;
pub use sink::NatsSink;
