//! The receiver under test, calls to send to it, and clients that can misbehave.

mod call;
mod client;
mod receiver;

use std::time::Duration;

pub(crate) use call::{Call, bomb, compress, gzip, json_traces, message_of};
pub(crate) use client::{Answer, Http1, Http2, export, frame, head, post, request};
pub(crate) use receiver::Harness;

/// A guard against hanging, long enough for a busy machine; no test measures time with it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) const TRACES: &str = "/v1/traces";
pub(crate) const LOGS: &str = "/v1/logs";
pub(crate) const TRACE_METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(crate) const LOGS_METHOD: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens before the patience ends")
}
