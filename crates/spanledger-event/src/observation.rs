//! One sighting of a call.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Cost, EventId, JsonText, PartialAttribution, Timestamp, Usage, UsageSource, Usd, words::words};

mod bound;
mod carried;
mod facts;
#[cfg(test)]
mod tests;

pub(crate) use carried::carry;
pub use carried::{CARRIED, CarriedField};

/// How a call was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedAs {
    /// The record of the crate `spanledger`: made from the provider's own bytes.
    Record,
    /// A span.
    #[default]
    Span,
}

/// What an observation is of.
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
    /// The endpoint of that name; [`Endpoint::Other`] for names that are not known.
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
    /// Who gave the id: `openai`, an Azure host, …
    pub namespace: String,
    /// The id.
    pub id: String,
    /// Whether the namespace never gives the same id twice. Gateways, proxies and stand-ins may.
    pub unique: bool,
}

/// One sighting of a call: a span, or the project's own record.
///
/// The emitter stated everything except [`cost`](Self::cost). The receiver adds the cost when the
/// observation arrives, with the prices of the call's own time.
///
/// Ledgers of versions 1 and 2 hold observations as JSON, and are still read. A new field is therefore
/// optional, and not serialized where it is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "a field that is also a column is documented in the column table")]
pub struct Observation {
    /// The logical request that this sighting belongs to when it is seen alone.
    pub event_id: EventId,
    /// All sightings of one call share it.
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
    /// Why a usage that was sent could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_problem: Option<String>,
    /// Whether the problem is a count that no call can have.
    #[serde(default, skip_serializing_if = "is_false")]
    pub usage_out_of_range: bool,
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
    /// Whether a [limit](crate::limits) shortened a text or left something out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// The receiver's price; not part of what was observed, and not serialized with it.
    #[serde(skip)]
    pub cost: Option<Cost>,
}

impl Observation {
    /// An observation of which only the identity is known; its dialect fills in the rest.
    pub fn new(
        event_id: EventId,
        call_id: impl Into<String>,
        sighting: ObservedAs,
        start: Timestamp,
    ) -> Self {
        let call_id = call_id.into();
        Self { event_id, call_id, sighting, start, end: start, attempts: 1, ..Self::default() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Journals of before the text was checked at the edge may hold one that is not JSON. The event has
/// never shown such a text.
fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<JsonText>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(JsonText::new))
}
