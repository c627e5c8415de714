//! The options of the sink.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::NatsSink;
use crate::{OptionError, Secret, SinkConfig};

/// The options of `nats`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatsConfig {
    /// The addresses of the servers, separated by commas.
    pub servers: String,
    /// The stream that stores the events.
    #[serde(default = "default_name")]
    pub stream: String,
    /// The subject under which the events are published.
    #[serde(default = "default_name")]
    pub subject: String,
    /// Whether the sink makes the stream if it does not exist.
    #[serde(default = "yes")]
    pub create_stream: bool,
    /// The user.
    #[serde(default)]
    pub user: String,
    /// The password of the user.
    #[serde(default = "no_secret")]
    pub password: Secret,
    /// A token, where the servers want one instead of a user.
    #[serde(default = "no_secret")]
    pub token: Secret,
    /// Whether the connection must be encrypted.
    #[serde(default)]
    pub tls: bool,
    /// A file with the certificates (PEM) that may sign the servers' certificates, beside those of the system.
    #[serde(default)]
    pub ca_file: PathBuf,
    /// The longest time that the servers may take for an answer.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
}

fn default_name() -> String {
    "openai_event_revisions".to_owned()
}

fn no_secret() -> Secret {
    Secret::new("")
}

const fn yes() -> bool {
    true
}

const fn timeout_seconds() -> u64 {
    30
}

impl NatsConfig {
    /// The time after which the servers count as unavailable.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.max(1))
    }
}

impl SinkConfig for NatsConfig {
    type Sink = NatsSink;

    fn build(self) -> Result<NatsSink, OptionError> {
        let problem = |option, problem: &str| Err(OptionError { option, problem: problem.to_owned() });
        if self.servers.trim().is_empty() {
            return problem("servers", "name a server, such as `nats://127.0.0.1:4222`");
        }
        if self.servers.contains('@') {
            return problem(
                "servers",
                "leave the user out of the address, and give `user` and `password`, or `token`",
            );
        }
        let is_bad = |c: char| c.is_whitespace() || matches!(c, '.' | '*' | '>' | '/' | '\\');
        if self.stream.is_empty() || self.stream.contains(is_bad) {
            return problem("stream", "the name of a stream has no spaces and none of `. * > / \\`");
        }
        let is_bad = |c: char| c.is_whitespace() || matches!(c, '*' | '>');
        if self.subject.split('.').any(str::is_empty) || self.subject.contains(is_bad) {
            return problem("subject", "write words separated by points, without spaces, `*` and `>`");
        }
        Ok(NatsSink::new(self))
    }
}
