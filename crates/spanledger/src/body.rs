//! Reads the body of a response as it passes. The caller receives the bytes that the provider sent.

use async_openai::error::OpenAIError;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use reqwest::{Response, ResponseBuilderExt as _};
use spanledger_event::CallOutcome;

use crate::{answer::ResponseObject, call::CallInFlight, error::request_error_type};

mod sse;
mod stream;

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    /// Server-sent events; each event is read as it passes.
    Events,
    /// Audio or a file, which contains no usage; only its end is observed.
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
        kind_of(response.headers(), call.is_stream())
    } else {
        BodyKind::Object
    };
    match kind {
        BodyKind::Events => Ok(with_body(response, |body| stream::events(body, call, hide_usage))),
        BodyKind::Opaque => Ok(with_body(response, |body| stream::opaque(body, call))),
        BodyKind::Object => observe_object(response, call).await,
    }
}

fn kind_of(headers: &HeaderMap, is_stream: bool) -> BodyKind {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let is_json = content_type.contains("json");
    // Some compatible servers send a stream with another content type.
    if content_type.starts_with("text/event-stream") || (is_stream && !is_json) {
        BodyKind::Events
    } else if is_json || content_type.is_empty() || content_type.starts_with("text/") {
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
    read_object(&bytes, status, &mut call);
    Ok(assemble(parts, bytes.into()))
}

/// Reads a whole body and finishes the call.
fn read_object(bytes: &[u8], status: StatusCode, call: &mut CallInFlight) {
    let object = match serde_json::from_slice::<ResponseObject<'_>>(bytes) {
        Ok(object) => object,
        Err(error) if status.is_success() => {
            // The model ran and will be billed, but its usage is unreadable.
            let message = format!("the response is not a JSON object that can be read: {error}");
            return call.fail(CallOutcome::Incomplete("deserialization_error".to_owned()), Some(message));
        }
        Err(_) => return call.finish(CallOutcome::Failed(status.as_u16().to_string())),
    };
    let error = object.error();
    let error_type = error.as_ref().and_then(|error| error.error_type());
    if !status.is_success() {
        let error_type = error_type.unwrap_or_else(|| status.as_u16().to_string());
        return call.fail(CallOutcome::Failed(error_type), error.and_then(|error| error.message));
    }
    let outcome = if object.has_failed() {
        CallOutcome::Incomplete(error_type.unwrap_or_else(|| "failed".to_owned()))
    } else {
        CallOutcome::Success
    };
    call.read_object(object);
    call.finish(outcome);
}

/// A response without its body.
struct Parts {
    head: http::response::Parts,
    url: reqwest::Url,
}

fn split(response: Response) -> (Parts, reqwest::Body) {
    let url = response.url().clone();
    let (head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    (Parts { head, url }, body)
}

/// Makes a response of its parts. The URL has to be set again, because `reqwest` does not keep it.
fn assemble(parts: Parts, body: reqwest::Body) -> Response {
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

fn with_body(response: Response, body: impl FnOnce(reqwest::Body) -> reqwest::Body) -> Response {
    let (parts, original) = split(response);
    assemble(parts, body(original))
}

async fn collect(response: Response) -> Result<(Parts, Bytes), reqwest::Error> {
    let (parts, body) = split(response);
    // Only a `Response` gives a stream of the body whose errors are of the type `reqwest::Error`.
    let bytes = Response::from(http::Response::new(body))
        .bytes()
        .await
        .map_err(|error| error.with_url(parts.url.clone()))?;
    Ok((parts, bytes))
}
