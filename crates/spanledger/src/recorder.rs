//! Prices calls and sends their records.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use spanledger_event::Observation;
use spanledger_otlp::{price, record};
use spanledger_price::PriceBook;
use tokio::sync::watch;

use crate::exporter::{Exporter, ExporterConfig, ExporterStats, FlushError};

static GLOBAL: LazyLock<Recorder> = LazyLock::new(|| Recorder::new(ExporterConfig::from_env()));

/// Prices calls and exports a record of each to the receiver. Cloning shares it.
///
/// Calls are priced with the built-in book, which the exporter's thread reads when it starts, or with
/// [one of your own](Self::with_price_book). That cost is what the span says; the event's is worked
/// out by the receiver, with its own book.
#[derive(Clone, Debug)]
pub struct Recorder {
    inner: Arc<Inner>,
    /// The built-in one where there is none.
    book: Option<PriceBook>,
}

#[derive(Debug)]
struct Inner {
    exporter: Exporter,
    /// Calls that have begun and not ended.
    open: watch::Sender<usize>,
}

/// How long a flush waits for calls that are about to end, such as a stream that was just dropped.
const OPEN_WAIT: Duration = Duration::from_secs(1);

impl Recorder {
    /// A recorder that exports by `config`.
    pub fn new(config: ExporterConfig) -> Self {
        let inner = Inner { exporter: Exporter::start(config), open: watch::Sender::new(0) };
        Self { inner: Arc::new(inner), book: None }
    }

    /// The same recorder, with its queue and its connection, pricing with another book: negotiated
    /// rates, models of your own, names of deployments.
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

    /// The process's recorder, configured by environment variables at its first use.
    pub fn global() -> &'static Self {
        &GLOBAL
    }

    /// Waits until the receiver has acknowledged every call that ended before.
    ///
    /// Call it before the process ends: records that are still queued then are lost.
    pub async fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let begun = Instant::now();
        let mut open = self.inner.open.subscribe();
        // A call that is still open then is not one that ended before.
        drop(tokio::time::timeout(timeout.min(OPEN_WAIT), open.wait_for(|count| *count == 0)).await);
        self.inner.exporter.flush(timeout.saturating_sub(begun.elapsed())).await
    }

    /// What became of the records so far.
    pub fn stats(&self) -> ExporterStats {
        self.inner.exporter.stats()
    }

    pub(crate) fn opened(&self) {
        self.inner.open.send_modify(|count| *count += 1);
    }

    pub(crate) fn closed(&self) {
        self.inner.open.send_modify(|count| *count = count.saturating_sub(1));
    }

    pub(crate) fn price(&self, observation: &mut Observation) {
        price(self.book.as_ref().unwrap_or_else(|| PriceBook::builtin()), observation);
    }

    pub(crate) fn record(&self, observation: &Observation) {
        self.inner.exporter.send(record::record(observation));
    }
}

/// [`Recorder::flush`] of the process's recorder.
pub async fn flush(timeout: Duration) -> Result<(), FlushError> {
    Recorder::global().flush(timeout).await
}
