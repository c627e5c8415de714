//! OTLP/HTTP: `POST /v1/traces`, `POST /v1/logs`, protobuf or JSON.

use bytes::Bytes;
use hyper::{HeaderMap, Method, Response, Version, body::Incoming, header, http::request::Parts};
use spanledger_otlp::Encoding;

use crate::{
    Refusal,
    answer::{JSON, PROTOBUF},
    body::{self, Compression, ResponseBody, full},
    grpc,
    pipeline::{Message, Signal},
    server::Context,
};

pub(crate) async fn handle(
    request: &Parts,
    body: &mut Incoming,
    context: &Context,
) -> Response<ResponseBody> {
    let encoding = encoding(&request.headers);
    // A refusal is written as the client writes; where that is unknown, as JSON.
    let speaks = *encoding.as_ref().unwrap_or(&Encoding::Json);
    match accept(request, body, encoding, context).await {
        Ok(()) => {
            // A whole success leaves `partial_success` unset: no bytes, or `{}`.
            let (content_type, body) = match speaks {
                Encoding::Protobuf => (PROTOBUF, Bytes::new()),
                Encoding::Json => (JSON, Bytes::from_static(b"{}")),
            };
            let mut response = Response::new(full(body));
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response
        }
        Err(refusal) => {
            context.refused(&refusal);
            // Who waits to be asked for the body is not asked.
            if request.version < Version::HTTP_2 && !request.headers.contains_key(header::EXPECT) {
                body::discard(body).await;
            }
            refusal.into_http(speaks)
        }
    }
}

async fn accept(
    request: &Parts,
    body: &mut Incoming,
    encoding: Result<Encoding, Refusal>,
    context: &Context,
) -> Result<(), Refusal> {
    let signal = match request.uri.path().trim_end_matches('/') {
        "/v1/traces" => Signal::Traces,
        "/v1/logs" => Signal::Logs,
        "/v1/metrics" => {
            return Err(Refusal::NotFound(
                "spanledger takes traces and logs, no metrics: set OTEL_METRICS_EXPORTER=none, or send them elsewhere"
                    .to_owned(),
            ));
        }
        // gRPC by its path, but not by its type or its version of HTTP.
        grpc::TRACES | grpc::LOGS => {
            return Err(Refusal::UnsupportedMediaType(content_type(&request.headers)));
        }
        path => {
            return Err(Refusal::NotFound(format!(
                "there is nothing at {path}: OTLP is taken at /v1/traces and /v1/logs"
            )));
        }
    };
    if request.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let encoding = encoding?;
    let compression = Compression::of(&request.headers, header::CONTENT_ENCODING)?;
    let limit = context.limits.body_bytes_max;
    let held = body::read(body, limit, &context.budget).await?;
    let message = Message { signal, encoding, compression, bytes: held.bytes };
    context.pipeline.accept(message, limit, &context.budget).await
}

/// Parameters and case do not matter (RFC 9110, section 8.3.1).
fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-protobuf" | "application/protobuf" => Ok(Encoding::Protobuf),
        "application/json" => Ok(Encoding::Json),
        _ => Err(Refusal::UnsupportedMediaType(content_type(headers))),
    }
}

/// The content type in words.
fn content_type(headers: &HeaderMap) -> String {
    match headers.get(header::CONTENT_TYPE) {
        None => "missing".to_owned(),
        Some(value) => {
            let text = value.to_str().unwrap_or("(not text)");
            format!("`{}`", text.chars().take(100).collect::<String>())
        }
    }
}
