//! What a request goes through.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use spanledger_event::{Observation, UnpricedReason};
use spanledger_ledger::{Ledger, LedgerError};
use spanledger_otlp::{Encoding, Logs, ObservationReader, Traces, price};

use crate::{
    Destination, Prices, Refusal,
    body::{Budget, Compression, Held},
};

/// Bodies above this are inflated and decoded beside the runtime's own threads.
const INLINE_BYTES_MAX: usize = 128 * 1_024;

/// An OTLP signal that the receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

/// An OTLP message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    pub(crate) compression: Compression,
    /// The bytes as they came, still compressed.
    pub(crate) bytes: Bytes,
}

/// What the receiver has done since it started.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    refused: AtomicU64,
    spans: AtomicU64,
    records: AtomicU64,
    observations: AtomicU64,
    duplicates: AtomicU64,
    forwarded: AtomicU64,
    unpriced: Mutex<BTreeMap<UnpricedReason, u64>>,
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        impl Counters {
            $($(#[doc = $doc])+ pub fn $name(&self) -> u64 {
                self.$name.load(Ordering::Relaxed)
            })+
        }
    };
}

counters! {
    /// Requests that arrived, refused ones included.
    requests;
    /// Requests that were refused.
    refused;
    /// Spans of accepted requests, GenAI or not.
    spans;
    /// Log records of accepted requests, ours or not.
    records;
    /// Observations that were not known.
    observations;
    /// Observations that had been delivered before.
    duplicates;
    /// Requests that the destination of traces accepted.
    forwarded;
}

impl Counters {
    /// Observations of accepted requests that have no cost, by reason; those that had been delivered
    /// before are counted again.
    pub fn unpriced(&self) -> BTreeMap<UnpricedReason, u64> {
        let mut counts: BTreeMap<_, _> = UnpricedReason::ALL.into_iter().map(|reason| (reason, 0)).collect();
        counts.extend(self.unpriced.lock().unwrap_or_else(PoisonError::into_inner).iter());
        counts
    }

    fn unprice(&self, reasons: &[UnpricedReason]) {
        if reasons.is_empty() {
            return;
        }
        let mut counts = self.unpriced.lock().unwrap_or_else(PoisonError::into_inner);
        for reason in reasons {
            *counts.entry(*reason).or_default() += 1;
        }
    }

    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self) {
        Self::add(&self.refused, 1);
    }

    pub(crate) fn request(&self) {
        Self::add(&self.requests, 1);
    }
}

/// From an OTLP message to the ledger, and on to the destination of traces.
#[derive(Clone, Debug)]
pub struct Pipeline {
    ledger: Ledger,
    prices: Prices,
    reader: Arc<ObservationReader>,
    destination: Option<Destination>,
    counters: Arc<Counters>,
    is_served: Arc<AtomicBool>,
}

impl Pipeline {
    /// A pipeline into a ledger, with prices from a book, or from [`Prices`] that are replaced later.
    pub fn new(ledger: Ledger, prices: impl Into<Prices>, reader: ObservationReader) -> Self {
        Self {
            ledger,
            prices: prices.into(),
            reader: Arc::new(reader),
            destination: None,
            counters: Arc::default(),
            is_served: Arc::default(),
        }
    }

    /// Passes traces on, and waits for the destination before a request is answered.
    #[must_use]
    pub fn with_destination(mut self, destination: Destination) -> Self {
        self.destination = Some(destination);
        self
    }

    /// What has been done since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The prices in force.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Whether requests are taken: a receiver serves it, and the ledger's writer lives.
    pub fn is_ready(&self) -> bool {
        self.is_served.load(Ordering::Relaxed) && self.ledger.changes().has_changed().is_ok()
    }

    pub(crate) fn set_served(&self, is_served: bool) {
        self.is_served.store(is_served, Ordering::Relaxed);
    }

    /// Success means: durable in the ledger, and accepted by the destination.
    pub(crate) async fn accept(
        &self,
        message: Message,
        limit: usize,
        budget: &Budget,
    ) -> Result<(), Refusal> {
        let (observations, plain) = self.read(&message, limit, budget).await?;
        let record = self.record(observations);
        match &self.destination {
            Some(destination) if message.signal == Signal::Traces => {
                // Both at once: the slower one decides. The ledger is never left behind for the
                // destination's sake, since a repeated request is a duplicate to it.
                let (recorded, forwarded) = tokio::join!(record, destination.send(&message, &plain.bytes));
                recorded?;
                forwarded?;
                Counters::add(&self.counters.forwarded, 1);
                Ok(())
            }
            _ => record.await,
        }
    }

    async fn record(&self, observations: Vec<Observation>) -> Result<(), Refusal> {
        if observations.is_empty() {
            return Ok(());
        }
        let unpriced: Vec<UnpricedReason> =
            observations.iter().filter_map(|o| o.cost.as_ref()?.reason).collect();
        let appended = self.ledger.append(observations).await.map_err(|error| {
            tracing::error!(error = chain(&error), "receiver.ledger.append.failed");
            match error {
                // The same bytes would fail again: a client must not repeat them for ever.
                LedgerError::Unstorable(_) => Refusal::Malformed(chain(&error)),
                _ => Refusal::Unavailable("the ledger cannot be written for the moment".to_owned()),
            }
        })?;
        Counters::add(&self.counters.observations, appended.new);
        Counters::add(&self.counters.duplicates, appended.duplicates);
        self.counters.unprice(&unpriced);
        Ok(())
    }

    async fn read(
        &self,
        message: &Message,
        limit: usize,
        budget: &Budget,
    ) -> Result<(Vec<Observation>, Held), Refusal> {
        let work = {
            let (this, message, budget) = (self.clone(), message.clone(), budget.clone());
            move || this.decode(&message, limit, &budget)
        };
        if message.bytes.len() <= INLINE_BYTES_MAX && message.compression == Compression::Identity {
            return work();
        }
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
            tracing::error!(%error, "receiver.decode.panicked");
            Err(Refusal::Unavailable("the message could not be read".to_owned()))
        })
    }

    fn decode(
        &self,
        message: &Message,
        limit: usize,
        budget: &Budget,
    ) -> Result<(Vec<Observation>, Held), Refusal> {
        let plain = message.compression.inflate(&message.bytes, limit, budget)?;
        let malformed = |error: spanledger_otlp::DecodeError| Refusal::Malformed(chain(&error));
        let mut observations = match message.signal {
            Signal::Traces => {
                let traces = Traces::decode(&plain.bytes, message.encoding).map_err(malformed)?;
                Counters::add(&self.counters.spans, traces.span_count());
                self.reader.traces(&traces)
            }
            Signal::Logs => {
                let logs = Logs::decode(&plain.bytes, message.encoding).map_err(malformed)?;
                Counters::add(&self.counters.records, logs.record_count());
                self.reader.logs(&logs)
            }
        };
        // Taken once: a request is priced by one book.
        let book = self.prices.current();
        for observation in &mut observations {
            price(&book, observation);
        }
        Ok((observations, plain))
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
