//! The whole: the real binary, real sockets, real files, real clients.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod cli;
mod collector;
mod crash;
mod double_path;
mod price;
mod price_book;
mod price_oracle;
mod price_own;
mod prices;
mod python;
mod scenarios;
mod support;
