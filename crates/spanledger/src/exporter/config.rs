//! Configures the export of records.

use std::{env, time::Duration};

use spanledger_event::keys::SERVICE_NAME;

#[cfg(test)]
mod tests;

/// The configuration of the export of records.
///
/// [`from_env`](Self::from_env) reads these variables. If several endpoints are set, the first one of the
/// table is used:
///
/// | variable | meaning |
/// |---|---|
/// | `SPANLEDGER_ENDPOINT` | base URL of the receiver, OTLP/HTTP: `http://localhost:4318` |
/// | `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT` | URL for logs, with its path |
/// | `OTEL_EXPORTER_OTLP_ENDPOINT` | base URL, unless `OTEL_EXPORTER_OTLP_PROTOCOL` is `grpc` |
/// | `SPANLEDGER_HEADERS` | headers, `key=value` separated by commas |
/// | `OTEL_EXPORTER_OTLP_LOGS_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` | headers, used only with an endpoint from an `OTEL_` variable |
/// | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | name and attributes of the service |
/// | `SPANLEDGER_EXPORT=off` | switches the export off; calls have spans only |
#[derive(Clone, Debug)]
pub struct ExporterConfig {
    /// The URL to which records are sent, including its path. `None` switches the export off.
    pub url: Option<String>,
    /// Headers of each request to the receiver.
    pub headers: Vec<(String, String)>,
    /// Attributes of the OTLP resource, `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// The greatest number of records that may wait. If the queue is full, new records are dropped, counted
    /// and logged.
    pub queue_max: usize,
    /// The greatest number of bytes of the records that may wait, by an estimate for records that are not encoded
    /// yet. One record is accepted in any case.
    pub queue_bytes_max: usize,
    /// The greatest number of records in one request.
    pub batch_max: usize,
    /// The longest time for which a record waits, so that later records can be sent in the same request.
    pub linger: Duration,
    /// The time limit of a request.
    pub timeout: Duration,
    /// The wait after the first failure. It doubles after each further failure, up to `backoff_max`.
    pub backoff: Duration,
    /// The longest wait between two attempts.
    pub backoff_max: Duration,
}

impl Default for ExporterConfig {
    fn default() -> Self {
        Self {
            url: Some(logs_url("http://localhost:4318")),
            headers: Vec::new(),
            resource: vec![(SERVICE_NAME.to_owned(), "unknown_service".to_owned())],
            queue_max: 65_536,
            queue_bytes_max: 64 * 1024 * 1024,
            batch_max: 512,
            linger: Duration::from_millis(200),
            timeout: Duration::from_secs(10),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
        }
    }
}

impl ExporterConfig {
    /// Exports to the receiver at a base URL, for example `http://localhost:4318`.
    pub fn to(endpoint: &str) -> Self {
        Self { url: Some(logs_url(endpoint)), ..Self::default() }
    }

    /// Exports nothing; calls have spans only.
    pub fn off() -> Self {
        Self { url: None, ..Self::default() }
    }

    /// Sets the name of the service, `service.name` of the resource.
    #[must_use]
    pub fn service_name(mut self, name: &str) -> Self {
        self.resource.retain(|(key, _)| key != SERVICE_NAME);
        self.resource.push((SERVICE_NAME.to_owned(), name.to_owned()));
        self
    }

    /// Reads the environment variables of the process.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
    }

    fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        let mut config = Self::default();
        let protocol = get("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL").or_else(|| get("OTEL_EXPORTER_OTLP_PROTOCOL"));
        // This exporter uses OTLP/HTTP, so it cannot use an endpoint for gRPC.
        let is_grpc = protocol.as_deref() == Some("grpc");
        let own = get("SPANLEDGER_ENDPOINT").map(|base| logs_url(&base));
        let standard = get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
            .or_else(|| get("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| logs_url(&base)))
            .filter(|_| !is_grpc && own.is_none());
        // The headers of an `OTEL_` variable may contain a vendor's key, which must be sent only to that vendor.
        let headers = match &standard {
            Some(_) => get("OTEL_EXPORTER_OTLP_LOGS_HEADERS").or_else(|| get("OTEL_EXPORTER_OTLP_HEADERS")),
            None => get("SPANLEDGER_HEADERS"),
        };
        if let Some(url) = own.or(standard) {
            config.url = Some(url);
        }
        if get("SPANLEDGER_EXPORT").is_some_and(|value| value.eq_ignore_ascii_case("off")) {
            config.url = None;
        }
        config.headers = headers.map(|list| pairs(&list)).unwrap_or_default();
        config.resource = get("OTEL_RESOURCE_ATTRIBUTES").map(|list| pairs(&list)).unwrap_or_default();
        let of_resource =
            || config.resource.iter().find(|(key, _)| key == SERVICE_NAME).map(|(_, name)| name.clone());
        let name = get("OTEL_SERVICE_NAME").or_else(of_resource).unwrap_or_else(default_service_name);
        config.service_name(&name)
    }
}

fn logs_url(base: &str) -> String {
    format!("{}/v1/logs", base.trim_end_matches('/'))
}

/// Reads `key=value,key=value`.
fn pairs(list: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        part.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
    };
    list.split(',').filter_map(pair).collect()
}

/// The name that the OpenTelemetry specification gives to a service without one.
fn default_service_name() -> String {
    let program =
        env::current_exe().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    program.map_or_else(|| "unknown_service".to_owned(), |program| format!("unknown_service:{program}"))
}
