//! The options of the sink.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::HttpSink;
use crate::{OptionError, Secret, SinkConfig, encode::Columns, web};

/// The options of `http`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// The address to which batches are posted.
    pub url: String,
    /// The form of the body.
    #[serde(default)]
    pub format: BodyFormat,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// The secret with which requests are signed.
    #[serde(default = "no_secret")]
    pub secret: Secret,
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

/// The form of a request's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// An array of objects.
    #[default]
    Json,
    /// One object on each line.
    JsonLines,
}

fn no_secret() -> Secret {
    Secret::new("")
}

const fn timeout_seconds() -> u64 {
    30
}

impl SinkConfig for HttpConfig {
    type Sink = HttpSink;

    fn build(self) -> Result<HttpSink, OptionError> {
        let url = web::url("url", &self.url, "https://example.com/ai-costs")?;
        let columns = Columns::from_options(&self.columns, &self.omit_columns)?;
        let headers = web::headers(&self.headers)?;
        let timeout = Duration::from_secs(self.timeout_seconds.max(1));
        Ok(HttpSink::new(url, self.format, headers, self.secret, columns, timeout, self.ca_file))
    }
}
