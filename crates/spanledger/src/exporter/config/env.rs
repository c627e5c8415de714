//! Reads the configuration from environment variables, as the specification of the OTLP exporter says.

use std::{env::current_exe, path::PathBuf, str::FromStr, time::Duration};

use percent_encoding::percent_decode_str;
use spanledger_event::keys::SERVICE_NAME;

use super::{Certificates, Compression, ExporterConfig, Protocol, logs_url};

/// Reads the variables. A value of a standard variable that is not valid is ignored, and a warning says so. An address
/// or a spool of ours that cannot be used is an error when the exporter is started.
pub(super) fn read(get: impl Fn(&str) -> Option<String>) -> ExporterConfig {
    Reader { get: |name: &str| get(name).filter(|value| !value.trim().is_empty()) }.config()
}

struct Reader<G> {
    get: G,
}

/// A value and the name of the variable that has it.
type Named = (String, &'static str);

impl<G: Fn(&str) -> Option<String>> Reader<G> {
    fn config(&self) -> ExporterConfig {
        let mut config = ExporterConfig::default();
        // The headers and the certificate of an `OTEL_` variable may belong to a vendor, and must be sent only to
        // that vendor.
        let own_headers = match (self.own_endpoint(), self.standard_endpoint()) {
            (Some(endpoint), _) => {
                config = config.endpoint(&endpoint);
                true
            }
            (None, Some((url, protocol))) => {
                (config.url, config.protocol) = (Some(url), protocol);
                config.certificates = self.certificates();
                false
            }
            (None, None) => true,
        };
        if (self.get)("SPANLEDGER_EXPORT").is_some_and(|value| value.trim().eq_ignore_ascii_case("off")) {
            config.url = None;
        }
        let headers = if own_headers {
            self.first(&["SPANLEDGER_HEADERS"])
        } else {
            self.first(&["OTEL_EXPORTER_OTLP_LOGS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"])
        };
        config.headers = headers.map(|headers| headers_of(&headers)).unwrap_or_default();
        if let Some(timeout) = self.parsed::<u64>(
            &["OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"],
            "a number of milliseconds",
        ) {
            // Zero means no time limit.
            let unlimited = Duration::from_secs(60 * 60);
            config.timeout =
                Some(Duration::from_millis(timeout)).filter(|t| !t.is_zero()).unwrap_or(unlimited);
        }
        if let Some(compression) = self.parsed(
            &["OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"],
            "gzip or none",
        ) {
            config.compression = compression;
        }
        config.spool = self.first(&["SPANLEDGER_SPOOL"]).map(|(folder, _)| PathBuf::from(folder));
        config.intents =
            (self.get)("SPANLEDGER_INTENTS").is_some_and(|value| value.trim().eq_ignore_ascii_case("on"));
        config.resource = self
            .first(&["OTEL_RESOURCE_ATTRIBUTES"])
            .and_then(|(list, name)| {
                // The specification: if anything in it cannot be decoded, the whole value is ignored.
                let pairs: Option<Vec<_>> = parts(&list).map(pair).collect();
                pairs.or_else(|| ignored(name, "it is not a list of key=value"))
            })
            .unwrap_or_default();
        let of_resource =
            || config.resource.iter().find(|(key, _)| key == SERVICE_NAME).map(|(_, name)| name.clone());
        let name = (self.get)("OTEL_SERVICE_NAME").or_else(of_resource).unwrap_or_else(default_service_name);
        config.service_name(&name)
    }

    /// The address is not checked here: if it cannot be used, the records must not go to another one.
    fn own_endpoint(&self) -> Option<String> {
        Some(self.first(&["SPANLEDGER_ENDPOINT"])?.0)
    }

    /// The URL and the protocol of the `OTEL_` variables.
    fn standard_endpoint(&self) -> Option<(String, Protocol)> {
        let of_logs = self.first(&["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"]);
        let (endpoint, name) = of_logs.clone().or_else(|| self.first(&["OTEL_EXPORTER_OTLP_ENDPOINT"]))?;
        let endpoint = valid_url(&endpoint, name)?;
        let given = self.parsed(
            &["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"],
            "http/protobuf or grpc",
        );
        let protocol = usable(given.unwrap_or_else(|| super::protocol_of_port(&endpoint)), name)?;
        let url = match (protocol, of_logs) {
            (Protocol::HttpProtobuf, None) => logs_url(&endpoint),
            _ => endpoint,
        };
        Some((url, protocol))
    }

    fn certificates(&self) -> Certificates {
        let path = |of_logs, general| self.first(&[of_logs, general]).map(|(path, _)| PathBuf::from(path));
        Certificates {
            authority: path("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
            client: path(
                "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            ),
            client_key: path("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
        }
    }

    /// The first of these variables that is set.
    fn first(&self, names: &[&'static str]) -> Option<Named> {
        names.iter().find_map(|name| Some(((self.get)(name)?.trim().to_owned(), *name)))
    }

    fn parsed<T: FromStr>(&self, names: &[&'static str], expected: &str) -> Option<T> {
        let (value, name) = self.first(names)?;
        value.parse().ok().or_else(|| ignored(name, &format!("`{value}` is not {expected}")))
    }
}

impl FromStr for Protocol {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "http/protobuf" => Ok(Self::HttpProtobuf),
            "grpc" => Ok(Self::Grpc),
            _ => Err(()),
        }
    }
}

impl FromStr for Compression {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "none" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            _ => Err(()),
        }
    }
}

fn ignored<T>(name: &str, reason: &str) -> Option<T> {
    tracing::warn!(variable = name, reason, "spanledger.export.variable.ignored");
    None
}

fn valid_url(endpoint: &str, name: &str) -> Option<String> {
    let is_http = |url: &reqwest::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    if reqwest::Url::parse(endpoint).is_ok_and(|url| is_http(&url)) {
        return Some(endpoint.to_owned());
    }
    ignored(name, &format!("`{endpoint}` is not a URL such as http://localhost:4318"))
}

/// gRPC can be used only with its feature.
fn usable(protocol: Protocol, name: &str) -> Option<Protocol> {
    if protocol == Protocol::Grpc && !cfg!(feature = "grpc") {
        return ignored(
            name,
            "it is an endpoint of OTLP/gRPC, for which the crate `spanledger` needs its feature `grpc`: enable it, or \
             set SPANLEDGER_ENDPOINT to the receiver's address of OTLP/HTTP, which has port 4318",
        );
    }
    Some(protocol)
}

fn headers_of((list, name): &Named) -> Vec<(String, String)> {
    let header = |part: &str| {
        pair(part).or_else(|| {
            // The value may be a key, so that it is not repeated here.
            ignored(name, "a header is not key=value, or its percent-encoding is not valid")
        })
    };
    parts(list).filter_map(header).collect()
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Reads `key=value`, both percent-encoded as in W3C Baggage.
fn pair(part: &str) -> Option<(String, String)> {
    let (key, value) = part.split_once('=')?;
    let decode = |text: &str| Some(percent_decode_str(text.trim()).decode_utf8().ok()?.into_owned());
    let key = decode(key).filter(|key| !key.is_empty())?;
    Some((key, decode(value)?))
}

/// The name that the OpenTelemetry specification gives to a service without one.
fn default_service_name() -> String {
    let program = current_exe().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    program.map_or_else(|| "unknown_service".to_owned(), |program| format!("unknown_service:{program}"))
}
