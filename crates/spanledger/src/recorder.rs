//! Prices calls and sends their records.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use spanledger_event::Observation;
use spanledger_otlp::price;
use spanledger_price::PriceBook;
use tokio::sync::oneshot;

use crate::exporter::{
    Exporter, ExporterConfig, ExporterStats, FlushError, InitError, Intent, ToRecord, flush_all,
    flush_all_blocking,
};

static GLOBAL: OnceLock<Recorder> = OnceLock::new();

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
}

impl Recorder {
    /// Creates a recorder with this export configuration. If the configuration cannot be used, an error is logged,
    /// and each record counts as lost. If only the disk of the spool cannot be used, an error is logged, and records
    /// are in memory until it can. [`try_new`](Self::try_new) returns either error instead.
    pub fn new(config: ExporterConfig) -> Self {
        Self::with_exporter(Exporter::start_or_log(config))
    }

    /// Creates a recorder with this export configuration, whose address, headers and certificates are checked.
    pub fn try_new(config: ExporterConfig) -> Result<Self, InitError> {
        Exporter::start(config).map(Self::with_exporter)
    }

    fn with_exporter(exporter: Exporter) -> Self {
        load_builtin_book();
        Self { inner: Arc::new(Inner { exporter }), book: None }
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

    /// The recorder of the process. Unless [`init`](crate::init) has configured it, it is configured by environment
    /// variables at its first use.
    pub fn global() -> &'static Self {
        GLOBAL.get_or_init(|| Self::new(ExporterConfig::from_env()))
    }

    /// Makes this recorder that of the process.
    pub(crate) fn set_global(self) -> Result<(), InitError> {
        GLOBAL.set(self).map_err(|_| InitError::AlreadyInitialized)
    }

    /// Waits until the receiver has acknowledged the record of every call of this recorder that has ended. A call
    /// that is about to end, such as a stream that was just dropped, is waited for briefly; other calls are not.
    ///
    /// It needs no runtime. It ends the waits between attempts, so that a receiver that is back is noticed at once.
    pub async fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        self.inner.exporter.flush(timeout).await
    }

    /// As [`flush`](Self::flush), and blocks the thread meanwhile. It can be called anywhere: after the runtime was
    /// shut down, in `Drop`, in a thread that handles signals, and inside a runtime.
    pub fn flush_blocking(&self, timeout: Duration) -> Result<(), FlushError> {
        self.inner.exporter.flush_blocking(timeout)
    }

    /// How many records were made, acknowledged and lost so far.
    pub fn stats(&self) -> ExporterStats {
        self.inner.exporter.stats()
    }

    pub(crate) fn call_started(&self) {
        self.inner.exporter.call_started();
    }

    pub(crate) fn call_ended(&self) {
        self.inner.exporter.call_ended();
    }

    /// The prices of this recorder. A value in the queue carries them, because recorders with different books
    /// share one queue.
    pub(crate) fn prices(&self) -> RecorderPrices {
        RecorderPrices(self.book.clone())
    }

    /// Queues a value of which the exporter's thread makes a record. Never blocks.
    pub(crate) fn send(&self, record: impl ToRecord + 'static) {
        self.inner.exporter.send(Box::new(record), None);
    }

    /// Counts a call whose record could not be made, and ends its intent.
    pub(crate) fn count_loss(&self, ends: Option<Intent>) {
        self.inner.exporter.count_loss(ends);
    }

    /// Whether calls are noted on disk before they are sent.
    pub(crate) fn keeps_intents(&self) -> bool {
        self.inner.exporter.keeps_intents()
    }

    /// Notes on disk that a call is about to be sent. `record` is what is sent if the process dies before the call has
    /// ended; it must have the ids of the call's own record. The receiver is told when the disk has it.
    pub(crate) fn intent(&self, record: impl ToRecord + 'static) -> Option<(Intent, oneshot::Receiver<()>)> {
        self.inner.exporter.intent(Box::new(record))
    }

    /// Queues the record of a call that was noted on disk before it was sent.
    pub(crate) fn send_ended(&self, record: impl ToRecord + 'static, intent: Option<Intent>) {
        self.inner.exporter.send(Box::new(record), intent);
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

/// Flushes every recorder of the process; see [`Recorder::flush`].
///
/// Call it before the process ends: records that are still queued then are lost.
pub async fn flush(timeout: Duration) -> Result<(), FlushError> {
    flush_all(timeout).await
}

/// As [`flush`], and blocks the thread meanwhile; see [`Recorder::flush_blocking`].
pub fn flush_blocking(timeout: Duration) -> Result<(), FlushError> {
    flush_all_blocking(timeout)
}
