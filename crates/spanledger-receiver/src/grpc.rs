//! OTLP/gRPC: the two unary methods, over raw bytes.
//!
//! Only the framing of a unary call is done here (gRPC over HTTP2, "Requests" and "Responses"):
//! a generated server would decode and encode again, and traces could not be passed on byte for
//! byte. Statuses and their details are `tonic`'s.

use bytes::{Buf as _, Bytes};
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Response, Version, body::Incoming, header, http::request::Parts};
use spanledger_otlp::Encoding;

use crate::{
    Refusal,
    body::{self, Compression, ResponseBody},
    pipeline::{Message, Signal},
    server::Context,
};

/// One byte of flags and four of length.
const PREFIX_BYTES: usize = 5;

/// The methods.
pub(crate) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(crate) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Whether a request is gRPC with protobuf. Over HTTP/1.1 it is not: a success could not be told from
/// a refusal there, for want of trailers.
pub(crate) fn is_grpc(request: &Parts) -> bool {
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    request.version == Version::HTTP_2
        && ["application/grpc", "application/grpc+proto"]
            .iter()
            .any(|name| media_type.eq_ignore_ascii_case(name))
}

pub(crate) async fn handle(
    request: &Parts,
    body: &mut Incoming,
    context: &Context,
) -> Response<ResponseBody> {
    match accept(request, body, context).await {
        Ok(()) => success(),
        Err(refusal) => {
            context.refused(&refusal);
            refusal.into_grpc()
        }
    }
}

/// An empty message (`partial_success` unset) and the status in the trailers.
fn success() -> Response<ResponseBody> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", header::HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from_static(&[0; PREFIX_BYTES]))
        .with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/grpc"));
    response
}

async fn accept(request: &Parts, body: &mut Incoming, context: &Context) -> Result<(), Refusal> {
    let signal = match request.uri.path() {
        TRACES => Signal::Traces,
        LOGS => Signal::Logs,
        path => {
            return Err(Refusal::NotFound(format!(
                "the method {path} is not served: spanledger takes OTLP traces and logs"
            )));
        }
    };
    if request.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let compression = Compression::of(&request.headers, "grpc-encoding")?;
    let limit = context.limits.body_bytes_max;
    let held =
        body::read(body, limit.saturating_add(PREFIX_BYTES), &context.budget).await.map_err(|refusal| {
            match refusal {
                Refusal::TooLarge { .. } => Refusal::TooLarge { limit },
                other => other,
            }
        })?;
    let (bytes, is_compressed) = unframe(held.bytes)?;
    let compression = match (is_compressed, compression) {
        (false, _) => Compression::Identity,
        (true, Compression::Identity) => {
            return Err(Refusal::Malformed(
                "the message is marked as compressed, but no grpc-encoding is given".to_owned(),
            ));
        }
        (true, compression) => compression,
    };
    let message = Message { signal, encoding: Encoding::Protobuf, compression, bytes };
    context.pipeline.accept(message, limit, &context.budget).await
}

/// The one message of a unary call, and whether it is compressed.
fn unframe(mut body: Bytes) -> Result<(Bytes, bool), Refusal> {
    let malformed = |what: &str| Refusal::Malformed(format!("the gRPC body is not one message: {what}"));
    if body.len() < PREFIX_BYTES {
        return Err(malformed("its prefix is missing"));
    }
    let flag = body.get_u8();
    let length = body.get_u32();
    if flag > 1 {
        return Err(malformed("its flags are unknown"));
    }
    if usize::try_from(length).ok() != Some(body.len()) {
        return Err(malformed("its length is not that of the body"));
    }
    Ok((body, flag == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_and_nothing_else() {
        let frame = |bytes: &'static [u8]| unframe(Bytes::from_static(bytes));
        assert_eq!(frame(&[0, 0, 0, 0, 0]), Ok((Bytes::new(), false)));
        assert_eq!(frame(&[1, 0, 0, 0, 2, 7, 8]), Ok((Bytes::from_static(&[7, 8]), true)));
        for bad in
            [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[2, 0, 0, 0, 0]]
        {
            assert!(matches!(frame(bad), Err(Refusal::Malformed(_))), "{bad:?}");
        }
    }
}
