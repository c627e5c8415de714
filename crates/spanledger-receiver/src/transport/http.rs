//! OTLP/HTTP: `POST /v1/traces` and `POST /v1/logs`, in protobuf or JSON.

use hyper::{HeaderMap, Method, Response, Version, body::Incoming, header, http::request::Parts};
use spanledger_otlp::Encoding;

use super::{
    body,
    response::{ResponseBody, http_refusal, http_success},
};
use crate::{
    Refusal,
    accepted::Accepted,
    context::Shared,
    message::{Compression, Message, Signal},
};

pub(super) async fn handle(request: &Parts, body: &mut Incoming, shared: &Shared) -> Response<ResponseBody> {
    let encoding = encoding(&request.headers);
    // A response has the encoding of its request. If that is unknown, a refusal is written in JSON.
    let response_encoding = encoding.unwrap_or(Encoding::Json);
    match accept(request, body, encoding, shared).await {
        Ok(accepted) => http_success(&accepted, response_encoding),
        Err(refusal) => {
            shared.note_refusal(&refusal);
            // With `Expect: 100-continue` the body has not been sent; there is nothing to discard.
            if request.version < Version::HTTP_2 && !request.headers.contains_key(header::EXPECT) {
                body::discard(body).await;
            }
            http_refusal(&refusal, response_encoding)
        }
    }
}

async fn accept(
    request: &Parts,
    body: &mut Incoming,
    encoding: Option<Encoding>,
    shared: &Shared,
) -> Result<Accepted, Refusal> {
    let signal = signal(request)?;
    if request.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let encoding = encoding.ok_or_else(|| unsupported_media_type(&request.headers))?;
    let compression = Compression::from_header(&request.headers, header::CONTENT_ENCODING)?;
    let bytes = body::read(body, 0, &shared.budget).await?;
    let budget = shared.budget.clone();
    shared.pipeline.accept(Message { signal, encoding, compression, bytes, budget }).await
}

fn signal(request: &Parts) -> Result<Signal, Refusal> {
    let path = request.uri.path().trim_end_matches('/');
    if let Some(signal) = Signal::from_http_path(path) {
        return Ok(signal);
    }
    if Signal::from_grpc_path(path).is_some() {
        // The path belongs to gRPC, but the content type or the version of HTTP does not.
        return Err(unsupported_media_type(&request.headers));
    }
    Err(Refusal::NotFound(if path == "/v1/metrics" {
        "spanledger accepts traces and logs, no metrics: set OTEL_METRICS_EXPORTER=none, or send metrics elsewhere"
            .to_owned()
    } else {
        format!("there is nothing at {}: send OTLP to /v1/traces or /v1/logs", request.uri.path())
    }))
}

/// The encoding that the content type names. Its parameters and case do not matter (RFC 9110, section
/// 8.3.1).
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

fn unsupported_media_type(headers: &HeaderMap) -> Refusal {
    Refusal::UnsupportedMediaType(match headers.get(header::CONTENT_TYPE) {
        None => "missing".to_owned(),
        Some(value) => {
            let text = value.to_str().unwrap_or("(not text)");
            format!("`{}`", text.chars().take(100).collect::<String>())
        }
    })
}
