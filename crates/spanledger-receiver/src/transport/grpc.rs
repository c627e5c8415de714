//! OTLP/gRPC: handles the two unary methods on raw bytes.
//!
//! This module implements only the framing of a unary call (gRPC over HTTP2, "Requests" and "Responses").
//! With a generated server the received bytes would not be available, so traces could not be forwarded byte
//! for byte. Statuses and their details are encoded by `tonic`.

use bytes::{Buf as _, Bytes};
use hyper::{Method, Response, Version, body::Incoming, header, http::request::Parts};
use spanledger_otlp::Encoding;

use super::{
    body,
    response::{ResponseBody, grpc_refusal, grpc_success},
};
use crate::{
    Refusal,
    accepted::Accepted,
    context::Shared,
    message::{Compression, Message, Signal},
};

#[cfg(test)]
mod tests;

/// The prefix of a message: a flag of one byte and a length of four.
pub(super) const PREFIX_BYTES: usize = 5;

/// Whether a request is gRPC with protobuf. A request over HTTP/1.1 is never gRPC: gRPC needs HTTP/2.
pub(super) fn is_grpc(request: &Parts) -> bool {
    let content_type = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    request.version == Version::HTTP_2
        && ["application/grpc", "application/grpc+proto"]
            .iter()
            .any(|name| media_type.eq_ignore_ascii_case(name))
}

pub(super) async fn handle(request: &Parts, body: &mut Incoming, shared: &Shared) -> Response<ResponseBody> {
    match accept(request, body, shared).await {
        Ok(accepted) => grpc_success(&accepted),
        Err(refusal) => {
            shared.note_refusal(&refusal);
            grpc_refusal(&refusal)
        }
    }
}

async fn accept(request: &Parts, body: &mut Incoming, shared: &Shared) -> Result<Accepted, Refusal> {
    let path = request.uri.path();
    let signal = Signal::from_grpc_path(path).ok_or_else(|| {
        Refusal::NotFound(format!("the method {path} is not served: spanledger accepts OTLP traces and logs"))
    })?;
    if request.method != Method::POST {
        return Err(Refusal::MethodNotAllowed);
    }
    let compression = Compression::from_header(&request.headers, "grpc-encoding")?;
    let (bytes, is_compressed) = unframe(body::read(body, PREFIX_BYTES, &shared.budget).await?)?;
    let compression = match (is_compressed, compression) {
        (false, _) => Compression::Identity,
        (true, Compression::Identity) => {
            return Err(Refusal::Malformed(
                "the message is marked as compressed, but no grpc-encoding is given".to_owned(),
            ));
        }
        (true, compression) => compression,
    };
    let budget = shared.budget.clone();
    let message = Message { signal, encoding: Encoding::Protobuf, compression, bytes, budget };
    shared.pipeline.accept(message).await
}

/// The message of a unary call, and whether it is compressed.
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
        return Err(malformed("the length in its prefix differs from the length of the body"));
    }
    Ok((body, flag == 1))
}
