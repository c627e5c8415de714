//! Posts batches.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use reqwest::{
    Client, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName},
};

use super::{BodyFormat, signature};
use crate::{
    Batch, BatchShape, Fault, Opened, Opening, Secret, Sink, Written,
    encode::{Columns, JsonLine},
    web,
};

/// Posts batches to an address.
#[derive(Debug)]
pub struct HttpSink {
    url: Url,
    format: BodyFormat,
    headers: Vec<(HeaderName, Secret)>,
    secret: Secret,
    encoding: JsonLine,
    timeout: Duration,
    ca_file: PathBuf,
    session: Option<Session>,
}

/// What was read from files and the environment when the sink was opened.
#[derive(Debug)]
struct Session {
    client: Client,
    headers: HeaderMap,
    key: Option<hmac::Key>,
}

impl HttpSink {
    pub(super) fn new(
        url: Url,
        format: BodyFormat,
        headers: Vec<(HeaderName, Secret)>,
        secret: Secret,
        columns: Columns,
        timeout: Duration,
        ca_file: PathBuf,
    ) -> Self {
        let encoding = JsonLine::new(columns);
        Self { url, format, headers, secret, encoding, timeout, ca_file, session: None }
    }

    async fn connect(&self) -> Result<Session, Fault> {
        let (client, headers) =
            web::session(self.timeout, self.ca_file.clone(), self.headers.clone()).await?;
        let secret = self.secret.clone();
        let secret = tokio::task::spawn_blocking(move || secret.read()).await.map_err(Fault::retry)??;
        let key = (!secret.is_empty()).then(|| signature::key(&secret)).transpose().map_err(|problem| {
            Fault::blocked(
                format!("the option `secret` cannot be used: {problem}"),
                "write any text, or Base64 after `whsec_`",
            )
        })?;
        Ok(Session { client, headers, key })
    }

    fn body(&self, batch: &Batch) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::with_capacity(batch.approximate_bytes());
        let is_array = self.format == BodyFormat::Json;
        for (index, event) in batch.events().enumerate() {
            if is_array {
                body.push(if index == 0 { b'[' } else { b',' });
            }
            self.encoding.write(event, &mut body).map_err(Fault::rejected)?;
            if is_array {
                // An array has no line breaks, so that tools that read line by line see one value.
                body.pop();
            }
        }
        if is_array {
            body.extend_from_slice(if body.is_empty() { b"[]" } else { b"]" });
        }
        Ok(body)
    }

    async fn send(&self, session: &Session, batch: &Batch) -> Result<(), Fault> {
        let task = format!("{} cannot be sent to {}", batch.id, web::shown(&self.url));
        let (id, body) = (batch.id.to_string(), self.body(batch)?);
        let media_type = match self.format {
            BodyFormat::Json => "application/json",
            BodyFormat::JsonLines => "application/x-ndjson",
        };
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut request = session
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, media_type)
            .header("idempotency-key", &id)
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp);
        if let Some(key) = &session.key {
            request = request.header("webhook-signature", signature::sign(key, &id, timestamp, &body));
        }
        let answer = request.headers(session.headers.clone()).body(body).send().await;
        let answer = answer.map_err(|error| web::lost(&task, error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if status.is_success() {
            return Ok(());
        }
        let words = answer.text().await.unwrap_or_default();
        let reason = format!("{task}: it answered {status} {}", web::excerpt(&words));
        Err(web::of_status(status, &headers, reason.trim_end().to_owned()))
    }
}

impl Sink for HttpSink {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(500).bytes(1 << 20).linger(Duration::from_millis(500))
    }

    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        self.session = Some(self.connect().await?);
        Ok(Opened::default())
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let session = self.session.as_ref().ok_or_else(|| Fault::retry("the sink is not open"))?;
        self.send(session, batch).await?;
        Ok(Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        // A success means that the receiver has made the batch durable.
        Ok(())
    }
}
