//! What a user's hook is told about a call.

use std::time::Duration;

use spanledger_event::{Attribution, Endpoint, Observation, PartialAttribution, Usage, Usd};

/// A call that has ended, as the function of
/// [`on_call_finished`](crate::SpanledgerLayer::on_call_finished) sees it.
#[derive(Debug)]
pub struct FinishedCall<'a> {
    observation: &'a Observation,
    time_to_first_chunk: Option<Duration>,
}

impl<'a> FinishedCall<'a> {
    pub(super) fn new(observation: &'a Observation, time_to_first_chunk: Option<Duration>) -> Self {
        Self { observation, time_to_first_chunk }
    }

    /// The API that was called.
    pub fn endpoint(&self) -> Endpoint {
        self.observation.endpoint
    }

    /// The provider by its OpenTelemetry name, or the host of a provider that is not known.
    pub fn provider(&self) -> &str {
        &self.observation.provider
    }

    /// The model that the request named.
    pub fn model(&self) -> Option<&str> {
        self.observation.model.as_deref()
    }

    /// The model that answered.
    pub fn response_model(&self) -> Option<&str> {
        self.observation.response_model.as_deref()
    }

    /// The provider's id of the response.
    pub fn response_id(&self) -> Option<&str> {
        self.observation.response.as_ref().map(|response| response.id.as_str())
    }

    /// Whom the call was for. Fields are missing only if calls without attribution are quarantined.
    pub fn attribution(&self) -> &PartialAttribution {
        &self.observation.attribution
    }

    /// Whom the call was for, if that is complete.
    pub fn complete_attribution(&self) -> Option<Attribution> {
        self.observation.attribution.clone().try_into().ok()
    }

    /// What was used, in exclusive buckets; `None` if the provider reported nothing that can be read.
    pub fn usage(&self) -> Option<&Usage> {
        self.observation.usage.as_ref()
    }

    /// The cost in dollars; `None` for an unpriced call.
    pub fn cost_usd(&self) -> Option<Usd> {
        self.observation.cost.as_ref().and_then(|cost| cost.usd)
    }

    /// Why the call has no cost.
    pub fn cost_reason(&self) -> Option<&'static str> {
        self.observation.cost.as_ref().and_then(|cost| cost.reason).map(|reason| reason.as_str())
    }

    /// The `error.type` of a call that failed or broke off.
    pub fn error_type(&self) -> Option<&str> {
        self.observation.outcome.error()
    }

    /// The number of HTTP requests, including retries.
    pub fn attempts(&self) -> u32 {
        self.observation.attempts
    }

    /// How long the call took, to the end of its stream.
    pub fn duration(&self) -> Duration {
        let nanos = self.observation.end.nanos().saturating_sub(self.observation.start.nanos());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
    }

    /// The time to the first bytes of a stream.
    pub fn time_to_first_chunk(&self) -> Option<Duration> {
        self.time_to_first_chunk.filter(|_| self.observation.stream)
    }

    /// The trace and the span of the call, if it has a span.
    pub fn trace_and_span_id(&self) -> Option<(&str, &str)> {
        Some((self.observation.trace_id.as_deref()?, self.observation.span_id.as_deref()?))
    }
}
