//! Reads the body of a response as it passes. The caller receives the bytes that the provider sent.

use async_openai::error::OpenAIError;
use bytes::Bytes;
use http::{HeaderMap, header};
use reqwest::{Response, ResponseBuilderExt as _};
use spanledger_event::{CallOutcome, Endpoint};

use crate::{call::CallInFlight, error::request_error_type};
pub(crate) use frames::poll_data;
pub(crate) use sse::{Splitter, data as event_data};

pub(crate) mod frames;
mod reader;
mod sse;
mod stream;

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    /// Server-sent events; each event is read as it passes.
    Events,
    /// Audio, text or a file, which contains no usage; only its end is observed.
    Opaque,
    /// One JSON object, which is read as a whole.
    Object,
}

/// Observes a response until the call's end.
///
/// With `hide_usage`, the chunk that has only the usage is withheld from the caller, because the caller did
/// not request it.
pub(crate) async fn observe(
    response: Response,
    mut call: CallInFlight,
    hide_usage: bool,
) -> Result<Response, OpenAIError> {
    call.read_headers(response.headers());
    let kind = if response.status().is_success() {
        kind_of(response.headers(), call.is_stream(), call.endpoint())
    } else {
        BodyKind::Object
    };
    match kind {
        BodyKind::Events => Ok(with_body(response, |body| stream::events(body, call, hide_usage))),
        BodyKind::Opaque => Ok(with_body(response, |body| stream::opaque(body, call))),
        BodyKind::Object => observe_object(response, call).await,
    }
}

fn kind_of(headers: &HeaderMap, is_stream: bool, endpoint: Endpoint) -> BodyKind {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    let starts_with = |start: &[u8]| {
        content_type.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
    };
    let is_json = content_type.to_ascii_lowercase().windows(4).any(|part| part == b"json");
    // A transcription or translation is text, subtitles or an object, as the request asked.
    let may_be_text = matches!(endpoint, Endpoint::AudioTranscription | Endpoint::AudioTranslation);
    // Some compatible servers send a stream with another content type.
    if starts_with(b"text/event-stream") || (is_stream && !is_json) {
        BodyKind::Events
    } else if is_json || content_type.is_empty() || (starts_with(b"text/") && !may_be_text) {
        BodyKind::Object
    } else {
        BodyKind::Opaque
    }
}

async fn observe_object(response: Response, mut call: CallInFlight) -> Result<Response, OpenAIError> {
    let status = response.status();
    let (parts, bytes) = match collect(response).await {
        Ok(collected) => collected,
        Err(error) => {
            let outcome = CallOutcome::Incomplete(request_error_type(&error).to_owned());
            call.fail(outcome, Some(error.to_string()));
            return Err(OpenAIError::Reqwest(error));
        }
    };
    call.answered(status, bytes.clone());
    Ok(assemble(parts, bytes.into()))
}

/// A response without its body.
pub(crate) struct Parts {
    head: http::response::Parts,
    url: reqwest::Url,
}

fn split(response: Response) -> (Parts, reqwest::Body) {
    let url = response.url().clone();
    let (head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    (Parts { head, url }, body)
}

/// Makes a response of its parts. The URL has to be set again, because `reqwest` does not keep it.
pub(crate) fn assemble(parts: Parts, body: reqwest::Body) -> Response {
    let Parts { head, url } = parts;
    let mut builder = http::Response::builder().status(head.status).version(head.version).url(url);
    if let Some(headers) = builder.headers_mut() {
        *headers = head.headers;
    }
    // The extensions of the connection are kept, and the URL that was just set is one of them.
    if let Some(extensions) = builder.extensions_mut() {
        let url = std::mem::replace(extensions, head.extensions);
        extensions.extend(url);
    }
    match builder.body(body) {
        Ok(response) => response.into(),
        // This cannot happen, because all parts come from a valid response.
        Err(_) => http::Response::new(reqwest::Body::default()).into(),
    }
}

pub(crate) fn with_body(response: Response, body: impl FnOnce(reqwest::Body) -> reqwest::Body) -> Response {
    let (parts, original) = split(response);
    assemble(parts, body(original))
}

pub(crate) async fn collect(response: Response) -> Result<(Parts, Bytes), reqwest::Error> {
    let (parts, mut body) = split(response);
    let mut bytes = frames::Joined::default();
    while let Some(data) = frames::next_data(&mut body).await {
        bytes.add(data.map_err(|error| error.with_url(parts.url.clone()))?);
    }
    Ok((parts, bytes.into_bytes()))
}
