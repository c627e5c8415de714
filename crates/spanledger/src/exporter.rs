//! Records to the receiver: bounded, retried until acknowledged, beside the service's runtime.

use std::{
    env,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use spanledger_otlp::record::LogRecord;
use tokio::sync::{mpsc, watch};

mod worker;

/// Where and how records are exported.
///
/// [`from_env`](Self::from_env) reads, the first that is set wins:
///
/// | variable | meaning |
/// |---|---|
/// | `SPANLEDGER_ENDPOINT` | base URL of the receiver, OTLP/HTTP: `http://localhost:4318` |
/// | `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT` | the same for logs alone, with its path |
/// | `OTEL_EXPORTER_OTLP_ENDPOINT` | base URL, unless `OTEL_EXPORTER_OTLP_PROTOCOL` is `grpc` |
/// | `SPANLEDGER_HEADERS` | headers, `key=value` separated by commas |
/// | `OTEL_EXPORTER_OTLP_LOGS_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` | the same, used only with an endpoint from an `OTEL_` variable |
/// | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | the service |
/// | `SPANLEDGER_EXPORT=off` | nothing is exported: spans only |
#[derive(Clone, Debug)]
pub struct ExporterConfig {
    /// The URL that records are sent to, with its path; `None` switches the export off.
    pub url: Option<String>,
    /// Headers of each request.
    pub headers: Vec<(String, String)>,
    /// Attributes of the resource, `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// Records that may wait. When more come the newest are dropped, counted and logged.
    pub queue_max: usize,
    /// Records of one request.
    pub batch_max: usize,
    /// How long a record waits for others.
    pub linger: Duration,
    /// How long a request may take.
    pub timeout: Duration,
    /// The first wait after a failure; it doubles up to `backoff_max`.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl Default for ExporterConfig {
    fn default() -> Self {
        Self {
            url: Some("http://localhost:4318/v1/logs".to_owned()),
            headers: Vec::new(),
            resource: vec![(spanledger_event::keys::SERVICE_NAME.to_owned(), "unknown_service".to_owned())],
            queue_max: 32_768,
            batch_max: 512,
            linger: Duration::from_millis(200),
            timeout: Duration::from_secs(10),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
        }
    }
}

impl ExporterConfig {
    /// To the receiver at a base URL, for example `http://localhost:4318`.
    pub fn to(endpoint: &str) -> Self {
        Self { url: Some(format!("{}/v1/logs", endpoint.trim_end_matches('/'))), ..Self::default() }
    }

    /// No export: spans only.
    pub fn off() -> Self {
        Self { url: None, ..Self::default() }
    }

    /// The name of the service, `service.name` of the resource.
    #[must_use]
    pub fn service_name(mut self, name: &str) -> Self {
        let key = spanledger_event::keys::SERVICE_NAME;
        self.resource.retain(|(existing, _)| existing != key);
        self.resource.push((key.to_owned(), name.to_owned()));
        self
    }

    /// By the environment variables of the process.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
    }

    fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Self {
        let mut config = Self::default();
        let protocol = get("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL").or_else(|| get("OTEL_EXPORTER_OTLP_PROTOCOL"));
        let is_grpc = protocol.as_deref() == Some("grpc");
        let base = |url: String| format!("{}/v1/logs", url.trim_end_matches('/'));
        let own = get("SPANLEDGER_ENDPOINT").map(base);
        let standard = get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
            .or_else(|| get("OTEL_EXPORTER_OTLP_ENDPOINT").map(base))
            .filter(|_| !is_grpc && own.is_none());
        // A vendor's key goes to that vendor's endpoint and nowhere else.
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
        let pairs = |text: String| -> Vec<(String, String)> {
            let pair =
                |part: &str| part.split_once('=').map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()));
            text.split(',').filter_map(pair).collect()
        };
        config.headers = headers.map(pairs).unwrap_or_default();
        let mut resource = get("OTEL_RESOURCE_ATTRIBUTES").map(pairs).unwrap_or_default();
        std::mem::swap(&mut config.resource, &mut resource);
        let key = spanledger_event::keys::SERVICE_NAME;
        let name = get("OTEL_SERVICE_NAME")
            .or_else(|| config.resource.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()))
            .or_else(|| {
                let exe = env::current_exe().ok()?;
                Some(format!("unknown_service:{}", exe.file_name()?.to_string_lossy()))
            });
        match name {
            Some(name) => config.service_name(&name),
            None => config,
        }
    }
}

/// What became of the records so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExporterStats {
    /// Calls that ended.
    pub recorded: u64,
    /// Records that the receiver has acknowledged.
    pub acknowledged: u64,
    /// Records lost: the queue was full, or the receiver refused them for good.
    pub lost: u64,
}

/// Records that the receiver has not acknowledged in time, or never will.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pending} records of AI calls are not acknowledged by {url} and {lost} are lost: is `spanledger serve` running there?{}", last_error.as_ref().map(|e| format!(" last error: {e}")).unwrap_or_default())]
pub struct FlushError {
    /// How many still wait; they are tried again as long as the process lives.
    pub pending: u64,
    /// How many were lost since the last flush: refused for good, or the queue was full.
    pub lost: u64,
    /// Where they should go.
    pub url: String,
    /// What the last attempt said.
    pub last_error: Option<String>,
}

/// Shared between the callers and the worker.
#[derive(Debug, Default)]
struct Progress {
    recorded: AtomicU64,
    /// Records that found a place in the queue.
    queued: AtomicU64,
    acknowledged: AtomicU64,
    /// Records that the receiver refused for good.
    lost: AtomicU64,
    /// Records that found the queue full.
    dropped: AtomicU64,
    /// What was lost when somebody last asked.
    reported: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl Progress {
    fn settled(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire) + self.lost.load(Ordering::Acquire)
    }

    fn all_lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire) + self.dropped.load(Ordering::Acquire)
    }

    fn set_error(&self, error: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// The callers' end.
#[derive(Debug)]
pub(crate) struct Exporter {
    queue: Option<mpsc::Sender<LogRecord>>,
    progress: Arc<Progress>,
    settled: watch::Receiver<u64>,
    url: String,
}

impl Exporter {
    /// Starts the worker on a thread of its own, so that it needs no runtime of the service and
    /// outlives the ones that come and go.
    pub(crate) fn start(config: ExporterConfig) -> Self {
        let progress = Arc::new(Progress::default());
        let (publish, settled) = watch::channel(0);
        let url = config.url.clone().unwrap_or_default();
        let mut queue = None;
        if config.url.is_some() {
            let (sender, receiver) = mpsc::channel(config.queue_max.max(1));
            let worker_progress = Arc::clone(&progress);
            let started = std::thread::Builder::new()
                .name("spanledger-export".to_owned())
                .spawn(move || worker::run(config, receiver, &worker_progress, &publish));
            match started {
                Ok(_) => queue = Some(sender),
                Err(error) => tracing::error!(%error, "spanledger.export.start.failed"),
            }
        }
        Self { queue, progress, settled, url }
    }

    /// Queues a record; never blocks.
    pub(crate) fn send(&self, record: LogRecord) {
        let Some(queue) = &self.queue else { return };
        self.progress.recorded.fetch_add(1, Ordering::AcqRel);
        if queue.try_send(record).is_ok() {
            self.progress.queued.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let dropped = self.progress.dropped.fetch_add(1, Ordering::AcqRel) + 1;
        // Once for each power of two: an outage must not drown the log as well.
        if dropped.is_power_of_two() {
            tracing::error!(dropped, url = self.url, "spanledger.export.queue.full");
        }
    }

    pub(crate) fn stats(&self) -> ExporterStats {
        ExporterStats {
            recorded: self.progress.recorded.load(Ordering::Acquire),
            acknowledged: self.progress.acknowledged.load(Ordering::Acquire),
            lost: self.progress.all_lost(),
        }
    }

    pub(crate) async fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let target = self.progress.queued.load(Ordering::Acquire);
        let mut settled = self.settled.clone();
        let waiting = settled.wait_for(|_| self.progress.settled() >= target);
        // Whether it was in time is seen from the counts.
        drop(tokio::time::timeout(timeout, waiting).await);
        let pending = target.saturating_sub(self.progress.settled());
        let all_lost = self.progress.all_lost();
        let lost = all_lost.saturating_sub(self.progress.reported.swap(all_lost, Ordering::AcqRel));
        if pending == 0 && lost == 0 {
            return Ok(());
        }
        let last_error = self.progress.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(FlushError { pending, lost, url: self.url.clone(), last_error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> ExporterConfig {
        ExporterConfig::from_lookup(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_first_variable_that_is_set_wins() {
        let url = |variables: &[(&str, &str)]| config(variables).url;
        assert_eq!(url(&[]).as_deref(), Some("http://localhost:4318/v1/logs"));
        let otel = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
        assert_eq!(url(&[otel]).as_deref(), Some("http://c:4318/v1/logs"));
        assert_eq!(
            url(&[otel, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).as_deref(),
            Some("http://localhost:4318/v1/logs")
        );
        let logs = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l/x");
        assert_eq!(url(&[otel, logs]).as_deref(), Some("http://l/x"));
        assert_eq!(
            url(&[otel, logs, ("SPANLEDGER_ENDPOINT", "http://s")]).as_deref(),
            Some("http://s/v1/logs")
        );
        assert_eq!(url(&[otel, ("SPANLEDGER_EXPORT", "OFF")]), None);
    }

    #[test]
    fn the_service_has_a_name() {
        let name = |variables: &[(&str, &str)]| {
            config(variables).resource.into_iter().find(|(key, _)| key == "service.name").unwrap().1
        };
        assert!(name(&[]).starts_with("unknown_service:"));
        let resource = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=api, team=growth");
        assert_eq!(name(&[resource]), "api");
        assert_eq!(name(&[resource, ("OTEL_SERVICE_NAME", "web")]), "web");
        assert!(config(&[resource]).resource.contains(&("team".to_owned(), "growth".to_owned())));
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,c = d");
        assert!(config(&[headers]).headers.is_empty(), "a vendor's key stays with the vendor");
        assert_eq!(
            config(&[headers, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")]).headers,
            [("a".into(), "b".into()), ("c".into(), "d".into())]
        );
    }

    #[tokio::test]
    async fn an_export_that_is_off_has_nothing_to_flush() {
        let exporter = Exporter::start(ExporterConfig::off());
        exporter.send(LogRecord::default());
        assert_eq!(exporter.flush(Duration::from_millis(1)).await, Ok(()));
        assert_eq!(exporter.stats(), ExporterStats::default());
    }

    #[tokio::test]
    async fn a_receiver_that_is_not_there_is_named() {
        let mut config = ExporterConfig::to("http://127.0.0.1:1");
        config.linger = Duration::ZERO;
        let exporter = Exporter::start(config);
        exporter.send(LogRecord::default());
        let error = exporter.flush(Duration::from_millis(500)).await.unwrap_err();
        assert_eq!(error.pending, 1);
        assert!(error.to_string().contains("127.0.0.1:1/v1/logs") && error.last_error.is_some(), "{error}");
    }

    #[tokio::test]
    async fn a_full_queue_loses_the_newest_and_says_so() {
        let mut config = ExporterConfig::to("http://127.0.0.1:1");
        config.queue_max = 2;
        config.batch_max = 1;
        let exporter = Exporter::start(config);
        for _ in 0..10 {
            exporter.send(LogRecord::default());
        }
        let stats = exporter.stats();
        assert_eq!(stats.recorded, 10);
        assert!((7..=8).contains(&stats.lost), "{stats:?}");
        let error = exporter.flush(Duration::from_millis(10)).await.unwrap_err();
        assert_eq!((error.lost, error.pending), (stats.lost, 10 - stats.lost));
    }
}
