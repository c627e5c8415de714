//! The OTLP receiver: from the socket to the ledger, to the destination of traces and to the sinks.
//!
//! ```text
//! socket ─▶ limits ─▶ body ─▶ inflate ─▶ OTLP message ─▶ observations ─▶ price ─▶ ledger ─▶ answer
//!                                              │                                    │        ▲
//!                                              └──▶ destination (traces, unchanged) ┼────────┘
//!                                                                                   └─▶ sinks
//! ```
//!
//! * [`Server`] listens on the OTLP ports and, if wanted, on the operator's port with `/healthz`,
//!   `/readyz` and `/metrics`. Each OTLP port takes gRPC and HTTP.
//! * [`Pipeline`] is what a request goes through. It answers success only when every observation of
//!   the request is committed and synced in the ledger, and the [`Destination`] of traces, if there is
//!   one, has accepted them. Until then the answer is one that clients retry: `UNAVAILABLE` with a
//!   delay of a second, or 503 with `Retry-After`.
//! * [`Prices`] is the price book in force; [`PriceWatch`] replaces it when price files change.
//! * [`deliver`] brings events from the ledger to a sink and moves the sink's cursor. A server does
//!   this for each of its sinks.
//!
//! Traces are forwarded as they came, byte for byte. Log records are never forwarded: the project's
//! own records have the ids of spans that the trace backend already has.
//!
//! `docs/otlp-conformance.md` lists the rules of OTLP that the receiver keeps, and their tests.
//!
//! # Limits
//!
//! [`Limits`] has all of them. A body is limited before and after inflating, and the bytes of all
//! messages in memory share a budget: a request that does not fit is refused before its body is read.
//! A part of the budget is released exactly when the bytes are freed for which it was reserved, also
//! when the client goes away while its message is being decoded. The rest of a refused request's body
//! is discarded over HTTP/1.1, so that its client reads the refusal.
//!
//! # Non-goals
//!
//! Sampling, batching and transforming traces are the business of an OpenTelemetry Collector
//! (`collector-config/` shows one in front of this receiver).

mod budget;
mod context;
mod counters;
mod delivery;
mod forward;
mod message;
mod metrics;
mod pipeline;
mod prices;
mod refusal;
mod server;
mod transport;

pub use context::Limits;
pub use counters::Counters;
pub use delivery::{DeliveryOptions, deliver};
pub use forward::{Destination, DestinationError, ForwardError};
pub use pipeline::Pipeline;
pub use prices::{
    PriceFileError, PriceFiles, PriceFilesError, PriceReload, PriceWatch, Prices, Reloads, read_price_file,
};
pub(crate) use refusal::Refusal;
pub use server::{Addresses, BindError, RunningServer, ServeError, Server, ServerBuilder};
