//! The OTLP receiver: it records the AI calls of traces and logs in the ledger, forwards traces to a
//! destination, and delivers events to sinks.
//!
//! ```text
//! socket ─▶ limits ─▶ body ─▶ inflate ─▶ OTLP message ─▶ observations ─▶ price ─▶ ledger ─▶ answer
//!                                              │                                    │        ▲
//!                                              └──▶ destination (traces, unchanged) ┼────────┘
//!                                                                                   └─▶ sinks
//! ```
//!
//! * [`Server`] listens on the OTLP ports and, if configured, on the operator's port with `/healthz`,
//!   `/readyz` and `/metrics`. Each OTLP port accepts gRPC and HTTP.
//! * [`Pipeline`] processes each request. A request succeeds only if all of its observations are committed
//!   and synced in the ledger and the [`Destination`], if there is one, has accepted its traces. If the
//!   ledger or the destination is not available, the client receives an answer after which it retries:
//!   `UNAVAILABLE` with a delay of a second, or 503 with `Retry-After`.
//! * [`Prices`] is the price book in force; [`PriceWatch`] replaces it when price files change.
//! * [`deliver`] delivers events from the ledger to a sink and moves the sink's cursor. A server runs it
//!   for each of its sinks.
//!
//! Over HTTP, traces are forwarded byte for byte as they were received. Log records are never forwarded:
//! the records of calls have the ids of spans that the trace backend already has.
//!
//! `docs/otlp-conformance.md` lists the rules of OTLP that the receiver follows, and their tests.
//!
//! # Limits
//!
//! [`Limits`] lists the limits. The size of a body is limited before and after inflating, and all messages
//! in memory share a budget of bytes: a request whose announced length does not fit is refused before its
//! body is read. A part of the budget is released exactly when the bytes for which it was reserved are
//! freed, even if the client disconnects while its message is being decoded. Over HTTP/1.1 the rest of a
//! refused request's body is read and discarded, so that the client reads the refusal.
//!
//! # Non-goals
//!
//! The receiver does not sample, batch or transform traces: use an OpenTelemetry Collector for that
//! (`collector-config/` has a configuration with a Collector in front of this receiver).

mod accepted;
mod budget;
mod context;
mod counters;
mod delivery;
mod forward;
mod message;
mod metrics;
mod pipeline;
mod prices;
mod readiness;
mod refusal;
mod reprice;
mod server;
mod transport;
mod upkeep;

pub use context::Limits;
pub use counters::Counters;
pub(crate) use delivery::register;
pub use delivery::{
    DeliveryOptions, Replay, ReplayError, ReplaySelection, RetriedDeadLetters, SinkReport, SinkState,
    SinkStatus, deliver, retry_dead_letters,
};
pub use forward::{Destination, DestinationError, ForwardError};
pub use pipeline::Pipeline;
pub use prices::{
    PriceFileError, PriceFiles, PriceFilesError, PriceReload, PriceWatch, Prices, Reloads, read_price_file,
};
pub use readiness::NotReady;
pub(crate) use refusal::Refusal;
pub use reprice::{RepriceSelection, Repricing, reprice};
pub use server::{Addresses, BindError, RunningServer, ServeError, Server, ServerBuilder};
pub use transport::{
    DeadLetterAction, DeadLetterRequest, ForgetRequest, Forgetting, PruneRequest, ReplayRequest,
    RepriceRequest, SinksAnswer, SinksRequest, StartedReplay, UpkeepRequest,
};
pub use upkeep::{Compaction, Pace, Pruning, Refolding, Retention, compact, prune, refold};
