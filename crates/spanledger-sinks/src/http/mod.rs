#![doc = include_str!("README.md")]

mod config;
mod signature;
mod sink;
#[cfg(test)]
mod tests;

pub use config::{BodyFormat, HttpConfig};
pub use sink::HttpSink;
