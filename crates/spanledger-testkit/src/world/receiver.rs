//! A receiver and its ledger.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use spanledger_event::CostEvent;
use spanledger_ledger::{Ledger, LedgerReader};
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_receiver::{Counters, Destination, Limits, Pipeline, Prices, RunningServer, Server};
use tempfile::TempDir;

/// The settings of a [`TestReceiver`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct TestReceiverBuilder {
    limits: Limits,
    prices: Prices,
    destination: Option<Destination>,
}

impl Default for TestReceiverBuilder {
    fn default() -> Self {
        Self { limits: Limits::default(), prices: PriceBook::builtin().clone().into(), destination: None }
    }
}

impl TestReceiverBuilder {
    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the prices. The default is the built-in book.
    pub fn prices(mut self, prices: impl Into<Prices>) -> Self {
        self.prices = prices.into();
        self
    }

    /// Forwards traces to this address.
    pub fn forward_traces_to(mut self, address: &str) -> Self {
        self.destination = Some(Destination::new(address).unwrap());
        self
    }

    /// Starts it on free ports of the loopback interface, with an empty ledger.
    pub async fn start(self) -> TestReceiver {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
        let mut pipeline = Pipeline::new(ledger.clone(), self.prices, ObservationReader::default());
        if let Some(destination) = self.destination {
            pipeline = pipeline.with_destination(destination);
        }
        let server = Server::builder().limits(self.limits).bind().await.unwrap();
        TestReceiver { folder, ledger, server: server.spawn(pipeline) }
    }
}

/// A receiver that serves OTLP on free ports of the loopback interface and writes to a ledger in a
/// temporary folder. Dropping it stops it and removes the folder.
#[derive(Debug)]
pub struct TestReceiver {
    folder: TempDir,
    ledger: Ledger,
    server: RunningServer,
}

impl TestReceiver {
    /// A builder with the default settings.
    pub fn builder() -> TestReceiverBuilder {
        TestReceiverBuilder::default()
    }

    /// Starts one with default limits and the built-in prices.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// The address of OTLP/gRPC.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.server.addresses().grpc
    }

    /// The address of OTLP/HTTP.
    pub fn http_addr(&self) -> SocketAddr {
        self.server.addresses().http
    }

    /// The base URL of OTLP/HTTP.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http_addr())
    }

    /// The receiver's counters since its start.
    pub fn counters(&self) -> &Counters {
        self.server.pipeline().counters()
    }

    /// The ledger that the receiver writes to.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger's file.
    pub fn path(&self) -> PathBuf {
        self.ledger.path().to_owned()
    }

    /// All events, oldest first, read from the file as another process would read them.
    pub fn events(&self) -> Vec<CostEvent> {
        events_of(self.ledger.path())
    }

    /// The only event. Panics if the ledger has none or more than one.
    pub fn event(&self) -> CostEvent {
        only(self.events())
    }

    /// Stops the receiver after it has answered the requests in progress, and returns the ledger with its
    /// folder.
    pub async fn shut_down(self) -> (TempDir, Ledger) {
        self.server.stop().await.unwrap();
        (self.folder, self.ledger)
    }
}

/// All events of a ledger's file, void ones included, oldest first.
pub fn events_of(ledger: &Path) -> Vec<CostEvent> {
    let changes = LedgerReader::open(ledger).unwrap().changes_after(0, usize::MAX).unwrap();
    let mut events: Vec<CostEvent> = changes.into_iter().map(|change| (**change.event).clone()).collect();
    events.sort_by_key(|event| event.timestamp);
    events
}

pub(super) fn only(mut events: Vec<CostEvent>) -> CostEvent {
    assert_eq!(events.len(), 1, "{events:#?}");
    events.remove(0)
}
