//! Sends history to a sink again, beside its live delivery.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use spanledger_event::Timestamp;
use spanledger_ledger::{Ledger, LedgerError};
use spanledger_sinks::{ConfiguredSink, EventFilter, Start};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::{DeliveryOptions, SinkStatus, run, source::Span};

/// Which events are sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplaySelection {
    /// Only events whose call began at this moment or later (RFC 3339).
    pub since: Option<String>,
    /// Only events whose call began before this moment (RFC 3339).
    pub until: Option<String>,
    /// For each of these columns only the events that have one of the values.
    #[serde(rename = "where")]
    pub only: BTreeMap<String, Vec<String>>,
}

/// Why a replay cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The selection is not valid.
    #[error("{0}")]
    Selection(String),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A replay that is ready to run.
#[derive(Debug)]
pub struct Replay {
    ledger: Ledger,
    sink: ConfiguredSink,
    status: SinkStatus,
    until: i64,
}

impl Replay {
    /// Prepares to send what the ledger has at this moment and the selection takes. A replay of the same
    /// selection that was interrupted goes on where it stopped.
    ///
    /// The replay has a cursor of its own, and is a sink of its own to the destination, so that it neither waits
    /// for the live delivery nor moves its cursor. The destination recognizes the events as it does after any
    /// other retry.
    pub async fn prepare(
        ledger: &Ledger,
        sink: &ConfiguredSink,
        selection: &ReplaySelection,
    ) -> Result<Self, ReplayError> {
        let filter = filter(sink, selection)?;
        let beginning = format!("{}.replay-{:08x}-", sink.name, fingerprint(sink, selection));
        let (reader, wanted) = (ledger.reader()?, beginning.clone());
        let names = tokio::task::spawn_blocking(move || reader.follower_names())
            .await
            .map_err(|_| LedgerError::Closed)??;
        let started = names.into_iter().find(|name| name.starts_with(&wanted));
        let name = started.unwrap_or_else(|| format!("{beginning}{}", millis()));
        let until = *ledger.changes().borrow();
        let status = SinkStatus::new(&name, sink.kind);
        status.ends_at(until);
        let mut sink = sink.clone();
        (sink.name, sink.filter, sink.start) = (name, filter, Start::Beginning);
        Ok(Self { ledger: ledger.clone(), sink, status, until })
    }

    /// What the replay is doing; its name is that of its cursor.
    pub fn status(&self) -> &SinkStatus {
        &self.status
    }

    /// Runs until everything is sent, the destination is blocked, or `shutdown` is ready. Returns whether
    /// everything was sent; the status says why not.
    pub async fn run(
        self,
        options: DeliveryOptions,
        shutdown: impl Future<Output = Instant> + Send,
    ) -> Result<bool, LedgerError> {
        let Self { ledger, sink, status, until } = self;
        let name = sink.name.clone();
        run(ledger.clone(), sink, status.clone(), options, Span { until: Some(until) }, shutdown).await?;
        let is_complete = status.report().cursor >= until;
        if is_complete {
            // The cursor has done its work, and must not keep events from being deleted.
            ledger.forget(&name).await?;
        }
        Ok(is_complete)
    }
}

fn filter(sink: &ConfiguredSink, selection: &ReplaySelection) -> Result<EventFilter, ReplayError> {
    let moment = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => Timestamp::parse(text).map(Some).ok_or_else(|| {
            ReplayError::Selection(format!("`{text}` is not a moment: write it as 2026-11-01T10:00:00Z"))
        }),
    };
    let mut filter = EventFilter {
        since: moment(&selection.since)?,
        until: moment(&selection.until)?,
        ..sink.filter.clone()
    };
    for (column, values) in &selection.only {
        // The sink's own condition on a column still holds.
        let allowed = filter.only.get(column);
        let values = values.iter().filter(|value| allowed.is_none_or(|allowed| allowed.contains(value)));
        let values = values.cloned().collect();
        filter.only.insert(column.clone(), values);
    }
    filter.check().map_err(|error| ReplayError::Selection(error.to_string()))?;
    Ok(filter)
}

/// The same selection of the same sink has the same fingerprint.
fn fingerprint(sink: &ConfiguredSink, selection: &ReplaySelection) -> u64 {
    let text = serde_json::to_string(&(&sink.filter, selection)).unwrap_or_default();
    xxh3_64(text.as_bytes()) >> 32
}

fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
