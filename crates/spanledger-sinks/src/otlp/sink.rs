//! Sends batches as OTLP logs.

use std::{io::Write as _, path::PathBuf, time::Duration};

use flate2::{Compression, write::GzEncoder};
use prost::Message as _;
use reqwest::{
    Client, Url,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName},
};
use spanledger_otlp::{Encoding, PartialSuccess};

use super::message::message;
use crate::{
    Batch, BatchShape, Fault, Opened, Opening, Secret, Sink, Written,
    encode::{Columns, JsonLine},
    web,
};

/// Sends batches as OTLP logs over HTTP.
#[derive(Debug)]
pub struct OtlpSink {
    url: Url,
    headers: Vec<(HeaderName, Secret)>,
    gzip: bool,
    columns: Columns,
    encoding: JsonLine,
    timeout: Duration,
    ca_file: PathBuf,
    session: Option<(Client, HeaderMap)>,
}

impl OtlpSink {
    pub(super) fn new(
        url: Url,
        headers: Vec<(HeaderName, Secret)>,
        gzip: bool,
        columns: Columns,
        timeout: Duration,
        ca_file: PathBuf,
    ) -> Self {
        let encoding = JsonLine::new(columns.clone());
        Self { url, headers, gzip, columns, encoding, timeout, ca_file, session: None }
    }

    fn body(&self, batch: &Batch) -> Result<Vec<u8>, Fault> {
        let bytes = message(batch, &self.columns, &self.encoding)?.encode_to_vec();
        if !self.gzip {
            return Ok(bytes);
        }
        let mut gzip = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
        gzip.write_all(&bytes).and_then(|()| gzip.finish()).map_err(Fault::retry)
    }

    /// Posts a message. Returns the server's answer to a success.
    async fn post(&self, task: &str, body: Vec<u8>) -> Result<PartialSuccess, Fault> {
        let (client, headers) = self.session.as_ref().ok_or_else(|| Fault::retry("the sink is not open"))?;
        let mut request = client.post(self.url.clone()).header(CONTENT_TYPE, "application/x-protobuf");
        if self.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let answer = request.headers(headers.clone()).body(body).send().await;
        let answer = answer.map_err(|error| web::lost(task, error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|error| web::lost(task, error))?;
        if status.is_success() {
            return Ok(PartialSuccess::of_logs(&body, Encoding::Protobuf));
        }
        let words = web::excerpt(&String::from_utf8_lossy(&body));
        let reason = format!("{task}: it answered {status} {words}");
        Err(web::of_status(status, &headers, reason.trim_end().to_owned()))
    }
}

impl Sink for OtlpSink {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(1_000).bytes(2 << 20).linger(Duration::from_millis(200))
    }

    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        let session = web::session(self.timeout, self.ca_file.clone(), self.headers.clone()).await?;
        self.session = Some(session);
        // A message without records tells whether the address and the credentials are right.
        let empty = if self.gzip {
            GzEncoder::new(Vec::new(), Compression::fast()).finish().map_err(Fault::retry)?
        } else {
            Vec::new()
        };
        match self.post(&format!("{} cannot be used", web::shown(&self.url)), empty).await {
            // Loki refuses a message without records, but it is at this address and knows the credentials.
            Ok(_) | Err(Fault::Rejected { .. }) => Ok(Opened::default()),
            Err(fault) => Err(fault),
        }
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let task = format!("{} cannot be sent to {}", batch.id, web::shown(&self.url));
        let answer = self.post(&task, self.body(batch)?).await?;
        if answer.rejected > 0 {
            return Err(Fault::rejected(format!(
                "{task}: it rejected {} records: {}",
                answer.rejected,
                web::excerpt(&answer.message)
            )));
        }
        Ok(Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        // A success means that the server is responsible for the records (OTLP specification).
        Ok(())
    }
}
