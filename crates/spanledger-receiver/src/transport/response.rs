//! Builds the responses of each transport.

use std::{convert::Infallible, time::Duration};

use ::http::{HeaderMap, HeaderValue, header};
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::Response;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse},
    trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse},
};
use prost::Message as _;
use spanledger_event::keys::RECEIVER_HEADER;
use spanledger_otlp::Encoding;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::grpc::PREFIX_BYTES;
use crate::{Refusal, accepted::Accepted, message::Signal};

/// The wait before a retry. It is long enough for a temporary fault to end, and short enough for SDKs, whose
/// time limit for an export is ten seconds in total.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The version of the receiver, by which the crate `spanledger` knows that its records reached one.
const VERSION: HeaderValue = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Adds the header that tells who answers.
fn identified(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    response.headers_mut().insert(RECEIVER_HEADER, VERSION);
    response
}

pub(super) type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

pub(super) fn full(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).boxed_unsync()
}

/// The export response of OTLP in protobuf. A full success leaves `partial_success` unset, so it is empty.
fn protobuf(accepted: &Accepted) -> Vec<u8> {
    if accepted.rejected() == 0 {
        return Vec::new();
    }
    let rejected = i64::try_from(accepted.rejected()).unwrap_or(i64::MAX);
    let error_message = accepted.message();
    match accepted.signal() {
        Signal::Traces => ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess { rejected_spans: rejected, error_message }),
        }
        .encode_to_vec(),
        Signal::Logs => ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess { rejected_log_records: rejected, error_message }),
        }
        .encode_to_vec(),
    }
}

/// The export response of OTLP in JSON. Integers of 64 bits are texts there.
fn json(accepted: &Accepted) -> Vec<u8> {
    if accepted.rejected() == 0 {
        return b"{}".to_vec();
    }
    let rejected = match accepted.signal() {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
    };
    let partial = serde_json::json!({
        rejected: accepted.rejected().to_string(),
        "errorMessage": accepted.message(),
    });
    serde_json::json!({ "partialSuccess": partial }).to_string().into_bytes()
}

/// OTLP/HTTP: a success, full or partial, is 200 with the export response.
pub(super) fn http_success(accepted: &Accepted, encoding: Encoding) -> Response<ResponseBody> {
    let (content_type, body) = match encoding {
        Encoding::Protobuf => (PROTOBUF, protobuf(accepted)),
        Encoding::Json => (JSON, json(accepted)),
    };
    let mut response = Response::new(full(Bytes::from(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    identified(response)
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
    identified(response)
}

/// OTLP/gRPC: a success, full or partial, is the export response, and the status in the trailers.
pub(super) fn grpc_success(accepted: &Accepted) -> Response<ResponseBody> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let message = protobuf(accepted);
    let mut body = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    // The message is not compressed.
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.put_slice(&message);
    let body = Full::new(body.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    identified(response)
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
    identified(response)
}
