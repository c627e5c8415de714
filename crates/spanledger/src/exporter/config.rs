//! Configures the export of records.

use std::{fmt, path::PathBuf, time::Duration};

use spanledger_event::keys::SERVICE_NAME;

use super::shared::without_credentials;

mod env;
#[cfg(test)]
mod tests;

/// The configuration of the export of records.
///
/// [`from_env`](Self::from_env) reads these variables. If several endpoints are set, the first one of the
/// table is used. A value of an `OTEL_` variable that is not valid is ignored, and a warning says so. With a
/// `SPANLEDGER_ENDPOINT` that is not valid nothing is sent: [`init`](crate::init) returns the error. Without `init` it is
/// logged, and each record counts as lost.
///
///
/// | variable | meaning |
/// |---|---|
/// | `SPANLEDGER_ENDPOINT` | base URL of the receiver: `http://localhost:4318` |
/// | `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT` | URL for logs, with its path |
/// | `OTEL_EXPORTER_OTLP_ENDPOINT` | base URL |
/// | `OTEL_EXPORTER_OTLP_LOGS_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` or `grpc`, for an endpoint from an `OTEL_` variable |
/// | `SPANLEDGER_HEADERS` | headers, `key=value` separated by commas |
/// | `OTEL_EXPORTER_OTLP_LOGS_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` | headers, used only with an endpoint from an `OTEL_` variable |
/// | `OTEL_EXPORTER_OTLP_LOGS_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT` | the time limit of a request in milliseconds |
/// | `OTEL_EXPORTER_OTLP_LOGS_COMPRESSION`, `OTEL_EXPORTER_OTLP_COMPRESSION` | `gzip` or `none` |
/// | `OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CERTIFICATE` | a file with the certificates (PEM) of the authority that the receiver's certificate is checked against |
/// | `OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE`, `…_CLIENT_KEY`, and both without `LOGS_` | files with the service's own certificate and key (PEM), used only with an endpoint from an `OTEL_` variable |
/// | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | name and attributes of the service |
/// | `SPANLEDGER_SPOOL` | a folder for records that are not acknowledged yet (feature `spool`) |
/// | `SPANLEDGER_INTENTS=on` | notes each call in that folder before it is sent |
/// | `SPANLEDGER_EXPORT=off` | switches the export off; calls have spans only |
///
/// An endpoint with port 4317 uses gRPC, unless a protocol is given. gRPC needs the feature `grpc`, and the
/// certificates need the feature `tls`.
#[derive(Clone)]
#[non_exhaustive]
pub struct ExporterConfig {
    /// The URL to which records are sent, including its path. `None` switches the export off.
    pub url: Option<String>,
    /// The protocol. The default is OTLP/HTTP.
    pub protocol: Protocol,
    /// How requests are compressed. The default is not at all.
    pub compression: Compression,
    /// Headers of each request to the receiver.
    pub headers: Vec<(String, String)>,
    /// Certificates. The default is those of the HTTP client.
    pub certificates: Certificates,
    /// The HTTP client of the exporter, for example one with a proxy. The default is a client of its own, which uses
    /// no proxy for a receiver on this machine. Give it a client that nothing else uses: connections belong to the
    /// runtime in which they were opened, and the exporter has its own.
    pub http_client: Option<reqwest::Client>,
    /// Attributes of the OTLP resource, `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// The greatest number of records that may wait.
    pub queue_max: usize,
    /// The greatest number of bytes of the records that may wait, by an estimate for records that are not encoded
    /// yet. One record is accepted in any case.
    pub queue_bytes_max: usize,
    /// What happens to a record for which the queue has no room.
    pub when_full: WhenFull,
    /// The greatest number of records in one request.
    pub batch_max: usize,
    /// The longest time for which a record waits, so that later records can be sent in the same request.
    pub linger: Duration,
    /// The time limit of a request.
    pub timeout: Duration,
    /// The wait after the first failure, of which a part is random. It doubles after each further failure, up to
    /// `backoff_max`.
    pub backoff: Duration,
    /// The longest wait between two attempts.
    pub backoff_max: Duration,
    /// A folder in which records are kept on disk until they are acknowledged. They are sent also if the process was
    /// killed, after it has started again. It needs the feature `spool`.
    pub spool: Option<PathBuf>,
    /// The greatest number of bytes of records on disk. The default is 1 GiB.
    pub spool_bytes_max: u64,
    /// Whether each call is noted in the spool before it is sent (default: no). If the process dies before the call
    /// has ended, the call is recorded with the error code `process_died`, so that it is known which calls may be on
    /// the invoice although their usage is not known. A call then waits until the disk has the note.
    pub intents: bool,
    /// How long to wait after the disk of the spool has failed.
    #[cfg(feature = "spool")]
    pub(crate) spool_retry: Duration,
}

/// The protocol of the export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP/HTTP with protobuf, usually on port 4318.
    #[default]
    HttpProtobuf,
    /// OTLP/gRPC, usually on port 4317. It needs the feature `grpc`.
    Grpc,
}

/// The compression of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// gzip.
    Gzip,
}

/// What happens to a record for which the queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// The record is dropped and counted. When the receiver is back, it is told how many records were lost.
    #[default]
    DropNewest,
    /// The thread that makes the call waits for room, at most for this time, and then drops the record. A call in an
    /// async task blocks the thread of its runtime.
    Block(Duration),
}

/// Certificates of the connection to the receiver, as files in PEM. They need the feature `tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificates {
    /// The certificates of the authority that the receiver's certificate is checked against, in addition to those
    /// of the system.
    pub authority: Option<PathBuf>,
    /// The service's own certificate.
    pub client: Option<PathBuf>,
    /// The key of the service's own certificate.
    pub client_key: Option<PathBuf>,
}

impl Default for ExporterConfig {
    fn default() -> Self {
        Self {
            url: Some(logs_url("http://localhost:4318")),
            protocol: Protocol::default(),
            compression: Compression::default(),
            headers: Vec::new(),
            certificates: Certificates::default(),
            http_client: None,
            resource: vec![(SERVICE_NAME.to_owned(), "unknown_service".to_owned())],
            queue_max: 65_536,
            queue_bytes_max: 64 * 1024 * 1024,
            when_full: WhenFull::default(),
            batch_max: 512,
            linger: Duration::from_millis(200),
            timeout: Duration::from_secs(10),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            spool: None,
            spool_bytes_max: 1 << 30,
            intents: false,
            #[cfg(feature = "spool")]
            spool_retry: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for ExporterConfig {
    /// Formats the configuration without what contains keys: the values of its headers, and parts of the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ExporterConfig")
            .field("url", &self.url.as_deref().map(without_credentials))
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .field("headers", &headers)
            .field("resource", &self.resource)
            .field("queue_max", &self.queue_max)
            .field("queue_bytes_max", &self.queue_bytes_max)
            .field("when_full", &self.when_full)
            .field("spool", &self.spool)
            .field("intents", &self.intents)
            .finish_non_exhaustive()
    }
}

impl ExporterConfig {
    /// Exports to the receiver at a base URL, for example `http://localhost:4318`. With port 4317 it uses gRPC.
    pub fn to(endpoint: &str) -> Self {
        Self::default().endpoint(endpoint)
    }

    /// Exports nothing; calls have spans only.
    pub fn off() -> Self {
        Self { url: None, ..Self::default() }
    }

    /// Reads the environment variables of the process.
    pub fn from_env() -> Self {
        env::read(|name| std::env::var(name).ok())
    }

    /// Sets the receiver's base URL and the protocol of its port.
    #[must_use]
    pub fn endpoint(mut self, base: &str) -> Self {
        self.protocol = protocol_of_port(base);
        self.url = Some(match self.protocol {
            Protocol::Grpc => base.to_owned(),
            Protocol::HttpProtobuf => logs_url(base),
        });
        self
    }

    /// Sets the name of the service, `service.name` of the resource.
    #[must_use]
    pub fn service_name(self, name: &str) -> Self {
        self.resource_attribute(SERVICE_NAME, name)
    }

    /// Sets an attribute of the resource.
    #[must_use]
    pub fn resource_attribute(mut self, key: &str, value: &str) -> Self {
        self.resource.retain(|(existing, _)| existing != key);
        self.resource.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds a header to each request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])+ $name:ident: $type:ty;)+) => {
        impl ExporterConfig {
            $($(#[$doc])+
            #[must_use]
            pub fn $name(mut self, $name: $type) -> Self {
                self.$name = $name.into();
                self
            })+
        }
    };
}

setters! {
    /// Sets the protocol.
    protocol: Protocol;
    /// Sets the compression of requests.
    compression: Compression;
    /// Sets the HTTP client of the exporter; see [the field](Self#structfield.http_client).
    http_client: reqwest::Client;
    /// Sets the greatest number of records that may wait.
    queue_max: usize;
    /// Sets the greatest number of bytes of the records that may wait.
    queue_bytes_max: usize;
    /// Sets what happens to a record for which the queue has no room.
    when_full: WhenFull;
    /// Sets the greatest number of records in one request.
    batch_max: usize;
    /// Sets the longest time for which a record waits for others.
    linger: Duration;
    /// Sets the time limit of a request.
    timeout: Duration;
    /// Sets the wait after the first failure.
    backoff: Duration;
    /// Sets the longest wait between two attempts.
    backoff_max: Duration;
    /// Sets the folder for records that are not acknowledged yet; see [the field](Self#structfield.spool).
    spool: PathBuf;
    /// Sets the greatest number of bytes of records on disk.
    spool_bytes_max: u64;
    /// Sets whether each call is noted in the spool before it is sent; see [the field](Self#structfield.intents).
    intents: bool;
}

fn logs_url(base: &str) -> String {
    format!("{}/v1/logs", base.trim_end_matches('/'))
}

/// The protocol that an endpoint uses unless one is given.
fn protocol_of_port(endpoint: &str) -> Protocol {
    match reqwest::Url::parse(endpoint).ok().and_then(|url| url.port()) {
        Some(4317) => Protocol::Grpc,
        _ => Protocol::HttpProtobuf,
    }
}
