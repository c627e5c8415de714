//! What the exporter says in the log: the beginning and the end of a state, and not each attempt.

use super::{Answer, Outbox, Shared};
use crate::exporter::outbox::Verdict;

/// The states that the log has told.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Requests fail.
    fails: bool,
    /// Nothing is accepted, not even single records.
    refuses_all: bool,
    /// Something that is not a receiver of Spanledger acknowledged records.
    is_other: bool,
    /// The number of parked records that was told.
    parked: usize,
}

impl Notes {
    /// Whether the last request failed.
    pub(super) fn fails(&self) -> bool {
        self.fails
    }

    /// Tells what is new with an answer, which the outbox has taken in.
    pub(super) fn answered(&mut self, answer: &Answer, outbox: &Outbox, shared: &Shared) {
        let url = shared.url.as_str();
        if answer.verdict == Verdict::Acknowledged {
            shared.set_error(None);
            self.acknowledged(answer, url);
        } else {
            shared.set_error(Some(answer.reason.clone()));
            if !std::mem::replace(&mut self.fails, true) {
                tracing::warn!(reason = answer.reason, url, "spanledger.export.retry");
            }
            if answer.verdict == Verdict::Refused
                && outbox.is_probing()
                && !std::mem::replace(&mut self.refuses_all, true)
            {
                let remedy = "every record is refused, so the address is probably wrong: set SPANLEDGER_ENDPOINT to \
                              the address of `spanledger serve`";
                tracing::error!(reason = answer.reason, url, remedy, "spanledger.export.refused_all");
            }
        }
        let parked = outbox.parked();
        if parked > self.parked && answer.verdict != Verdict::Acknowledged {
            // The others are sent, and these are repeated.
            tracing::error!(reason = answer.reason, records = parked, url, "spanledger.export.parked");
            self.parked = parked;
        } else if parked == 0 {
            self.parked = 0;
        }
    }

    fn acknowledged(&mut self, answer: &Answer, url: &str) {
        if std::mem::take(&mut self.fails) {
            tracing::info!(url, "spanledger.export.recovered");
        }
        self.refuses_all = false;
        let message = answer.partial.message.as_str();
        if answer.partial.rejected > 0 {
            tracing::error!(records = answer.partial.rejected, message, url, "spanledger.export.rejected");
        } else if !message.is_empty() {
            tracing::warn!(message, url, "spanledger.export.warning");
        }
        if !answer.is_from_receiver && !std::mem::replace(&mut self.is_other, true) {
            let remedy = "if it is a Collector, let its logs pipeline end in `spanledger serve`; otherwise set \
                          SPANLEDGER_ENDPOINT to the address of `spanledger serve`";
            tracing::warn!(url, remedy, "spanledger.export.acknowledged_by_other");
        }
    }
}
