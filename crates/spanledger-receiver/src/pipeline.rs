//! Decodes an OTLP message, prices its calls, appends them to the ledger and forwards its traces.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use spanledger_event::{ErrorChain, Observation, UnpricedReason, Usd, keys};
use spanledger_ledger::{Ledger, LedgerError};
use spanledger_otlp::{DecodeError, Logs, ObservationReader, ReadLogs, Traces, price, record::Gap};
use spanledger_sinks::ConfiguredSink;

use crate::{
    Counters, Destination, Prices, Refusal, SinkState, SinkStatus,
    accepted::Accepted,
    forward::Outgoing,
    message::{Compression, Message, Signal},
    upkeep::RetentionStatus,
};

#[cfg(test)]
mod tests;

/// Larger bodies, and all compressed ones, are decoded on a blocking thread instead of a thread of the
/// runtime.
const INLINE_BYTES_MAX: usize = 128 * 1_024;

/// So many replays are remembered, and at most so many run at the same time.
const REPLAYS_MAX: usize = 16;

/// Why a record of the crate `spanledger` is rejected.
pub(crate) const NO_EVENT_ID: &str =
    "a record of the crate spanledger has no event id: let no processor on the way remove it";

/// Processes requests. Clones share one pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    ledger: Ledger,
    prices: Prices,
    reader: Arc<ObservationReader>,
    destination: Option<Destination>,
    counters: Arc<Counters>,
    is_served: Arc<AtomicBool>,
    /// Held by the work on the stored ledger that is running, such as a repricing.
    upkeep: Arc<tokio::sync::Mutex<()>>,
    /// The sinks that receive the ledger's events.
    sinks: Arc<OnceLock<Vec<(SinkStatus, ConfiguredSink)>>>,
    /// The latest replays.
    replays: Arc<Mutex<Vec<SinkStatus>>>,
    retention: Arc<RetentionStatus>,
}

impl Pipeline {
    /// Creates a pipeline into a ledger, with a fixed price book or with [`Prices`] that can be replaced.
    pub fn new(ledger: Ledger, prices: impl Into<Prices>, reader: ObservationReader) -> Self {
        Self {
            ledger,
            prices: prices.into(),
            reader: Arc::new(reader),
            destination: None,
            counters: Arc::default(),
            is_served: Arc::default(),
            upkeep: Arc::default(),
            sinks: Arc::default(),
            replays: Arc::default(),
            retention: Arc::default(),
        }
    }

    /// Also forwards traces. A request then succeeds only after the destination has accepted its traces.
    #[must_use]
    pub fn with_destination(mut self, destination: Destination) -> Self {
        self.destination = Some(destination);
        self
    }

    pub(crate) fn upkeep(&self) -> &tokio::sync::Mutex<()> {
        &self.upkeep
    }

    /// The sinks, once a server delivers to them.
    pub fn sinks(&self) -> impl Iterator<Item = &SinkStatus> {
        self.sinks.get().into_iter().flatten().map(|(status, _)| status)
    }

    /// The configuration of a sink.
    pub(crate) fn sink(&self, name: &str) -> Option<&ConfiguredSink> {
        self.sinks.get().into_iter().flatten().map(|(_, sink)| sink).find(|sink| sink.name == name)
    }

    /// The latest replays.
    pub(crate) fn replays(&self) -> Vec<SinkStatus> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a replay, unless one of the same name is running.
    pub(crate) fn add_replay(&self, replay: &SinkStatus) -> bool {
        let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        let name = replay.name();
        if replays.iter().any(|other| other.name() == name && other.report().state != SinkState::Stopped) {
            return false;
        }
        replays.retain(|other| other.name() != name);
        if replays.len() >= REPLAYS_MAX {
            let ended = replays.iter().position(|other| other.report().state == SinkState::Stopped);
            let Some(ended) = ended else { return false };
            replays.remove(ended);
        }
        replays.push(replay.clone());
        true
    }

    pub(crate) fn set_sinks(&self, sinks: Vec<(SinkStatus, ConfiguredSink)>) {
        // A pipeline has one server, which sets them once.
        drop(self.sinks.set(sinks));
    }

    pub(crate) fn retention(&self) -> &RetentionStatus {
        &self.retention
    }

    /// The counters since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The prices in force.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The ledger to which the pipeline writes.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether a server is running that is not stopping.
    pub(crate) fn is_served(&self) -> bool {
        self.is_served.load(Ordering::Relaxed)
    }

    pub(crate) fn set_served(&self, is_served: bool) {
        self.is_served.store(is_served, Ordering::Relaxed);
    }

    /// Processes a message. On success its observations are durable in the ledger, except those that it
    /// rejected, and the destination has accepted its traces.
    pub(crate) async fn accept(&self, message: Message) -> Result<Accepted, Refusal> {
        // The budgeted bytes are kept until the ledger and the destination have answered.
        let Decoded { observations, accepted, outgoing, budgeted } = self.decode(message).await?;
        let record = self.record(observations, accepted, budgeted.clone());
        match (&self.destination, outgoing) {
            (Some(destination), Some(outgoing)) => {
                // Both run at the same time, so the ledger does not wait for the destination. If the
                // destination fails, the client repeats the request, and its observations are duplicates.
                let (recorded, forwarded) = tokio::join!(record, destination.send(outgoing));
                let accepted = recorded?;
                forwarded?;
                self.counters.add_forwarded(1);
                Ok(accepted)
            }
            _ => record.await,
        }
    }

    /// Appends in a task of its own, which keeps the budgeted bytes: when the client goes away and the
    /// request is dropped, the observations stay in the ledger's queue, and their memory stays covered.
    async fn record(
        &self,
        observations: Vec<Observation>,
        accepted: Accepted,
        budgeted: [Bytes; 2],
    ) -> Result<Accepted, Refusal> {
        if observations.is_empty() {
            return Ok(accepted);
        }
        let this = self.clone();
        let appending = tokio::spawn(async move {
            let accepted = this.append(observations, accepted).await;
            drop(budgeted);
            accepted
        });
        appending.await.unwrap_or_else(|error| {
            tracing::error!(%error, "receiver.ledger.append.aborted");
            Err(unavailable())
        })
    }

    /// Appends observations, and adds to the answer those that the ledger refused.
    async fn append(
        &self,
        observations: Vec<Observation>,
        mut accepted: Accepted,
    ) -> Result<Accepted, Refusal> {
        let unpriced: Vec<UnpricedReason> =
            observations.iter().filter_map(|observation| observation.cost.as_ref()?.reason).collect();
        let appended = self.ledger.append(observations).await.map_err(|error| refusal_of(&error))?;
        self.counters.add_observations(appended.new);
        self.counters.add_duplicates(appended.duplicates + appended.late);
        self.counters.add_observations_refused(&appended.refused);
        if let Some(reason) = appended.refused.first() {
            // One line for a request, however many there are.
            tracing::warn!(count = appended.refused.len(), %reason, "receiver.observations.refused");
        }
        for reason in appended.refused {
            accepted.reject(1, reason);
        }
        self.counters.add_unpriced(&unpriced);
        Ok(accepted)
    }

    /// Decodes a message. The message moves into the blocking task with its part of the budget: if the
    /// client disconnects and the request is dropped, the bytes stay reserved until the task frees them.
    async fn decode(&self, message: Message) -> Result<Decoded, Refusal> {
        if message.compression == Compression::Identity && message.bytes.len() <= INLINE_BYTES_MAX {
            return self.decode_now(&message);
        }
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.decode_now(&message)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "receiver.decode.panicked");
            Err(Refusal::Unavailable("the message could not be read".to_owned()))
        })
    }

    /// Counts the losses that a message tells of. A message has one line of the log, however many it tells of.
    fn note_lost(&self, gaps: &[Gap]) {
        let Some(first) = gaps.first() else { return };
        let calls = gaps.iter().map(|gap| gap.calls).fold(0, u64::saturating_add);
        let without_cost = gaps.iter().map(|gap| gap.calls_without_cost).fold(0, u64::saturating_add);
        let cost = gaps.iter().map(|gap| gap.cost).fold(Usd::default(), |sum, cost| sum + cost);
        self.counters.add_records_lost(usize::try_from(calls).unwrap_or(usize::MAX));
        tracing::error!(
            service = first.service_name,
            calls,
            calls_without_cost = without_cost,
            cost_usd = %cost,
            event_id = first.id.as_str(),
            events = gaps.len(),
            "receiver.records.lost"
        );
    }

    fn decode_now(&self, message: &Message) -> Result<Decoded, Refusal> {
        let malformed = |error: DecodeError| Refusal::Malformed(ErrorChain(&error).to_string());
        let plain = message.inflate()?;
        let mut accepted = Accepted::new(message.signal);
        let mut outgoing = None;
        let mut observations = match message.signal {
            Signal::Traces => {
                let traces = Traces::decode(&plain, message.encoding).map_err(malformed)?;
                self.counters.add_spans(traces.span_count());
                outgoing = self.destination.as_ref().map(|to| to.prepare(message, &plain, &traces));
                self.reader.traces(&traces)
            }
            Signal::Logs => {
                let logs = Logs::decode(&plain, message.encoding).map_err(malformed)?;
                self.counters.add_records(logs.record_count());
                let ReadLogs { observations, gaps, rejected } = self.reader.logs(&logs);
                self.note_lost(&gaps);
                accepted.reject(rejected, NO_EVENT_ID);
                if rejected > 0 {
                    self.counters.add_records_rejected(rejected);
                    tracing::warn!(
                        records = rejected,
                        missing = keys::EVENT_ID,
                        remedy = "let no processor on the way remove it",
                        "receiver.records.rejected"
                    );
                }
                observations
            }
        };
        // All calls of a request are priced by the same book.
        let book = self.prices.current();
        for observation in &mut observations {
            price(&book, observation);
        }
        Ok(Decoded { observations, accepted, outgoing, budgeted: [message.bytes.clone(), plain] })
    }
}

/// A decoded message.
#[derive(Debug)]
struct Decoded {
    observations: Vec<Observation>,
    /// The answer so far.
    accepted: Accepted,
    /// The message for the destination; `None` without a destination, and for logs.
    outgoing: Option<Outgoing>,
    /// The bytes as they came and the inflated ones. Their part of the budget stands for the memory of
    /// the observations, which the budget does not count.
    budgeted: [Bytes; 2],
}

/// The refusal for an error of the ledger. Most errors are faults of the receiver, after which the client
/// should repeat the request. Only observations that can never be stored are refused without a retry.
fn refusal_of(error: &LedgerError) -> Refusal {
    match error {
        LedgerError::Unstorable(_) => {
            tracing::warn!(error = %ErrorChain(error), "receiver.ledger.append.refused");
            Refusal::Malformed(ErrorChain(error).to_string())
        }
        // Only some requests need the row, and the others are recorded.
        LedgerError::Damaged(_) => {
            tracing::error!(error = %ErrorChain(error), "receiver.ledger.append.failed");
            unavailable()
        }
        // The writer logs the beginning and the end of a fault that concerns all requests.
        _ => {
            tracing::debug!(error = %ErrorChain(error), "receiver.ledger.append.failed");
            unavailable()
        }
    }
}

/// The client repeats the request. It is not told what is wrong here; `/readyz` tells the operator.
fn unavailable() -> Refusal {
    Refusal::Unavailable("the ledger cannot be written at the moment".to_owned())
}
