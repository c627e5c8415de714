//! The end-to-end tests run the real program with real sockets, files and clients.
//!
//! | module | what it tests |
//! |---|---|
//! | `cli` | the commands `demo`, `report`, `tail`, `check`, and the errors that a user gets |
//! | `price_command`, `prices_command`, `negotiated_prices` | `spanledger price` and `spanledger prices` |
//! | `price_oracle` | our prices against those of another engine (a peer) |
//! | `price_reload` | `serve` with price files that change, its health and its metrics |
//! | `crash` | `kill -9` between and during requests |
//! | `ledger_file` | a ledger that is locked, or cannot be written |
//! | `ledger_command`, `ledger_upkeep` | `spanledger ledger` and `reprice`, while `serve` runs and without it |
//! | `sql_view` | the ledger's view as Python's SQLite, pandas and `DuckDB` read it (peers), and the examples of `docs/ledger.md` |
//! | `sql_questions` | the files of `docs/sql` on the engines of the databases (peers) |
//! | `sinks_command` | `spanledger sinks`, beside `serve` and without it |
//! | `stdout_sink` | `serve --sink stdout` |
//! | `instrumented_service` | a Rust service with the crate `spanledger` |
//! | `nothing_is_lost` | such a service with a spool, while it and the receiver are killed |
//! | `tls` | such a service that sends its records over TLS, to a Collector (a peer) |
//! | `clock` | such a service whose clock is set back (a peer) |
//! | `python_service`, `collector` | a service in Python, an OpenTelemetry Collector (peers) |
//! | `scenarios` | the files in `tests/scenarios` |
//!
//! A *peer* is a program of another project; `tests/peers/README.md` says how to install it.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails at that place")]

mod cli;
#[cfg(target_os = "linux")]
mod clock;
mod collector;
mod crash;
mod file_sink;
mod instrumented_service;
mod ledger_command;
mod ledger_file;
mod ledger_upkeep;
mod negotiated_prices;
mod nothing_is_lost;
mod price_command;
mod price_oracle;
mod price_reload;
mod prices_command;
mod python_service;
mod scenarios;
mod sinks_command;
mod sql_questions;
mod sql_view;
mod stdout_sink;
mod support;
mod tls;
