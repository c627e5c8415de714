//! Test support, also for the demo and the examples: every part that a call passes through, in one process.
//!
//! | feature | what it adds | for |
//! |---|---|---|
//! | `openai` | [`Provider`], a stand-in for OpenAI with the real wire formats; [`Reply`] and [`Usage`] script its answers | tests of clients, the demo |
//! | `otlp` | [`otlp`]: builders of spans, log records and export requests | tests of everything that reads OTLP |
//! | `observation` | [`observation`]: builders of observations | tests of the fold, the ledger, prices |
//! | `clickhouse` | [`ClickHouse`]: ClickHouse's engine behind its HTTP interface, if the peer is installed | tests of the ClickHouse sink |
//! | `collector` | [`Collector`]: an OpenTelemetry Collector that writes what it receives to a file, if the peer is installed | tests of the OTLP sink |
//! | `kafka` | [`Kafka`]: a broker of Apache Kafka of a test's own, if the peer is installed | tests of the Kafka sink |
//! | `nats` | [`Nats`]: a NATS server of a test's own, if the peer is installed | tests of the NATS sink |
//! | `postgres` | [`Postgres`]: a PostgreSQL server of a test's own, if the peer is installed | tests of the Postgres sink, of SQL |
//! | `receiver` | [`world::TestReceiver`]: a receiver and its ledger in a temporary folder | tests of the receiver |
//! | `world` | [`world::World`]: that receiver, the stand-in provider and an instrumented client | tests of the crate `spanledger` |
//!
//! No feature is on by default.
//!
//! # The stand-in provider
//!
//! A test starts a [`Provider`] on a free port of the loopback interface, points a real client at
//! [`Provider::base_url`], and scripts the next answers with [`Reply`]. Then it checks the client's
//! results and the requests that the provider received ([`Provider::requests`]).
//!
//! ```
//! use spanledger_testkit::{Provider, Reply, Usage};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = Provider::builder()
//!     .seed(7)
//!     .script([
//!         Reply::rate_limited().retry_after(1),
//!         Reply::answer("Hello.").usage(Usage::new(1_200, 40).cached(1_024).reasoning(32)),
//!     ])
//!     .start()
//!     .await?;
//!
//! let ask = || {
//!     reqwest::Client::new()
//!         .post(format!("{}/chat/completions", provider.base_url()))
//!         .header("authorization", "Bearer test")
//!         .body(r#"{"model":"gpt-5.5","messages":[{"role":"user","content":"Hi"}]}"#)
//!         .send()
//! };
//! assert_eq!(ask().await?.status(), 429);
//! let answer: serde_json::Value = serde_json::from_slice(&ask().await?.bytes().await?)?;
//! assert_eq!(answer["model"], "gpt-5.5-2026-04-23");
//! assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 1_024);
//! assert_eq!(answer["usage"]["total_tokens"], 1_240);
//!
//! assert_eq!(provider.requests().len(), 2);
//! provider.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # A span, from the socket to the event
//!
//! ```
//! use spanledger_testkit::{otlp::{self, SpanBuilder}, world::TestReceiver};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let receiver = TestReceiver::start().await;
//! let span = SpanBuilder::chat("gpt-5.5").tokens(1_000, 100).response_id("chatcmpl-1").attributed();
//! let answer = reqwest::Client::new()
//!     .post(format!("{}/v1/traces", receiver.http_url()))
//!     .header("content-type", otlp::PROTOBUF)
//!     .body(otlp::protobuf(&otlp::traces([span.build()])))
//!     .send()
//!     .await?;
//! assert_eq!(answer.status(), 200);
//! let event = receiver.event();
//! assert_eq!((event.prompt_tokens, event.billed_usd), (Some(1_000), Some("0.008".parse()?)));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    not(all(
        feature = "openai",
        feature = "otlp",
        feature = "observation",
        feature = "postgres",
        feature = "world"
    )),
    allow(rustdoc::broken_intra_doc_links, reason = "the page links to modules whose features can be off")
)]

#[cfg(feature = "clickhouse")]
mod clickhouse;
#[cfg(feature = "collector")]
mod collector;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "openai")]
mod openai;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(any(
    feature = "clickhouse",
    feature = "collector",
    feature = "kafka",
    feature = "nats",
    feature = "postgres"
))]
mod peers;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "receiver")]
pub mod world;

#[cfg(feature = "clickhouse")]
pub use clickhouse::ClickHouse;
#[cfg(feature = "collector")]
pub use collector::Collector;
#[cfg(feature = "kafka")]
pub use kafka::Kafka;
#[cfg(feature = "nats")]
pub use nats::Nats;
#[cfg(feature = "openai")]
pub use openai::{
    ApiError, Builder, CALLS_STORED_MAX, FinishReason, Provider, REQUEST_BODY_BYTES_MAX,
    REQUESTS_KEPT_BYTES_MAX, REQUESTS_KEPT_MAX, Received, Reply, Usage,
};
#[cfg(feature = "postgres")]
pub use postgres::Postgres;

/// Builders of observations for tests.
#[cfg(feature = "observation")]
pub mod observation {
    pub use spanledger_event::test_support::*;
}
