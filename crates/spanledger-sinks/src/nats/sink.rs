//! The sink.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Event, HeaderMap, ServerError,
    jetstream::{
        self, Context,
        context::{GetStreamErrorKind, PublishAckFuture},
        stream::{self, StorageType},
    },
};
use spanledger_event::ErrorChain;

use super::{
    NatsConfig,
    fault::{self, Refusal},
};
use crate::{Batch, BatchShape, Fault, Opened, Opening, Purpose, Rejection, Sink, Written};

/// So many publications wait for their acknowledgement at a time.
const UNACKNOWLEDGED_MAX: usize = 512;
/// The duplicate window of a stream that the sink makes.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(10);
/// With a shorter window a repeated batch may be stored twice.
const SHORT_WINDOW: Duration = Duration::from_mins(2);

/// Publishes events to a stream of NATS JetStream.
#[derive(Debug)]
pub struct NatsSink {
    config: NatsConfig,
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    client: Client,
    context: Context,
    /// What the server said last about this connection, such as that a right is missing.
    said: Arc<Mutex<Option<String>>>,
}

impl NatsSink {
    pub(super) const fn new(config: NatsConfig) -> Self {
        Self { config, connection: None }
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        let config = &self.config;
        let secret = |secret: &crate::Secret, option: &str| {
            secret
                .read()
                .map_err(|error| Fault::blocked(format!("`{option}`: {error}"), "give the sink its value"))
        };
        let said = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&said);
        let mut options = ConnectOptions::new()
            .name("spanledger")
            .connection_timeout(config.timeout())
            .request_timeout(Some(config.timeout()))
            .require_tls(config.tls)
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    let text = match error {
                        ServerError::AuthorizationViolation => "authorization violation".to_owned(),
                        ServerError::SlowConsumer(_) => return std::future::ready(()),
                        ServerError::Other(text) => text,
                    };
                    *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                }
                std::future::ready(())
            });
        let token = secret(&config.token, "token")?;
        if !config.user.is_empty() {
            options = options.user_and_password(config.user.clone(), secret(&config.password, "password")?);
        } else if !token.is_empty() {
            options = options.token(token);
        }
        if config.ca_file != Path::new("") {
            options = options.add_root_certificates(config.ca_file.clone());
        }
        let servers: Vec<&str> = config.servers.split(',').map(str::trim).collect();
        let client = options.connect(servers).await.map_err(|error| fault::connecting(&error, config))?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(config.timeout());
        Ok(Connection { client, context, said })
    }

    /// The stream; `None` if a check finds none that delivery would make.
    async fn stream(&self, context: &Context, purpose: Purpose) -> Result<Option<stream::Config>, Fault> {
        let config = &self.config;
        let error = match context.get_stream(&config.stream).await {
            Ok(stream) => return Ok(Some(stream.cached_info().config.clone())),
            Err(error) => error,
        };
        match error.kind() {
            GetStreamErrorKind::JetStream(answer)
                if answer.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND && config.create_stream => {}
            GetStreamErrorKind::JetStream(answer) => return Err(fault::jetstream(&answer, config)),
            _ => {
                return Err(Fault::retry(format!(
                    "{} does not answer what the stream `{}` is: {}",
                    config.servers,
                    config.stream,
                    ErrorChain(&error)
                )));
            }
        }
        if purpose == Purpose::Check {
            return Ok(None);
        }
        let wanted = stream::Config {
            name: config.stream.clone(),
            description: Some("Cost events of Spanledger".to_owned()),
            subjects: vec![config.subject.clone()],
            storage: StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            ..stream::Config::default()
        };
        let made = context.create_stream(wanted).await.map_err(|error| match error.kind() {
            jetstream::context::CreateStreamErrorKind::JetStream(answer) => fault::jetstream(&answer, config),
            _ => {
                Fault::retry(format!("the stream `{}` cannot be made: {}", config.stream, ErrorChain(&error)))
            }
        })?;
        Ok(Some(made.cached_info().config.clone()))
    }

    /// Waits for an acknowledgement. Returns the reason if the event is refused.
    async fn acknowledged(
        &self,
        acknowledgement: PublishAckFuture,
        said: &Mutex<Option<String>>,
    ) -> Result<Option<String>, Fault> {
        // That the server has the message already is a success, too.
        let Err(error) = acknowledgement.await else { return Ok(None) };
        let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
        match fault::publishing(&error, said, &self.config) {
            Refusal::Event(reason) => Ok(Some(reason)),
            Refusal::All(fault) => Err(fault),
        }
    }
}

impl Sink for NatsSink {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(1_000).bytes(4 << 20)
    }

    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        self.connection = None;
        let connection = self.connect().await?;
        let mut remarks = Vec::new();
        let NatsConfig { stream, subject, .. } = &self.config;
        match self.stream(&connection.context, opening.purpose).await? {
            None => {
                remarks.push(format!("The stream `{stream}` does not exist; the first delivery makes it."));
            }
            Some(found) => {
                if !found.subjects.iter().any(|pattern| matches(pattern, subject)) {
                    return Err(Fault::blocked(
                        format!("the stream `{stream}` does not store the subject `{subject}`"),
                        format!(
                            "add the subject with `nats stream edit {stream} --subjects …,{subject}`, or correct `subject`"
                        ),
                    ));
                }
                if found.duplicate_window < SHORT_WINDOW {
                    remarks.push(format!(
                        "The duplicate window of `{stream}` is {} s: a batch that is repeated later is stored twice. Set `--dupe-window 10m`.",
                        found.duplicate_window.as_secs()
                    ));
                }
            }
        }
        self.connection = Some(connection);
        Ok(Opened { cursor: None, remarks })
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let Some(Connection { context, said, .. }) = &self.connection else {
            return Err(Fault::retry("the sink is not open"));
        };
        said.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut written = Written::default();
        let mut reject = |index, reason| written.rejected.push(Rejection { index, reason });
        let mut waiting: VecDeque<(usize, PublishAckFuture)> = VecDeque::new();
        for (index, event) in batch.events().enumerate() {
            if waiting.len() >= UNACKNOWLEDGED_MAX
                && let Some((index, acknowledgement)) = waiting.pop_front()
                && let Some(reason) = self.acknowledged(acknowledgement, said).await?
            {
                reject(index, reason);
            }
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("{}-{}", event.event_id, event.revision));
            headers.insert("event_id", event.event_id.as_str());
            headers.insert("revision", event.revision.to_string());
            headers.insert("batch", batch.id.to_string());
            let payload = event.json().to_owned().into();
            match context.publish_with_headers(self.config.subject.clone(), headers, payload).await {
                Ok(acknowledgement) => waiting.push_back((index, acknowledgement)),
                Err(error) => match fault::publishing(&error, None, &self.config) {
                    Refusal::Event(reason) => reject(index, reason),
                    Refusal::All(fault) => return Err(fault),
                },
            }
        }
        for (index, acknowledgement) in waiting {
            if let Some(reason) = self.acknowledged(acknowledgement, said).await? {
                reject(index, reason);
            }
        }
        Ok(written)
    }

    /// Every event was acknowledged when its batch was written.
    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn close(&mut self) {
        if let Some(Connection { client, .. }) = self.connection.take() {
            client.drain().await.unwrap_or_default();
        }
    }
}

/// Whether a pattern of subjects contains the subject.
fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(word)) if wanted == word => {}
            _ => return false,
        }
    }
}
