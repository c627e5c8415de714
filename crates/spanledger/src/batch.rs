//! The requests of a batch, from its output file.

use spanledger_event::{Attribution, CallOutcome, Endpoint, EventId, Observation, ObservedAs, Timestamp};
use spanledger_otlp::record;
use spanledger_price::providers::response_ref;

use crate::{
    Recorder,
    answer::{ResponseInfo, ResponseObject},
    jobs::{self, JobKind, JobPlace},
    lenient::{self, integer, lenient_object, text},
    request::provider_of_url,
};

#[cfg(test)]
mod tests;

/// A batch whose requests are recorded one by one.
///
/// Without it, a batch is one event: the call that creates it records its attribution, and any read of the completed
/// batch through an instrumented client records its cost. Use this where the requests of a batch are for different
/// customers or features, or where the batch itself reports no usage.
///
/// Record all lines of the output file. As soon as there are records of its requests, the total of the batch no
/// longer counts, so that nothing is counted twice.
///
/// ```
/// use spanledger::{Attribution, BatchOutput, Recorder};
///
/// # fn attribution_of(custom_id: &str) -> Option<Attribution> { None }
/// # let (batch_id, output) = ("batch_1", r#"{"custom_id":"a","response":null,"error":{"code":"e"}}"#);
/// let recorder = Recorder::global();
/// let batch = BatchOutput::new("https://api.openai.com/v1", batch_id)?;
/// for line in output.lines() {
///     batch.record_line(recorder, line, |custom_id| attribution_of(custom_id));
/// }
/// # Ok::<(), spanledger::BaseUrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BatchOutput {
    provider: String,
    server_address: Option<String>,
    id: String,
}

/// A base URL cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{url}` is no base URL: give the address of the provider's API, such as `https://api.openai.com/v1`"
)]
pub struct BaseUrlError {
    /// The text that was given.
    pub url: String,
}

lenient_object! {
    /// A line of an output file.
    struct Line {
        custom_id: "custom_id",
        response: "response",
    }
}

lenient_object! {
    struct LineResponse {
        status_code: "status_code",
        body: "body",
    }
}

lenient_object! {
    /// What tells the endpoint and the time of a response.
    struct Body {
        object: "object",
        created: "created",
        created_at: "created_at",
    }
}

impl BatchOutput {
    /// The batch with this id at the provider with this base URL, which is that of the client.
    pub fn new(base_url: &str, id: impl Into<String>) -> Result<Self, BaseUrlError> {
        let url: reqwest::Url = base_url.parse().map_err(|_| BaseUrlError { url: base_url.to_owned() })?;
        Ok(Self {
            provider: provider_of_url(&url),
            server_address: url.host_str().map(str::to_owned),
            id: id.into(),
        })
    }

    /// Sets the provider by its OpenTelemetry name, as it is set on the client.
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.provider = name.into();
        self
    }

    /// Records one line of the output file with the attribution of its `custom_id`. Without one, the event is
    /// quarantined. Recording a line again, also in another process, changes nothing.
    ///
    /// Returns whether a record was made: a line without an answer was not billed.
    pub fn record_line(
        &self,
        recorder: &Recorder,
        line: &str,
        attribution: impl FnOnce(&str) -> Option<Attribution>,
    ) -> bool {
        let Some(mut observation) = self.observation(line) else { return false };
        let custom_id = text(lenient::object::<Line<'_>>(line.as_bytes()).unwrap_or_default().custom_id);
        if let Some(attribution) = attribution(custom_id.as_deref().unwrap_or_default()) {
            let batch_job_id = observation.attribution.batch_job_id.take();
            observation.attribution = (&attribution).into();
            observation.attribution.batch_job_id = batch_job_id;
        }
        jobs::send(recorder, observation);
        true
    }

    /// The observation of the request whose answer is in this line.
    fn observation(&self, line: &str) -> Option<Observation> {
        let line: Line<'_> = lenient::object(line.as_bytes())?;
        let custom_id = text(line.custom_id)?;
        let answer: LineResponse<'_> = lenient::nested(line.response)?;
        if integer(answer.status_code) != Some(200) {
            return None;
        }
        let body = answer.body?.get().as_bytes();
        let facts: Body<'_> = lenient::object(body)?;
        let object: ResponseObject<'_> = lenient::object(body)?;
        let mut response = ResponseInfo::default();
        response.read_object(&object);
        let at = integer(facts.created).or_else(|| integer(facts.created_at)).unwrap_or_default();
        let start = Timestamp::from_nanos(at.saturating_mul(1_000_000_000));
        let mut o = Observation::new(EventId::default(), String::new(), ObservedAs::Record, start);
        record::SCOPE.clone_into(&mut o.emitter);
        o.provider.clone_from(&self.provider);
        o.server_address.clone_from(&self.server_address);
        o.endpoint = match text(facts.object).as_deref() {
            Some("chat.completion") => Endpoint::Chat,
            Some("text_completion") => Endpoint::Completions,
            Some("response") => Endpoint::Responses,
            Some("list") => Endpoint::Embeddings,
            _ => Endpoint::Other,
        };
        // The answer names the tier that it would have had outside of the batch.
        o.service_tier = Some("batch".to_owned());
        o.response_model.clone_from(&response.model);
        let of_batch = response_ref(&o.provider, o.server_address.as_deref(), &self.id);
        o.response =
            response.id.as_deref().map(|id| response_ref(&o.provider, o.server_address.as_deref(), id));
        jobs::read_response(&mut o, &response);
        o.service_tier = Some("batch".to_owned());
        if object.has_failed() {
            o.outcome = CallOutcome::Incomplete("failed".to_owned());
        }
        let place = JobPlace { namespace: of_batch.namespace, id: self.id.clone() };
        place.name(&mut o, JobKind::Batch, &custom_id);
        Some(o)
    }
}
