//! What a request that succeeded left out.

use std::{collections::BTreeMap, fmt::Display};

use crate::message::Signal;

#[cfg(test)]
mod tests;

/// A request that succeeded. Some of its spans or records may not be stored, which OTLP calls a partial
/// success: the client must not send them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    signal: Signal,
    /// How many spans or records were rejected, by the sentence that says why.
    rejected: BTreeMap<String, usize>,
}

impl Accepted {
    /// Everything was accepted so far.
    pub(crate) fn new(signal: Signal) -> Self {
        Self { signal, rejected: BTreeMap::new() }
    }

    /// Adds that so many spans or records were rejected for a reason.
    pub(crate) fn reject(&mut self, count: usize, reason: impl Display) {
        if count > 0 {
            *self.rejected.entry(reason.to_string()).or_default() += count;
        }
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// How many spans or records were rejected.
    pub(crate) fn rejected(&self) -> usize {
        self.rejected.values().sum()
    }

    /// Why spans or records were rejected, for the developer of the client. It has a sentence for each
    /// reason, and the reasons are few.
    pub(crate) fn message(&self) -> String {
        let rejected = self.rejected();
        let of_signal = match (self.signal, rejected) {
            (Signal::Traces, 1) => "span was",
            (Signal::Traces, _) => "spans were",
            (Signal::Logs, 1) => "log record was",
            (Signal::Logs, _) => "log records were",
        };
        let reasons = self.rejected.iter().map(|(reason, count)| format!("{count}: {reason}"));
        format!("{rejected} {of_signal} not stored. {}", reasons.collect::<Vec<_>>().join(". "))
    }
}
