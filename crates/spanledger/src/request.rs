//! Reads the data that a request has about a call: the API, the model and the options.

use std::sync::LazyLock;

use bytes::Bytes;
use reqwest::{Request, Url};
use spanledger_event::{Endpoint, fingerprint};
use spanledger_price::providers;
use uuid::Uuid;

pub(crate) use api::{Billing, billing_of, path_ends_with};
pub(crate) use form::FormFields;
use units::RequestUnits;

mod api;
mod body;
pub(crate) mod form;
pub(crate) mod stream_usage;
#[cfg(test)]
mod tests;
mod units;

/// A call that may be billed, read from its first request.
#[derive(Debug, Default)]
pub(crate) struct RequestInfo {
    pub(crate) endpoint: Endpoint,
    pub(crate) provider: String,
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
    /// Whether the provider answers before the model has run.
    pub(crate) is_background: bool,
    pub(crate) max_tokens: Option<i64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) seed: Option<i64>,
    pub(crate) choices: Option<i64>,
    pub(crate) units: RequestUnits,
    /// The size of the body in bytes; `None` for an upload.
    pub(crate) body_bytes: Option<usize>,
}

/// How requests are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadOptions<'a> {
    /// The provider of every request, whatever its host is.
    pub(crate) provider: Option<&'a str>,
    /// Whether the usage of streams is requested.
    pub(crate) ask_for_usage: bool,
}

/// How a request has to be changed before it is sent.
#[derive(Debug)]
pub(crate) enum Change {
    /// It is sent as it is.
    Nothing,
    /// It gets this body, which requests the usage of its stream.
    Body(Bytes),
    /// It is a form, whose fields are read as it is sent.
    Form { boundary: String, fields: FormFields },
}

impl RequestInfo {
    /// Reads a request of an endpoint.
    pub(crate) fn read(request: &Request, endpoint: Endpoint, options: ReadOptions<'_>) -> (Self, Change) {
        let url = request.url();
        let mut info = Self {
            endpoint,
            provider: options.provider.map_or_else(|| provider_of(url), str::to_owned),
            server_address: url.host_str().map(str::to_owned),
            server_port: url.port_or_known_default(),
            ..Self::default()
        };
        let Some(bytes) = request.body().map_or(Some(&[][..]), |body| body.as_bytes()) else {
            // The body of an upload is a stream that cannot be read twice. Each upload gets a unique
            // fingerprint, so that two uploads are never treated as the same request.
            info.fingerprint = Uuid::now_v7().as_u128();
            let change = match form::boundary(request.headers()) {
                Some(boundary) => Change::Form { boundary, fields: FormFields::default() },
                None => Change::Nothing,
            };
            return (info, change);
        };
        info.body_bytes = Some(bytes.len());
        info.fingerprint = fingerprint(url.path(), bytes);
        let with_usage = info.read_body(bytes, url, options.ask_for_usage);
        (info, with_usage.map_or(Change::Nothing, Change::Body))
    }

    /// Adds what the fields of a form say, after it was sent.
    pub(crate) fn read_form(&mut self, fields: &FormFields) {
        let fill = |known: &mut Option<String>, name: &str| {
            if known.is_none() {
                *known = fields.get(name);
            }
        };
        fill(&mut self.model, "model");
        fill(&mut self.units.quality, "quality");
        fill(&mut self.units.size, "size");
        self.stream |= fields.get("stream").as_deref() == Some("true");
    }
}

/// The variable that names the provider behind hosts that are not known: `SPANLEDGER_PROVIDER`.
static PROVIDER_OF_UNKNOWN_HOSTS: LazyLock<Option<String>> = LazyLock::new(|| {
    let name = std::env::var("SPANLEDGER_PROVIDER").ok()?;
    Some(providers::canonical_name(&name)).filter(|name| !name.is_empty())
});

/// The provider of a call whose client does not name it, by the host of its URL.
///
/// A host that is not a known provider's is named as it is: a server of your own that is compatible with OpenAI's
/// API does not have OpenAI's prices.
pub(crate) fn provider_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    if let Some(known) = providers::of_host(host) {
        return known.to_owned();
    }
    // A gateway in front of Azure keeps its paths.
    if url.path().contains("/openai/deployments/") {
        return "azure.ai.openai".to_owned();
    }
    PROVIDER_OF_UNKNOWN_HOSTS.clone().unwrap_or_else(|| host.to_ascii_lowercase())
}
