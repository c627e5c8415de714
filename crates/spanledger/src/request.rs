//! What a request says about itself.

use bytes::Bytes;
use http::Method;
use reqwest::Request;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use spanledger_event::{Endpoint, fingerprint};
use spanledger_price::providers;
use uuid::Uuid;

use crate::units::AskedUnits;

#[cfg(test)]
mod tests;

/// A billable call, read from its first request.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) endpoint: Endpoint,
    pub(crate) provider: String,
    pub(crate) path: String,
    pub(crate) server_address: Option<String>,
    pub(crate) server_port: Option<u16>,
    pub(crate) fingerprint: u128,
    pub(crate) model: Option<String>,
    pub(crate) stream: bool,
    pub(crate) service_tier: Option<String>,
    pub(crate) reasoning_effort: Option<String>,
    pub(crate) prompt_cache_key: Option<String>,
    pub(crate) previous_response_id: Option<String>,
    pub(crate) max_tokens: Option<i64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) seed: Option<i64>,
    pub(crate) choices: Option<i64>,
    pub(crate) units: AskedUnits,
    /// The body with `include_usage`, where the user did not ask for it.
    pub(crate) with_usage: Option<Bytes>,
}

/// The part of a request body that is read; the rest is skipped, not parsed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body<'a> {
    model: Option<String>,
    stream: Option<bool>,
    #[serde(borrow, deserialize_with = "present")]
    stream_options: Option<&'a RawValue>,
    service_tier: Option<String>,
    reasoning_effort: Option<String>,
    reasoning: Option<Reasoning>,
    prompt_cache_key: Option<String>,
    previous_response_id: Option<String>,
    max_tokens: Option<i64>,
    max_completion_tokens: Option<i64>,
    max_output_tokens: Option<i64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    seed: Option<i64>,
    n: Option<i64>,
    /// Text to speak here; a list of messages, a prompt or anything else elsewhere.
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    quality: Option<&'a RawValue>,
    #[serde(borrow)]
    size: Option<&'a RawValue>,
}

/// A value that is there, `null` too: its place in the body is wanted.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Reasoning {
    #[serde(default)]
    effort: Option<String>,
}

/// Paths whose POST creates a charge, by their ending; the first that fits counts.
const BILLABLE: [(&str, Endpoint); 11] = [
    ("/chat/completions", Endpoint::Chat),
    ("/completions", Endpoint::Completions),
    ("/responses", Endpoint::Responses),
    ("/responses/compact", Endpoint::Responses),
    ("/embeddings", Endpoint::Embeddings),
    ("/images/generations", Endpoint::Images),
    ("/images/edits", Endpoint::Images),
    ("/images/variations", Endpoint::Images),
    ("/audio/speech", Endpoint::AudioSpeech),
    ("/audio/transcriptions", Endpoint::AudioTranscription),
    ("/audio/translations", Endpoint::AudioTranslation),
];

/// The endpoint of a billable request; `None` for what cannot be billed: reading, listing,
/// uploading, cancelling.
fn endpoint(method: &Method, path: &str) -> Option<Endpoint> {
    if method != Method::POST {
        return None;
    }
    let path = path.trim_end_matches('/');
    BILLABLE.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, endpoint)| *endpoint)
}

impl Asked {
    /// Reads a request; `None` when it cannot be billed.
    pub(crate) fn of(request: &Request, provider: Option<&str>, ask_for_usage: bool) -> Option<Self> {
        let url = request.url();
        let endpoint = endpoint(request.method(), url.path())?;
        let host = url.host_str();
        let mut asked = Self {
            endpoint,
            provider: provider.map_or_else(|| provider_of(host, url.path()).to_owned(), str::to_owned),
            path: url.path().to_owned(),
            server_address: host.map(str::to_owned),
            server_port: url.port_or_known_default(),
            ..Self::default()
        };
        let Some(bytes) = request.body().map_or(Some(&[][..]), |body| body.as_bytes()) else {
            // The body of an upload is a stream: nothing says that two of them are the same.
            asked.fingerprint = Uuid::now_v7().as_u128();
            return Some(asked);
        };
        asked.fingerprint = fingerprint(&asked.path, bytes);
        if let Ok(body) = serde_json::from_slice::<Body<'_>>(bytes) {
            asked.read(body, bytes, ask_for_usage);
        }
        Some(asked)
    }

    fn read(&mut self, body: Body<'_>, bytes: &[u8], ask_for_usage: bool) {
        self.stream = body.stream.unwrap_or(false);
        let has_option = matches!(self.endpoint, Endpoint::Chat | Endpoint::Completions);
        if self.stream && has_option && ask_for_usage {
            self.with_usage = include_usage(bytes, body.stream_options);
        }
        self.model = body.model;
        self.service_tier = body.service_tier;
        self.reasoning_effort = body.reasoning_effort.or(body.reasoning.and_then(|r| r.effort));
        self.prompt_cache_key = body.prompt_cache_key;
        self.previous_response_id = body.previous_response_id;
        self.max_tokens = body.max_completion_tokens.or(body.max_output_tokens).or(body.max_tokens);
        self.temperature = body.temperature;
        self.top_p = body.top_p;
        self.seed = body.seed;
        self.choices = body.n.filter(|&n| n != 1);
        let text = |raw: Option<&RawValue>| serde_json::from_str::<String>(raw?.get()).ok();
        match self.endpoint {
            Endpoint::AudioSpeech => {
                let spoken = text(body.input).map_or(0, |input| input.chars().count());
                self.units.characters = u64::try_from(spoken).unwrap_or(u64::MAX);
            }
            Endpoint::Images => (self.units.quality, self.units.size) = (text(body.quality), text(body.size)),
            _ => {}
        }
    }
}

/// The provider of a call whose caller does not name it: Azure by the path of its deployments, others by
/// their hosts, and everything else speaks OpenAI's API.
fn provider_of(host: Option<&str>, path: &str) -> &'static str {
    let is_azure = path.contains("/openai/deployments/");
    let named = if is_azure { Some("azure.ai.openai") } else { host.and_then(providers::of_host) };
    named.unwrap_or("openai")
}

/// The body with `"include_usage": true`; `None` when it is there already.
///
/// The bytes around it stay as they were: reading and writing the whole body again would reorder
/// the keys of tool schemas, and with them the prefix that the provider's cache knows.
fn include_usage(body: &[u8], options: Option<&RawValue>) -> Option<Bytes> {
    let (at, end, insert) = match options.map(RawValue::get) {
        None => {
            let at = body.iter().position(|&byte| byte == b'{')? + 1;
            (at, at, r#""stream_options":{"include_usage":true},"#.to_owned())
        }
        Some(raw) => {
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str::<Option<_>>(raw).ok()?.unwrap_or_default();
            if object.insert("include_usage".to_owned(), true.into()) == Some(true.into()) {
                return None;
            }
            let at = offset(body, raw)?;
            (at, at + raw.len(), serde_json::Value::Object(object).to_string())
        }
    };
    let mut bytes = Vec::with_capacity(body.len() + insert.len());
    bytes.extend_from_slice(body.get(..at)?);
    bytes.extend_from_slice(insert.as_bytes());
    bytes.extend_from_slice(body.get(end..)?);
    Some(bytes.into())
}

/// Where a part that was borrowed from the body stands in it.
fn offset(body: &[u8], part: &str) -> Option<usize> {
    part.as_ptr().addr().checked_sub(body.as_ptr().addr())
}
