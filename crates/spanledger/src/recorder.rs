//! Prices calls and sends their records.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use spanledger_event::Observation;
use spanledger_otlp::price;
use spanledger_price::PriceBook;

use crate::exporter::{Exporter, ExporterConfig, ExporterStats, FlushError, ToRecord};

static GLOBAL: LazyLock<Recorder> = LazyLock::new(|| Recorder::new(ExporterConfig::from_env()));

/// Prices calls and exports a record of each to the receiver. Clones share one recorder.
///
/// Calls are priced with the built-in book, or with [your own book](Self::with_price_book). This cost is an
/// attribute of the span. The receiver calculates the cost of the event with its own book.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Inner>,
    /// The price book; `None` means the built-in book, which may still be loading.
    book: Option<Arc<PriceBook>>,
}

#[derive(Debug)]
struct Inner {
    exporter: Exporter,
    /// The number of calls that have started and not ended.
    calls_in_flight: AtomicUsize,
}

/// The longest time that a flush waits for calls that are about to end, such as a stream that was just dropped.
const IN_FLIGHT_WAIT_MAX: Duration = Duration::from_secs(1);

/// How often a flush looks whether such calls have ended.
const IN_FLIGHT_POLL: Duration = Duration::from_millis(1);

impl Recorder {
    /// Creates a recorder with this export configuration.
    pub fn new(config: ExporterConfig) -> Self {
        load_builtin_book();
        let inner = Inner { exporter: Exporter::start(config), calls_in_flight: AtomicUsize::new(0) };
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
        self.book = Some(Arc::new(book));
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
        // A call that is still in flight after this time is not waited for.
        let grace = timeout.min(IN_FLIGHT_WAIT_MAX);
        while self.inner.calls_in_flight.load(Ordering::Acquire) > 0 && started_at.elapsed() < grace {
            tokio::time::sleep(IN_FLIGHT_POLL).await;
        }
        self.inner.exporter.flush(timeout.saturating_sub(started_at.elapsed())).await
    }

    /// How many records were made, acknowledged and lost so far.
    pub fn stats(&self) -> ExporterStats {
        self.inner.exporter.stats()
    }

    pub(crate) fn call_started(&self) {
        self.inner.calls_in_flight.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn call_ended(&self) {
        self.inner.calls_in_flight.fetch_sub(1, Ordering::AcqRel);
    }

    /// The prices of this recorder. A value in the queue carries them, because recorders with different books
    /// share one queue.
    pub(crate) fn prices(&self) -> RecorderPrices {
        RecorderPrices(self.book.clone())
    }

    /// Queues a value of which the exporter's thread makes a record. Never blocks.
    pub(crate) fn send(&self, record: impl ToRecord + 'static) {
        self.inner.exporter.send(Box::new(record));
    }
}

/// The price book of a recorder.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecorderPrices(Option<Arc<PriceBook>>);

impl RecorderPrices {
    /// Prices a call. This loads the built-in book if it is needed and not loaded yet.
    pub(crate) fn price(&self, observation: &mut Observation) {
        price(self.0.as_deref().unwrap_or_else(|| PriceBook::builtin()), observation);
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
