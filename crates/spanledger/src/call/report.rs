//! Tells those who want to know that a call has ended, and queues the record of a call that was priced already.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use spanledger_event::Observation;
use spanledger_otlp::record::{self, AttributeValue, LogRecord};

use super::{CallOptions, Hook, finished::FinishedCall};
use crate::{PromptWarning, exporter::ToRecord, metrics};

#[cfg(test)]
mod tests;

/// Who is told of a call that has ended, beside the receiver and the metrics.
#[derive(Clone, Default)]
pub(crate) struct Report {
    hook: Option<Hook>,
    prompt_warning: PromptWarning,
    time_to_first_chunk: Option<Duration>,
}

impl Report {
    pub(super) fn new(options: &CallOptions, time_to_first_chunk: Option<Duration>) -> Self {
        Self { hook: options.hook.clone(), prompt_warning: options.prompt_warning, time_to_first_chunk }
    }

    /// Only the metrics are told.
    pub(crate) fn to_metrics() -> Self {
        Self { prompt_warning: PromptWarning::off(), ..Self::default() }
    }

    /// Tells the metrics, the log and the user's hook. A panic in any of them does not stop the export.
    pub(super) fn tell(&self, observation: &Observation) {
        // The user's meter provider and log subscriber run in these.
        let told = catch_unwind(AssertUnwindSafe(|| {
            metrics::record(observation);
            self.prompt_warning.after_the_call(observation);
        }));
        if told.is_err() {
            tracing::error!("spanledger.metrics.panicked: the metrics of a call could not be recorded");
        }
        let Some(hook) = &self.hook else { return };
        let finished = FinishedCall::new(observation, self.time_to_first_chunk);
        if catch_unwind(AssertUnwindSafe(|| hook(&finished))).is_err() {
            tracing::error!("spanledger.hook.panicked: the function of `on_call_finished` has panicked");
        }
    }
}

/// A call whose observation was needed before its record, for example for its span.
pub(crate) struct PricedCall {
    observation: Box<Observation>,
    /// The attributes of the record.
    attributes: Vec<(String, AttributeValue)>,
    report: Report,
}

impl PricedCall {
    pub(crate) fn new(
        observation: Observation,
        attributes: Vec<(String, AttributeValue)>,
        report: Report,
    ) -> Self {
        Self { observation: Box::new(observation), attributes, report }
    }
}

impl ToRecord for PricedCall {
    fn queue_bytes(&self) -> usize {
        let of_attribute = |(key, value): &(String, AttributeValue)| {
            let text = match value {
                AttributeValue::Text(text) => text.len(),
                AttributeValue::Integer(_) | AttributeValue::Boolean(_) => 0,
            };
            size_of::<(String, AttributeValue)>() + key.len() + text
        };
        let attributes: usize = self.attributes.iter().map(of_attribute).sum();
        // The texts of the attributes stand in the observation too.
        size_of::<Self>() + size_of::<Observation>() + 2 * attributes
    }

    fn into_record(self: Box<Self>) -> LogRecord {
        let record = record::with_attributes(&self.observation, self.attributes);
        self.report.tell(&self.observation);
        record
    }

    fn abandon(self: Box<Self>) {
        self.report.tell(&self.observation);
    }
}
