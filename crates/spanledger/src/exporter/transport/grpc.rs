//! OTLP/gRPC.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, uri::PathAndQuery};
use spanledger_event::{ErrorChain, keys::RECEIVER_HEADER};
use spanledger_otlp::{Encoding, PartialSuccess, RawCodec};
use tonic::{
    Code, Status,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use super::{Answer, RETRY_AFTER_MAX, RETRY_AFTER_MIN, WRONG_ADDRESS};
use crate::exporter::{InitError, config::Compression, outbox::Verdict, settings::Settings};

/// A connection that is opened with the first request and again when it has broken.
#[derive(Debug)]
pub(in crate::exporter) struct Grpc {
    endpoint: Endpoint,
    channel: Mutex<Channel>,
    headers: HeaderMap,
    compression: Compression,
    /// The time limit of a request, from its beginning to the end of its answer.
    pub(super) timeout: Duration,
}

impl Grpc {
    /// Must be called within a Tokio runtime.
    pub(super) fn new(settings: &Settings, endpoint: &Endpoint) -> Self {
        Self {
            endpoint: endpoint.clone(),
            channel: Mutex::new(endpoint.connect_lazy()),
            headers: settings.headers.clone(),
            compression: settings.compression,
            timeout: settings.timeout,
        }
    }

    /// Uses a new connection for the next request. Must be called within a Tokio runtime.
    pub(super) fn reconnect(&self) {
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = self.endpoint.connect_lazy();
    }

    pub(super) async fn post(&self, message: Bytes) -> Answer {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut client = tonic::client::Grpc::new(channel);
        if self.compression == Compression::Gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        if let Err(error) = client.ready().await {
            return Answer::failed(Verdict::Unreachable, None, ErrorChain(&error).to_string());
        }
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        let path = PathAndQuery::from_static("/opentelemetry.proto.collector.logs.v1.LogsService/Export");
        match client.unary(request, path, RawCodec).await {
            Ok(response) => {
                let is_from_receiver = response.metadata().contains_key(RECEIVER_HEADER);
                let partial = PartialSuccess::of_logs(response.get_ref(), Encoding::Protobuf);
                Answer::acknowledged(is_from_receiver, partial)
            }
            Err(status) => of_status(&status),
        }
    }
}

fn of_status(status: &Status) -> Answer {
    let source = std::error::Error::source(status).map(|error| format!(": {}", ErrorChain(error)));
    let message = status.message();
    let reason = format!("the receiver answered {:?} {message}{}", status.code(), source.unwrap_or_default());
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let after = delay.map(|delay| delay.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX));
    match status.code() {
        Code::InvalidArgument => Answer::failed(Verdict::Refused, after, reason),
        Code::ResourceExhausted if after.is_some() => Answer::failed(Verdict::Unreachable, after, reason),
        Code::Unauthenticated | Code::PermissionDenied => {
            let reason = format!("{reason}: its headers lack a valid key (SPANLEDGER_HEADERS)");
            Answer::failed(Verdict::Unreachable, after, reason)
        }
        Code::Unimplemented | Code::NotFound => {
            Answer::failed(Verdict::Unreachable, after, format!("{reason}; {WRONG_ADDRESS}"))
        }
        _ => Answer::failed(Verdict::Failed, after, reason),
    }
}

/// The address and the certificates of a connection.
pub(in crate::exporter) fn endpoint(
    url: &reqwest::Url,
    config: &crate::ExporterConfig,
) -> Result<Endpoint, InitError> {
    let invalid = |reason: String| InitError::Endpoint { url: url.to_string(), reason };
    let endpoint = Endpoint::from_shared(url.to_string()).map_err(|error| invalid(error.to_string()))?;
    let endpoint = endpoint.connect_timeout(config.timeout);
    with_certificates(endpoint, url, &config.certificates)
}

#[cfg(feature = "tls")]
fn with_certificates(
    endpoint: Endpoint,
    url: &reqwest::Url,
    certificates: &crate::Certificates,
) -> Result<Endpoint, InitError> {
    use crate::exporter::settings::read;
    use tonic::transport::{Certificate, ClientTlsConfig, Identity};

    if url.scheme() != "https" {
        return Ok(endpoint);
    }
    let mut tls = ClientTlsConfig::new().with_enabled_roots();
    if let Some(path) = &certificates.authority {
        tls = tls.ca_certificate(Certificate::from_pem(read(path)?));
    }
    if let (Some(certificate), Some(key)) = (&certificates.client, &certificates.client_key) {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    let invalid =
        |error| InitError::Endpoint { url: url.to_string(), reason: ErrorChain(&error).to_string() };
    endpoint.tls_config(tls).map_err(invalid)
}

#[cfg(not(feature = "tls"))]
fn with_certificates(
    endpoint: Endpoint,
    url: &reqwest::Url,
    _: &crate::Certificates,
) -> Result<Endpoint, InitError> {
    match url.scheme() {
        "https" => Err(InitError::Feature { setting: format!("OTLP/gRPC to {url}"), feature: "tls" }),
        _ => Ok(endpoint),
    }
}
