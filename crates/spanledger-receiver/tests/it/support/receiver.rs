//! The receiver under test.

use bytes::Bytes;
use spanledger_event::{CostEvent, EventId};
use spanledger_ledger::{LedgerReader, Summary};
use spanledger_receiver::{Counters, Limits};
use spanledger_testkit::world::TestReceiver;

use super::{Answer, Call, Http1, Http2, PATIENCE, post};

/// A receiver with a ledger on disk, which is read as another process reads it.
pub(crate) struct Harness {
    pub(crate) receiver: TestReceiver,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self { receiver: TestReceiver::start().await }
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self { receiver: TestReceiver::builder().limits(limits).start().await }
    }

    pub(crate) async fn forwarding_to(address: &str) -> Self {
        Self { receiver: TestReceiver::builder().forward_traces_to(address).start().await }
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.receiver.counters()
    }

    fn reader(&self) -> LedgerReader {
        LedgerReader::open(self.receiver.path()).unwrap()
    }

    pub(crate) fn event(&self, id: &EventId) -> Option<CostEvent> {
        self.reader().event(id).unwrap()
    }

    pub(crate) fn holds(&self, call: &Call) -> bool {
        self.event(&call.id()).is_some()
    }

    pub(crate) fn summary(&self) -> Summary {
        self.reader().summary().unwrap()
    }

    /// Makes the ledger refuse to write, or write again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.execute(if broken {
            "CREATE TRIGGER broken BEFORE INSERT ON observation
             BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        } else {
            "DROP TRIGGER broken"
        });
    }

    /// Runs SQL on the ledger's file, beside the receiver.
    pub(crate) fn execute(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.receiver.path()).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// Sends a request to the port of OTLP/HTTP.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        post(self.receiver.http_addr(), path, headers, body).await
    }

    /// A connection of HTTP/1.1 to the port of OTLP/HTTP.
    pub(crate) async fn raw(&self) -> Http1 {
        Http1::connect(self.receiver.http_addr()).await
    }

    /// A connection of HTTP/2 to the port of OTLP/gRPC.
    pub(crate) async fn h2(&self) -> Http2 {
        Http2::connect(self.receiver.grpc_addr()).await
    }
}
