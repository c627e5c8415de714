//! Builds the responses of each transport.

use std::{convert::Infallible, time::Duration};

use ::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::Response;
use prost::Message as _;
use spanledger_otlp::Encoding;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::Refusal;

/// The wait before a retry. It is long enough for a temporary fault to end, and short enough for SDKs, whose
/// time limit for an export is ten seconds in total.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(super) type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

pub(super) fn full(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).boxed_unsync()
}

/// OTLP/HTTP: a full success leaves `partial_success` unset, so its body is empty or `{}`.
pub(super) fn http_success(encoding: Encoding) -> Response<ResponseBody> {
    let (content_type, body) = match encoding {
        Encoding::Protobuf => (PROTOBUF, Bytes::new()),
        Encoding::Json => (JSON, Bytes::from_static(b"{}")),
    };
    let mut response = Response::new(full(body));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// OTLP/HTTP: a refusal is a `google.rpc.Status` in the encoding of the request.
pub(super) fn http_refusal(refusal: &Refusal, encoding: Encoding) -> Response<ResponseBody> {
    let status = tonic_types::pb::Status {
        code: refusal.code() as i32,
        message: refusal.message(),
        details: Vec::new(),
    };
    let (content_type, body) = match encoding {
        Encoding::Protobuf => (PROTOBUF, status.encode_to_vec()),
        Encoding::Json => (
            JSON,
            serde_json::json!({"code": status.code, "message": status.message}).to_string().into_bytes(),
        ),
    };
    let mut response = Response::new(full(Bytes::from(body)));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    match refusal {
        Refusal::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        Refusal::UnsupportedEncoding(_) => {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"));
        }
        refusal if refusal.is_retryable() => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
        }
        _ => {}
    }
    response
}

/// OTLP/gRPC: a success is an empty message, which leaves `partial_success` unset, and the status in the
/// trailers.
pub(super) fn grpc_success() -> Response<ResponseBody> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    // A flag of one byte and a length of four, all zero.
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// OTLP/gRPC: a refusal is a status in the headers. It has a `RetryInfo` if the client should retry.
pub(super) fn grpc_refusal(refusal: &Refusal) -> Response<ResponseBody> {
    let status = if refusal.is_retryable() {
        let details = ErrorDetails::with_retry_info(Some(RETRY_AFTER));
        tonic::Status::with_error_details(refusal.code(), refusal.message(), details)
    } else {
        tonic::Status::new(refusal.code(), refusal.message())
    };
    let mut response = status.into_http::<()>().map(|()| full(Bytes::new()));
    if matches!(refusal, Refusal::UnsupportedEncoding(_)) {
        let supported = HeaderValue::from_static("identity,gzip,deflate");
        response.headers_mut().insert("grpc-accept-encoding", supported);
    }
    response
}
