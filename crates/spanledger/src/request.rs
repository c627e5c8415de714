//! Reads the data that a request has about a call: the API, the model and the options.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Request;
use spanledger_event::{Endpoint, fingerprint};
use uuid::Uuid;

pub(crate) use api::{Billing, billing_of, path_ends_with};
pub(crate) use form::FormFields;
pub(crate) use host::{HostCache, provider_of_url};
use units::RequestUnits;

use crate::estimate::StreamedText;

mod api;
mod body;
pub(crate) mod form;
mod host;
pub(crate) mod stream_usage;
#[cfg(test)]
mod tests;
mod units;

/// A call that may be billed, read from its first request.
#[derive(Debug, Default)]
pub(crate) struct RequestInfo {
    pub(crate) endpoint: Endpoint,
    pub(crate) provider: Arc<str>,
    pub(crate) server_address: Arc<str>,
    pub(crate) server_port: Option<u16>,
    /// A hash of path and body. A repeated request has the same hash.
    pub(crate) fingerprint: u128,
    pub(crate) model: Option<Arc<str>>,
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
    /// The texts of a stream, for an estimate of its usage.
    pub(crate) streamed: StreamedText,
    /// The size of the body in bytes; `None` for an upload.
    pub(crate) body_bytes: Option<usize>,
}

/// How requests are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadOptions<'a> {
    /// The host that the client calls.
    pub(crate) host: Option<&'a HostCache>,
    /// The provider of every request, whatever its host is.
    pub(crate) provider: Option<&'a str>,
    /// Whether the usage of streams is requested.
    pub(crate) ask_for_usage: bool,
    /// Whether the texts of streams are kept for an estimate.
    pub(crate) estimate_usage: bool,
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
    /// How many bytes the texts take.
    pub(crate) fn text_bytes(&self) -> usize {
        let texts =
            [&self.service_tier, &self.reasoning_effort, &self.prompt_cache_key, &self.previous_response_id];
        let model = self.model.as_deref().map(str::len);
        let texts = texts.into_iter().flatten().map(String::len).chain(model);
        texts.sum::<usize>() + self.streamed.bytes()
    }

    /// Reads a request of an endpoint.
    pub(crate) fn read(request: &Request, endpoint: Endpoint, options: ReadOptions<'_>) -> (Self, Change) {
        let url = request.url();
        let host = match options.host {
            Some(cache) => cache.of_url(url, options.provider),
            None => HostCache::default().of_url(url, options.provider),
        };
        let mut info = Self {
            endpoint,
            provider: host.provider,
            server_address: host.address,
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
        if info.stream && options.estimate_usage {
            info.streamed.keep_prompt(endpoint, request.body());
        }
        (info, with_usage.map_or(Change::Nothing, Change::Body))
    }

    /// Adds what the fields of a form say, after it was sent.
    pub(crate) fn read_form(&mut self, fields: &FormFields) {
        let fill = |known: &mut Option<String>, name: &str| {
            if known.is_none() {
                *known = fields.get(name);
            }
        };
        if self.model.is_none() {
            self.model = fields.get("model").map(Into::into);
        }
        fill(&mut self.units.quality, "quality");
        fill(&mut self.units.size, "size");
        self.stream |= fields.get("stream").as_deref() == Some("true");
    }
}
