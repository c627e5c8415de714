//! The options of the sink.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use reqwest::Url;
use serde::Deserialize;

use super::OtlpSink;
use crate::{OptionError, Secret, SinkConfig, encode::Columns, web};

/// The path of logs below an endpoint (OTLP specification, "OTLP/HTTP Request").
const LOGS_PATH: &str = "/v1/logs";

/// The options of `otlp`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// The address of OTLP/HTTP.
    pub endpoint: String,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Whether messages are compressed with gzip.
    #[serde(default = "yes")]
    pub gzip: bool,
    /// The columns to write; all if the list is empty.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Columns to leave out.
    #[serde(default)]
    pub omit_columns: Vec<String>,
    /// A file with the certificates (PEM) that may sign the server's certificate, instead of those of the system.
    #[serde(default)]
    pub ca_file: PathBuf,
    /// The longest time that the server may take for a request.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
}

const fn yes() -> bool {
    true
}

const fn timeout_seconds() -> u64 {
    30
}

impl SinkConfig for OtlpConfig {
    type Sink = OtlpSink;

    fn build(self) -> Result<OtlpSink, OptionError> {
        let url = logs_url(web::url("endpoint", &self.endpoint, "http://collector:4318")?);
        let columns = Columns::from_options(&self.columns, &self.omit_columns)?;
        let headers = web::headers(&self.headers)?;
        let timeout = Duration::from_secs(self.timeout_seconds.max(1));
        Ok(OtlpSink::new(url, headers, self.gzip, columns, timeout, self.ca_file))
    }
}

/// The address of logs: the path is added unless it is there.
fn logs_url(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with(LOGS_PATH) {
        url.set_path(&format!("{path}{LOGS_PATH}"));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_logs_is_added_once() {
        for (endpoint, url) in [
            ("http://collector:4318", "http://collector:4318/v1/logs"),
            ("http://collector:4318/", "http://collector:4318/v1/logs"),
            ("http://loki:3100/otlp", "http://loki:3100/otlp/v1/logs"),
            ("http://collector:4318/v1/logs", "http://collector:4318/v1/logs"),
        ] {
            assert_eq!(logs_url(Url::parse(endpoint).unwrap()).as_str(), url);
        }
    }
}
