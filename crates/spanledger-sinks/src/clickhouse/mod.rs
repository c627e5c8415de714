#![doc = include_str!("README.md")]

mod config;
mod fault;
mod http;
mod native;
mod prepare;
mod sink;
#[cfg(test)]
mod tests;

pub use config::ClickHouseConfig;
pub use sink::ClickHouseSink;
