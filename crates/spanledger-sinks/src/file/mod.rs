#![doc = include_str!("README.md")]

mod closed;
mod config;
mod position;
mod sink;
#[cfg(test)]
mod tests;
mod writer;

pub use config::{FileConfig, Rotation};
pub use sink::FileSink;
