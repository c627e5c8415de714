//! The thread that sends records in batches and retries failed requests.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use reqwest::{StatusCode, header};
use spanledger_event::ErrorChain;
use spanledger_otlp::record::RequestEncoder;
use tokio::sync::watch;

use super::{
    ExporterConfig, Progress,
    queue::{QueueReceiver, Queued, Room},
};

/// The longest wait that is accepted from a `Retry-After` header.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(1);

pub(super) fn run(
    config: ExporterConfig,
    queue: QueueReceiver,
    progress: &Progress,
    settled: &watch::Sender<u64>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(Worker { config, progress, settled }.work(queue)),
        Err(error) => tracing::error!(%error, "spanledger.export.start.failed"),
    }
}

struct Worker<'a> {
    config: ExporterConfig,
    progress: &'a Progress,
    settled: &'a watch::Sender<u64>,
}

/// The outcome of one request to the receiver.
enum PostOutcome {
    Acknowledged,
    TryAgain { after: Option<Duration>, reason: String },
    TooLarge,
    Refused { reason: String },
}

impl Worker<'_> {
    async fn work(self, mut queue: QueueReceiver) {
        let client = match reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.config.timeout)
            .build()
        {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "spanledger.export.client.failed");
                return;
            }
        };
        let encoder = RequestEncoder::new(&self.config.resource, env!("CARGO_PKG_VERSION"));
        let batch_max = self.config.batch_max.max(1);
        let mut batch = Vec::new();
        while let Some(first) = queue.channel.recv().await {
            // Records that arrive while the worker sleeps do not wake it.
            tokio::time::sleep(self.config.linger).await;
            let mut next = Some(first);
            while let Some(Queued { value, bytes }) = next {
                let encoded = encoder.record(&value.into_record());
                queue.room.resize(bytes, encoded.len());
                batch.push(encoded);
                next = queue.channel.try_recv().ok();
                if batch.len() >= batch_max || next.is_none() {
                    self.deliver(&client, &encoder, &queue.room, std::mem::take(&mut batch)).await;
                }
            }
        }
    }

    /// Sends a batch until the receiver has acknowledged or finally refused each of its records.
    async fn deliver(
        &self,
        client: &reqwest::Client,
        encoder: &RequestEncoder,
        room: &Room,
        batch: Vec<Vec<u8>>,
    ) {
        let mut pending = vec![batch];
        while let Some(mut batch) = pending.pop() {
            let message = encoder.request(batch.iter().map(Vec::as_slice));
            match self.post_until_settled(client, message).await {
                PostOutcome::Acknowledged => {
                    self.progress.set_error(None);
                    self.settle(&self.progress.acknowledged, batch.len());
                }
                PostOutcome::TooLarge if batch.len() > 1 => {
                    let rest = batch.split_off(batch.len() / 2);
                    pending.push(rest);
                    pending.push(batch);
                    continue;
                }
                PostOutcome::TooLarge => {
                    self.lose("one record is larger than the receiver accepts", batch.len());
                }
                PostOutcome::Refused { reason } | PostOutcome::TryAgain { reason, .. } => {
                    self.lose(&reason, batch.len());
                }
            }
            batch.iter().for_each(|record| room.give_back(record.len()));
        }
    }

    async fn post_until_settled(&self, client: &reqwest::Client, message: Vec<u8>) -> PostOutcome {
        let message = Bytes::from(message);
        let mut backoff = self.config.backoff;
        loop {
            match self.post(client, message.clone()).await {
                PostOutcome::TryAgain { after, reason } => {
                    if backoff == self.config.backoff {
                        tracing::warn!(%reason, url = self.config.url, "spanledger.export.retry");
                    }
                    self.progress.set_error(Some(reason));
                    tokio::time::sleep(after.unwrap_or_default().max(backoff)).await;
                    backoff = (backoff * 2).min(self.config.backoff_max);
                }
                outcome => return outcome,
            }
        }
    }

    async fn post(&self, client: &reqwest::Client, message: Bytes) -> PostOutcome {
        let url = self.config.url.as_deref().unwrap_or_default();
        let mut request =
            client.post(url).header(header::CONTENT_TYPE, "application/x-protobuf").body(message);
        for (name, value) in &self.config.headers {
            request = request.header(name, value);
        }
        let response = match request.send().await {
            Ok(response) => response,
            // An invalid URL will not become valid on retry.
            Err(error) if error.is_builder() => {
                return PostOutcome::Refused { reason: ErrorChain(&error).to_string() };
            }
            Err(error) => {
                let reason = ErrorChain(&error.without_url()).to_string();
                return PostOutcome::TryAgain { after: None, reason };
            }
        };
        let status = response.status();
        let after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        match status {
            status if status.is_success() => PostOutcome::Acknowledged,
            StatusCode::PAYLOAD_TOO_LARGE => PostOutcome::TooLarge,
            // Only these statuses are final, because the same bytes would fail again. Every other status may
            // be temporary: an expired token, an ingress that is not ready, a fault of the receiver. A retry is
            // safe, because the receiver counts a repeated record once.
            StatusCode::BAD_REQUEST
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY => {
                PostOutcome::Refused { reason: format!("the receiver answered {status}") }
            }
            status => PostOutcome::TryAgain { after, reason: format!("the receiver answered {status}") },
        }
    }

    fn lose(&self, reason: &str, count: usize) {
        tracing::error!(reason, count, "spanledger.export.refused");
        self.progress.set_error(Some(reason.to_owned()));
        self.settle(&self.progress.refused, count);
    }

    fn settle(&self, counter: &std::sync::atomic::AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::AcqRel);
        self.settled.send_replace(self.progress.settled());
    }
}
