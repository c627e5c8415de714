//! OTLP/HTTP: `POST /v1/traces`, `POST /v1/logs`, protobuf or JSON.

use bytes::Bytes;
use hyper::{Method, Request, Response, body::Incoming, header};
use spanledger_otlp::Encoding;

use crate::{
    Refusal,
    answer::{JSON, PROTOBUF},
    body::{self, Compression, ResponseBody, full},
    pipeline::{Message, Signal},
    server::Context,
};

pub(crate) async fn handle(request: Request<Incoming>, context: &Context) -> Response<ResponseBody> {
    let encoding = encoding(&request);
    // A refusal is written as the client writes; where that is unknown, as JSON.
    let speaks = *encoding.as_ref().unwrap_or(&Encoding::Json);
    match accept(request, encoding, context).await {
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
            refusal.into_http(speaks)
        }
    }
}

async fn accept(
    request: Request<Incoming>,
    encoding: Result<Encoding, Refusal>,
    context: &Context,
) -> Result<(), Refusal> {
    let signal = match request.uri().path().trim_end_matches('/') {
        "/v1/traces" => Signal::Traces,
        "/v1/logs" => Signal::Logs,
        "/v1/metrics" => {
            return Err(Refusal::NotFound(
                "spanledger takes traces and logs, no metrics: set OTEL_METRICS_EXPORTER=none, or send them elsewhere"
                    .to_owned(),
            ));
        }
        path => {
            return Err(Refusal::NotFound(format!(
                "there is nothing at {path}: OTLP is taken at /v1/traces and /v1/logs"
            )));
        }
    };
    if request.method() != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let encoding = encoding?;
    let compression = match request.headers().get(header::CONTENT_ENCODING) {
        None => Compression::Identity,
        Some(value) => Compression::parse(value.to_str().unwrap_or("(not text)"))?,
    };
    let limit = context.limits.body_bytes_max;
    let held = body::read(request.into_body(), limit, &context.budget).await?;
    let message = Message { signal, encoding, compression, bytes: held.bytes };
    context.pipeline.accept(message, limit, &context.budget).await
}

/// Parameters and case do not matter (RFC 9110, section 8.3.1).
fn encoding(request: &Request<Incoming>) -> Result<Encoding, Refusal> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
        return Err(Refusal::UnsupportedMediaType("missing".to_owned()));
    };
    let text = value.to_str().unwrap_or("(not text)");
    let media_type = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-protobuf" | "application/protobuf" => Ok(Encoding::Protobuf),
        "application/json" => Ok(Encoding::Json),
        _ => Err(Refusal::UnsupportedMediaType(format!("`{}`", text.chars().take(100).collect::<String>()))),
    }
}
