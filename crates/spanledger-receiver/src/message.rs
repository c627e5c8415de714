//! A received OTLP message, which may be compressed.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use hyper::{HeaderMap, header::AsHeaderName};
use spanledger_otlp::Encoding;

use crate::{Refusal, budget::Budget};

/// The number of bytes that are inflated in one step.
const INFLATE_CHUNK_BYTES: usize = 64 * 1_024;

/// An OTLP signal that the receiver accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

impl Signal {
    const ALL: [Self; 2] = [Self::Traces, Self::Logs];

    /// The path of OTLP/HTTP.
    pub(crate) const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Logs => "/v1/logs",
        }
    }

    /// The path of the method of OTLP/gRPC.
    pub(crate) const fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The signal that OTLP/HTTP sends to a path.
    pub(crate) fn from_http_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.http_path() == path)
    }

    /// The signal that OTLP/gRPC sends to a path.
    pub(crate) fn from_grpc_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.grpc_path() == path)
    }
}

/// A received OTLP message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) signal: Signal,
    pub(crate) encoding: Encoding,
    pub(crate) compression: Compression,
    /// The bytes as they were received, still compressed.
    pub(crate) bytes: Bytes,
    /// The budget for the inflated bytes.
    pub(crate) budget: Budget,
}

impl Message {
    /// Inflates the bytes. Fails as soon as they exceed the limit of a message, so that a decompression
    /// bomb does not fill the memory.
    pub(crate) fn inflate(&self) -> Result<Bytes, Refusal> {
        let mut reader: Box<dyn Read> = match self.compression {
            Compression::Identity => return Ok(self.bytes.clone()),
            // A gzip stream may consist of several members (RFC 1952, section 2.2).
            Compression::Gzip => Box::new(MultiGzDecoder::new(&self.bytes[..])),
            Compression::Deflate => Box::new(ZlibDecoder::new(&self.bytes[..])),
        };
        let expected = self.bytes.len().saturating_mul(4).min(self.budget.message_bytes_max());
        let mut plain = self.budget.buffer(expected, 0)?;
        let mut chunk = vec![0; INFLATE_CHUNK_BYTES];
        loop {
            let count = reader.read(&mut chunk).map_err(|error| {
                Refusal::Malformed(format!("the {:?} body is broken: {error}", self.compression))
            })?;
            if count == 0 {
                return Ok(plain.freeze());
            }
            plain.extend(chunk.get(..count).unwrap_or_default())?;
        }
    }
}

/// How a message is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Identity,
    Gzip,
    Deflate,
}

impl Compression {
    /// The compression that a header names. Several header lines mean one list (RFC 9110, section 5.3). A
    /// list of compressions is not supported.
    pub(crate) fn from_header(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Self, Refusal> {
        let values: Vec<&str> =
            headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("(not text)")).collect();
        match values.join(", ").trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            other => Err(Refusal::UnsupportedEncoding(other.to_owned())),
        }
    }

    /// The value of `Content-Encoding`; `None` for plain bytes.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
        }
    }
}
