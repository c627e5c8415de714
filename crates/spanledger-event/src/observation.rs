//! One sighting of a call.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::{Cost, EventId, PartialAttribution, Timestamp, Usage, UsageSource, Usd};

/// How a call was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedAs {
    /// The record of the crate `spanledger`: made from the provider's own bytes.
    Record,
    /// A span.
    Span,
}

/// What an observation is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A call to a model.
    #[default]
    Call,
    /// Something around calls that may repeat their usage: an agent, a chain, a workflow.
    Aggregate,
}

/// The API that was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the names of the provider's endpoints")]
pub enum Endpoint {
    Chat,
    Responses,
    Completions,
    Embeddings,
    Images,
    AudioSpeech,
    AudioTranscription,
    AudioTranslation,
    Moderations,
    Batch,
    Realtime,
    #[default]
    Other,
}

impl Endpoint {
    /// All endpoints.
    pub const ALL: [Self; 12] = [
        Self::Chat,
        Self::Responses,
        Self::Completions,
        Self::Embeddings,
        Self::Images,
        Self::AudioSpeech,
        Self::AudioTranscription,
        Self::AudioTranslation,
        Self::Moderations,
        Self::Batch,
        Self::Realtime,
        Self::Other,
    ];

    /// The name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Images => "images",
            Self::AudioSpeech => "audio_speech",
            Self::AudioTranscription => "audio_transcription",
            Self::AudioTranslation => "audio_translation",
            Self::Moderations => "moderations",
            Self::Batch => "batch",
            Self::Realtime => "realtime",
            Self::Other => "other",
        }
    }

    /// The endpoint of that name; [`Endpoint::Other`] for names that are not known.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|e| e.as_str() == name).unwrap_or_default()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// A whole answer.
    #[default]
    Success,
    /// It failed before the model ran: nothing is billed.
    Failed(String),
    /// It broke off once the model had begun, as a cut or cancelled stream does: it may be billed.
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

/// The provider's id of a response, and how far it can be trusted to be one of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResponseRef {
    /// Whose id it is: `openai`, an Azure host, …
    pub namespace: String,
    /// The id.
    pub id: String,
    /// Whether the namespace never gives the same id twice. Gateways, proxies and stand-ins are
    /// not trusted to.
    pub unique: bool,
}

/// One sighting of a call: a span, or the project's own record.
///
/// Everything except [`cost`](Self::cost) is a fact that the emitter stated; the cost is the
/// receiver's answer with the prices of the call's own time, attached when the observation arrives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "a field that is also a column is documented in the column table")]
pub struct Observation {
    /// The logical request that this sighting alone speaks of.
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
    /// What the usage says beside what is understood, as `path=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage_unknown: Vec<String>,
    pub usage_source: UsageSource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_raw: Option<String>,
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
    /// The receiver's price; not part of what was observed, and not serialized with it.
    #[serde(skip)]
    pub cost: Option<Cost>,
}

impl Observation {
    /// An observation of which only the identity is known; the rest is filled in by its dialect.
    pub fn new(
        event_id: EventId,
        call_id: impl Into<String>,
        sighting: ObservedAs,
        start: Timestamp,
    ) -> Self {
        Self {
            event_id,
            call_id: call_id.into(),
            sighting,
            role: Role::Call,
            response: None,
            emitter: String::new(),
            provider: String::new(),
            endpoint: Endpoint::Other,
            server_address: None,
            model: None,
            response_model: None,
            service_tier: None,
            region: None,
            organization: None,
            project: None,
            start,
            end: start,
            time_to_first_token_ms: None,
            stream: false,
            outcome: CallOutcome::Success,
            attempts: 1,
            usage: None,
            usage_problem: None,
            usage_unknown: Vec::new(),
            usage_source: UsageSource::None,
            usage_raw: None,
            emitter_cost: None,
            prompt_cache_key: None,
            reasoning_effort: None,
            attribution: PartialAttribution::default(),
            trace_id: None,
            span_id: None,
            parent_span_id: None,
            service_name: None,
            cost: None,
        }
    }

    /// The key under which other sightings of the same response are looked for, where the
    /// provider's ids are unique.
    pub fn link(&self) -> Option<String> {
        let response = self.response.as_ref().filter(|response| response.unique)?;
        Some(format!("{}/{}", response.namespace, response.id))
    }

    /// The same within one trace, whoever gave the id: a client and its gateway. Elsewhere ids are
    /// not compared, so that a stand-in which answers everything with one id does not tie all its
    /// calls together.
    pub fn trace_link(&self) -> Option<String> {
        Some(format!("{}/{}", self.trace_id.as_ref()?, self.response.as_ref()?.id))
    }

    /// The observation as JSON, without its cost, and a digest of it.
    ///
    /// Deliveries of the same observation have the same digest, also when they were priced
    /// differently; other observations have another one.
    pub fn to_journal(&self) -> Result<(String, u128), serde_json::Error> {
        let journal = serde_json::to_string(self)?;
        let digest = xxh3_128(journal.as_bytes());
        Ok((journal, digest))
    }
}
