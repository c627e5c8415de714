//! One sighting of a call.

use serde::{Deserialize, Deserializer, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::{Cost, EventId, JsonText, PartialAttribution, Timestamp, Usage, UsageSource, Usd, words::words};

mod carried;
#[cfg(test)]
mod tests;

pub(crate) use carried::carry;
pub use carried::{CARRIED, CarriedField};

/// How a call was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedAs {
    /// A record of the crate `spanledger`, made from the provider's own response.
    Record,
    /// A span.
    #[default]
    Span,
}

/// What the observed span or record stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A call to a model.
    #[default]
    Call,
    /// A span around calls that may repeat their usage: an agent, a chain, a workflow.
    Aggregate,
}

words! {
    /// The API that was called.
    #[derive(Default)]
    pub enum Endpoint {
        /** Chat completions, and other providers' messages.*/
        Chat = "chat",
        /** OpenAI's responses.*/
        Responses = "responses",
        /** Completions of a text.*/
        Completions = "completions",
        /** Embeddings.*/
        Embeddings = "embeddings",
        /** Images made or edited.*/
        Images = "images",
        /** Speech from text.*/
        AudioSpeech = "audio_speech",
        /** Text from speech.*/
        AudioTranscription = "audio_transcription",
        /** English text from speech.*/
        AudioTranslation = "audio_translation",
        /** Moderations.*/
        Moderations = "moderations",
        /** Batches of calls.*/
        Batch = "batch",
        /** The realtime API.*/
        Realtime = "realtime",
        /** Another API, or an unknown one.*/
        Other (default) = "other",
    }
}

impl Endpoint {
    /// The endpoint with this name; [`Endpoint::Other`] for an unknown name.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == name).unwrap_or_default()
    }
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The answer was complete.
    #[default]
    Success,
    /// The call failed before the model ran: nothing is billed.
    Failed(String),
    /// The call broke off after the model had begun, as a cut or cancelled stream does: it may be
    /// billed.
    Incomplete(String),
}

impl CallOutcome {
    /// What went wrong.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Success => None,
            Self::Failed(error) | Self::Incomplete(error) => Some(error),
        }
    }

    /// Whether the provider may bill it.
    pub fn is_billable(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

/// The provider's id of a response, and whether it is unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResponseRef {
    /// The provider or host that assigned the id: `openai`, an Azure host, …
    pub namespace: String,
    /// The id.
    pub id: String,
    /// Whether the namespace never assigns the same id twice. Gateways, proxies and mock servers may do so.
    pub unique: bool,
}

/// One sighting of a call: a span, or the project's own record.
///
/// The emitter stated everything except [`cost`](Self::cost). The receiver adds the cost when the
/// observation arrives, with the prices of the call's own time.
///
/// The ledger stores observations as JSON and recognizes a repeated one by the digest of that JSON. A
/// new field is therefore optional, and not serialized where it is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "a field that is also a column is documented in the column table")]
pub struct Observation {
    /// The logical request of this sighting, if no other sighting links it to another request.
    pub event_id: EventId,
    /// The id of the call. All sightings of one call have the same one.
    pub call_id: String,
    pub sighting: ObservedAs,
    #[serde(default)]
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseRef>,
    pub emitter: String,
    pub provider: String,
    pub endpoint: Endpoint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    pub start: Timestamp,
    pub end: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token_ms: Option<i64>,
    pub stream: bool,
    #[serde(default)]
    pub outcome: CallOutcome,
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why the usage of the call could not be read, if it was sent but is unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_problem: Option<String>,
    /// Counts of the usage whose meaning is unknown, as `path=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage_unknown: Vec<String>,
    pub usage_source: UsageSource,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "json_text")]
    pub usage_raw: Option<JsonText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emitter_cost: Option<Usd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    #[serde(default)]
    pub attribution: PartialAttribution,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// The cost that the receiver computed. It is not part of the observation's JSON.
    #[serde(skip)]
    pub cost: Option<Cost>,
}

impl Observation {
    /// An observation with nothing but its identity. The caller fills in the other fields.
    pub fn new(
        event_id: EventId,
        call_id: impl Into<String>,
        sighting: ObservedAs,
        start: Timestamp,
    ) -> Self {
        let call_id = call_id.into();
        Self { event_id, call_id, sighting, start, end: start, attempts: 1, ..Self::default() }
    }

    /// The key that all sightings of the same response share, if the provider's ids are unique.
    pub fn link(&self) -> Option<String> {
        let response = self.response.as_ref().filter(|response| response.unique)?;
        Some(format!("{}/{}", response.namespace, response.id))
    }

    /// The key that sightings of the same response share within one trace, for example those of a client
    /// and its gateway. It ignores which host assigned the id. It contains the trace, because a mock
    /// server that answers every request with the same id would otherwise link all calls.
    pub fn trace_link(&self) -> Option<String> {
        Some(format!("{}/{}", self.trace_id.as_ref()?, self.response.as_ref()?.id))
    }

    /// The observation as JSON, without its cost, and a digest of it.
    ///
    /// Repeated deliveries of an observation have the same digest, even if they were priced differently.
    /// Different observations have different digests.
    pub fn to_journal(&self) -> Result<(String, u128), serde_json::Error> {
        let journal = serde_json::to_string(self)?;
        let digest = xxh3_128(journal.as_bytes());
        Ok((journal, digest))
    }
}

/// Reads the raw usage. Early versions did not check that it is JSON, so an old ledger may contain a
/// text that is not. Such a text is dropped.
fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<JsonText>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(JsonText::new))
}
