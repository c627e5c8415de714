//! Reads the data that a request has about a call: the API, the model and the options.

use bytes::Bytes;
use http::Method;
use reqwest::Request;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use spanledger_event::{Endpoint, fingerprint};
use spanledger_price::providers;
use uuid::Uuid;

use units::RequestUnits;

#[cfg(test)]
mod tests;
mod units;

/// A billable call, read from its first request.
#[derive(Debug, Default)]
pub(crate) struct RequestInfo {
    pub(crate) endpoint: Endpoint,
    pub(crate) provider: String,
    pub(crate) path: String,
    pub(crate) server_address: Option<String>,
    pub(crate) server_port: Option<u16>,
    /// A hash of path and body. A repeated request has the same hash.
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
    pub(crate) units: RequestUnits,
    /// The body with `include_usage`, for a stream whose request did not request the usage.
    pub(crate) body_with_usage: Option<Bytes>,
}

/// The fields of a request body that are read. All others are skipped, not parsed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body<'a> {
    model: Option<String>,
    stream: Option<bool>,
    #[serde(borrow, deserialize_with = "null_too")]
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
    /// The text to speak, a prompt, or a list of messages.
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    quality: Option<&'a RawValue>,
    #[serde(borrow)]
    size: Option<&'a RawValue>,
}

/// Keeps an explicit `null`, because its place in the body is needed.
fn null_too<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Reasoning {
    #[serde(default)]
    effort: Option<String>,
}

/// The endings of the paths to which a POST is billed. The first row that matches is used.
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

/// The endpoint of a billable request. `None` for requests that cannot be billed: they read, list,
/// upload or cancel something.
fn billable_endpoint(method: &Method, path: &str) -> Option<Endpoint> {
    if method != Method::POST {
        return None;
    }
    let path = path.trim_end_matches('/');
    BILLABLE.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, endpoint)| *endpoint)
}

impl RequestInfo {
    /// Reads a request. `None` if it cannot be billed.
    ///
    /// `provider` overrides the provider that the URL identifies. With `ask_for_usage`, the request of a
    /// stream gets a body that requests the usage.
    pub(crate) fn read(request: &Request, provider: Option<&str>, ask_for_usage: bool) -> Option<Self> {
        let url = request.url();
        let endpoint = billable_endpoint(request.method(), url.path())?;
        let host = url.host_str();
        let mut info = Self {
            endpoint,
            provider: provider.map_or_else(|| provider_of(host, url.path()).to_owned(), str::to_owned),
            path: url.path().to_owned(),
            server_address: host.map(str::to_owned),
            server_port: url.port_or_known_default(),
            ..Self::default()
        };
        let Some(bytes) = request.body().map_or(Some(&[][..]), |body| body.as_bytes()) else {
            // The body of an upload is a stream that cannot be read twice. Each upload gets a unique
            // fingerprint, so that two uploads are never treated as the same request.
            info.fingerprint = Uuid::now_v7().as_u128();
            return Some(info);
        };
        info.fingerprint = fingerprint(&info.path, bytes);
        if let Ok(body) = serde_json::from_slice::<Body<'_>>(bytes) {
            info.read_body(body, bytes, ask_for_usage);
        }
        Some(info)
    }

    fn read_body(&mut self, body: Body<'_>, bytes: &[u8], ask_for_usage: bool) {
        self.stream = body.stream.unwrap_or(false);
        // Streams of the other endpoints always report their usage.
        let has_usage_option = matches!(self.endpoint, Endpoint::Chat | Endpoint::Completions);
        if self.stream && has_usage_option && ask_for_usage {
            self.body_with_usage = with_usage_option(bytes, body.stream_options);
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
        self.units = RequestUnits::read(self.endpoint, body.input, body.quality, body.size);
    }
}

/// The provider of a call whose client does not name it. Azure is recognized by the path of its deployments,
/// other providers by their hosts. An unknown host counts as OpenAI, because it is compatible with its API.
fn provider_of(host: Option<&str>, path: &str) -> &'static str {
    let is_azure = path.contains("/openai/deployments/");
    let named = if is_azure { Some("azure.ai.openai") } else { host.and_then(providers::of_host) };
    named.unwrap_or("openai")
}

/// The body with `"stream_options": {"include_usage": true}`. `None` if the body has the option already.
///
/// All other bytes stay the same. If the body were parsed and serialized again, the keys of tool schemas could
/// change their order, and a prompt with another prefix would miss the provider's cache.
fn with_usage_option(body: &[u8], options: Option<&RawValue>) -> Option<Bytes> {
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

/// The position of a borrowed part in the body from which it was borrowed.
fn offset(body: &[u8], part: &str) -> Option<usize> {
    part.as_ptr().addr().checked_sub(body.as_ptr().addr())
}
