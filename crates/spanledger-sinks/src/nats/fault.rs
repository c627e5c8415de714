//! What the errors of NATS mean for the sink.

use async_nats::{
    ConnectError, ConnectErrorKind,
    jetstream::{
        Error as Answer, ErrorCode,
        context::{PublishError, PublishErrorKind},
    },
};

use super::NatsConfig;
use crate::Fault;

pub(super) fn connecting(error: &ConnectError, config: &NatsConfig) -> Fault {
    let reason = format!("{} does not connect: {error}", config.servers);
    match error.kind() {
        ConnectErrorKind::ServerParse => Fault::blocked(
            reason,
            "write `servers` as addresses such as `nats://host:4222`, separated by commas",
        ),
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => Fault::blocked(
            reason,
            "correct `user` and `password`, or `token`, and see that the servers know them",
        ),
        ConnectErrorKind::Tls => Fault::blocked(
            reason,
            "set `tls` as the servers want it, and `ca_file` to the certificate that signed theirs",
        ),
        ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => Fault::retry(reason),
    }
}

/// An answer of JetStream that is an error.
pub(super) fn jetstream(error: &Answer, config: &NatsConfig) -> Fault {
    let reason = format!("the stream `{}`: {error}", config.stream);
    let code = error.error_code();
    if code == ErrorCode::JETSTREAM_NOT_ENABLED || code == ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT {
        return Fault::blocked(
            reason,
            "enable JetStream on the servers (`jetstream {}`) and for the account",
        );
    }
    if code == ErrorCode::STREAM_NOT_FOUND {
        return missing(config);
    }
    match error.code() {
        503 => Fault::retry(reason),
        _ => Fault::blocked(reason, "correct the stream, or the rights of the user, and try again"),
    }
}

pub(super) fn missing(config: &NatsConfig) -> Fault {
    let NatsConfig { stream, subject, .. } = config;
    Fault::blocked(
        format!("the stream `{stream}` does not exist"),
        format!(
            "make it with `nats stream add {stream} --subjects {subject} --storage file --dupe-window 10m`, or set `create_stream = true`"
        ),
    )
}

/// What became of an event that was not stored.
pub(super) enum Refusal {
    /// The event alone is refused.
    Event(String),
    /// Nothing can be stored.
    All(Fault),
}

/// The error of a publication. `said` is what the server said about this connection meanwhile.
pub(super) fn publishing(error: &PublishError, said: Option<String>, config: &NatsConfig) -> Refusal {
    let source = std::error::Error::source(error);
    let answer = source.and_then(|source| source.downcast_ref::<Answer>());
    Refusal::All(match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            return Refusal::Event(format!("{error}: raise `max_payload` of the servers"));
        }
        PublishErrorKind::StreamNotFound => missing(config),
        _ => match (answer, said) {
            (Some(answer), _) if answer.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                return Refusal::Event(format!("{answer}: raise `max_msg_size` of the stream"));
            }
            (Some(answer), _) if is_full(answer) => Fault::blocked(
                format!("the stream `{}` is full: {answer}", config.stream),
                "raise its limits, or let it discard old messages (`--discard old`)",
            ),
            (Some(answer), _) => jetstream(answer, config),
            (None, Some(said)) => Fault::blocked(
                format!("the servers refuse to store events: {said}"),
                format!("give the user the right to publish to `{}`", config.subject),
            ),
            (None, None) => Fault::retry(format!("{} does not store an event: {error}", config.servers)),
        },
    })
}

/// Whether a limit of the stream or the account is reached.
fn is_full(answer: &Answer) -> bool {
    answer.to_string().contains("maximum") && answer.to_string().contains("exceeded")
}
