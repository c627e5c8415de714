//! The OTLP receiver: gRPC and HTTP, the pipeline from socket to ledger, forwarding, delivery.
//!
//! ```text
//! socket ─▶ limits ─▶ body ─▶ inflate ─▶ OTLP message ─▶ observations ─▶ price ─▶ ledger ─▶ answer
//!                                            └────────────▶ destination (traces, as they came) ──┘
//! ```
//!
//! * [`Receiver`] binds the OTLP ports and serves them. Both ports take gRPC and HTTP.
//! * [`Pipeline`] is what a request goes through. It answers success only when every observation
//!   of the request is committed and synced in the ledger and the destination of traces, where one
//!   is configured, has accepted them. Until then the answer is one that clients retry:
//!   `UNAVAILABLE` with a delay of a second, or 503 with `Retry-After`.
//! * [`Prices`] is the price book in force; [`PriceWatch`] replaces it when files of prices change.
//! * [`Admin`] answers `/healthz`, `/readyz` and `/metrics` on a port of its own.
//! * [`deliver`] brings events from the ledger to a sink and moves its cursor.
//!
//! Traces are forwarded as they came, byte for byte. Log records are never forwarded: the project's
//! own records would stand beside their spans at a trace backend.
//!
//! # Limits
//!
//! Bodies are limited before and after inflating ([`Limits`]); the bytes of all bodies in flight
//! share a budget, and a request that does not fit is refused before its body is read. What the body of
//! a refused request over HTTP/1.1 still has to say is thrown away as it comes, so that its client
//! reads the refusal.

mod admin;
mod answer;
mod body;
mod delivery;
mod forward;
mod grpc;
mod http;
mod metrics;
mod pipeline;
mod price_files;
mod prices;
mod server;

pub use admin::Admin;
pub use answer::Refusal;
pub use delivery::{DeliveryOptions, deliver};
pub use forward::{Destination, DestinationError};
pub use pipeline::{Counters, Pipeline};
pub use price_files::{PriceFiles, PriceFilesError, PriceWatch};
pub use prices::{Prices, Reloads};
pub use server::{BindError, Limits, Receiver};
