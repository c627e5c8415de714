//! Prices calls and sends their records.

use std::{
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, Instant},
};

use spanledger_event::Observation;
use spanledger_otlp::{price, record::LogRecord};
use spanledger_price::PriceBook;
use tokio::sync::watch;

use crate::exporter::{Exporter, ExporterConfig, ExporterStats, FlushError};

static GLOBAL: LazyLock<Recorder> = LazyLock::new(|| Recorder::new(ExporterConfig::from_env()));

/// Prices calls and exports a record of each to the receiver. Clones share one recorder.
///
/// Calls are priced with the built-in book, or with [your own book](Self::with_price_book). This cost is an
/// attribute of the span. The receiver calculates the cost of the event with its own book.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Inner>,
    /// The price book; `None` means the built-in book, which may still be loading.
    book: Option<PriceBook>,
}

#[derive(Debug)]
struct Inner {
    exporter: Exporter,
    /// The number of calls that have started and not ended.
    calls_in_flight: watch::Sender<usize>,
}

/// The longest time that a flush waits for calls that are about to end, such as a stream that was just dropped.
const IN_FLIGHT_WAIT_MAX: Duration = Duration::from_secs(1);

impl Recorder {
    /// Creates a recorder with this export configuration.
    pub fn new(config: ExporterConfig) -> Self {
        load_builtin_book();
        let inner = Inner { exporter: Exporter::start(config), calls_in_flight: watch::Sender::new(0) };
        Self { inner: Arc::new(inner), book: None }
    }

    /// Sets the price book, for example one with negotiated rates, your own models and deployments. The
    /// returned recorder shares the queue and the connection of this one.
    ///
    /// ```
    /// use async_openai::config::OpenAIConfig;
    /// use spanledger::{PriceBook, Recorder};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ours = r#"
    /// [provider]
    /// name = "openai"
    /// [sources]
    /// contract = "enterprise agreement of 2026"
    /// [[discount]]
    /// percent = "10"
    /// from = 2026-01-01
    /// sources = ["contract"]
    /// prices_checked = 2026-01-05
    /// "#;
    /// let book = PriceBook::builtin().layered([("prices.toml", ours)])?;
    /// let recorder = Recorder::global().clone().with_price_book(book);
    /// let client = spanledger::instrument(OpenAIConfig::new()).recorder(recorder).build();
    /// # let _: async_openai::Client<OpenAIConfig> = client;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_price_book(mut self, book: PriceBook) -> Self {
        self.book = Some(book);
        self
    }

    /// The recorder of the process. It is configured by environment variables at its first use.
    pub fn global() -> &'static Self {
        &GLOBAL
    }

    /// Waits until the receiver has acknowledged the record of every call that has ended.
    ///
    /// Call it before the process ends: records that are still queued then are lost.
    pub async fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let started_at = Instant::now();
        let mut in_flight = self.inner.calls_in_flight.subscribe();
        let none_in_flight = in_flight.wait_for(|count| *count == 0);
        // A call that is still in flight after this time is not waited for.
        drop(tokio::time::timeout(timeout.min(IN_FLIGHT_WAIT_MAX), none_in_flight).await);
        self.inner.exporter.flush(timeout.saturating_sub(started_at.elapsed())).await
    }

    /// How many records were made, acknowledged and lost so far.
    pub fn stats(&self) -> ExporterStats {
        self.inner.exporter.stats()
    }

    pub(crate) fn call_started(&self) {
        self.inner.calls_in_flight.send_modify(|count| *count += 1);
    }

    pub(crate) fn call_ended(&self) {
        self.inner.calls_in_flight.send_modify(|count| *count = count.saturating_sub(1));
    }

    pub(crate) fn price(&self, observation: &mut Observation) {
        price(self.book.as_ref().unwrap_or_else(|| PriceBook::builtin()), observation);
    }

    pub(crate) fn send(&self, record: LogRecord) {
        self.inner.exporter.send(record);
    }
}

/// Loads the built-in book on a separate thread. This takes some milliseconds, by which the first call would
/// otherwise be delayed.
fn load_builtin_book() {
    let loading = thread::Builder::new().name("spanledger-prices".to_owned()).spawn(|| {
        PriceBook::builtin();
    });
    // If the thread cannot be started, the first call that ends loads the book.
    drop(loading);
}

/// Flushes the recorder of the process; see [`Recorder::flush`].
pub async fn flush(timeout: Duration) -> Result<(), FlushError> {
    Recorder::global().flush(timeout).await
}
