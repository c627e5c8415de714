//! The operator's port.

use rusqlite::Connection;
use spanledger_event::limits;
use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_receiver::{Pipeline, RunningServer, Server};
use spanledger_testkit::otlp::{PROTOBUF, SpanBuilder, protobuf, traces};

use crate::support::{Call, Http1, TRACES, head, post, soon};

/// A receiver with an operator's port.
struct Observed {
    folder: tempfile::TempDir,
    ledger: Ledger,
    running: RunningServer,
}

impl Observed {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
        let pipeline = Pipeline::new(ledger.clone(), PriceBook::builtin(), ObservationReader::default());
        let any = "127.0.0.1:0".parse().unwrap();
        let running = Server::builder().admin(Some(any)).bind().await.unwrap().spawn(pipeline);
        let this = Self { folder, ledger, running };
        while this.get("/readyz").await.0 != 200 {
            tokio::task::yield_now().await;
        }
        this
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.running.addresses().admin.unwrap());
        let answer = soon(reqwest::get(url)).await.unwrap();
        (answer.status().as_u16(), soon(answer.text()).await.unwrap())
    }

    /// Sends a call, and returns the status of the answer.
    async fn record(&self, call: &Call) -> u16 {
        let headers = [("content-type", PROTOBUF)];
        post(self.running.addresses().http, TRACES, &headers, call.protobuf()).await.status
    }

    async fn expect_not_ready(&self, words: &str) {
        let (status, text) = self.get("/readyz").await;
        assert_eq!(status, 503, "{text}");
        assert!(text.starts_with("not ready: ") && text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn refused_observations_are_counted_by_reason() {
    let observed = Observed::start().await;
    let refused = "spanledger_observations_refused_total{reason=\"sightings_of_call\"}";
    let (_, metrics) = observed.get("/metrics").await;
    assert!(metrics.contains(&format!("{refused} 0")), "a reason that did not occur is shown: {metrics}");
    let sighting = SpanBuilder::chat("gpt-5.5");
    let sightings = (0..=i64::try_from(limits::CALL_LIMIT).unwrap())
        .map(|tokens| sighting.clone().tokens(1_000, tokens).build());
    let headers = [("content-type", PROTOBUF)];
    let body = protobuf(&traces(sightings));
    assert_eq!(post(observed.running.addresses().http, TRACES, &headers, body).await.status, 200);
    let (_, metrics) = observed.get("/metrics").await;
    assert!(metrics.contains(&format!("{refused} 1")), "{metrics}");
    assert!(
        metrics.contains("spanledger_requests_refused_total 0"),
        "the request was not refused: {metrics}"
    );
}

/// Guarantees: `/readyz` is 200 while requests are accepted, and 503 while a stopping server answers its last
/// requests. `/healthz` is 200 as long as the process answers.
#[tokio::test]
async fn ready_means_that_requests_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
    let pipeline = Pipeline::new(ledger, PriceBook::builtin(), ObservationReader::default());
    assert!(!pipeline.is_ready(), "nothing serves it");
    let any = "127.0.0.1:0".parse().unwrap();
    let running = Server::builder().admin(Some(any)).bind().await.unwrap().spawn(pipeline.clone());
    let addresses = running.addresses();
    let base = format!("http://{}", addresses.admin.unwrap());
    let status =
        async |path: &str| soon(reqwest::get(format!("{base}{path}"))).await.unwrap().status().as_u16();
    while status("/readyz").await != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status("/healthz").await, 200);

    let mut unfinished = Http1::connect(addresses.http).await;
    unfinished.send(head("Content-Length: 1\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(unfinished.answer().await.unwrap().status, 100, "the request was begun");
    let stopping = tokio::spawn(running.stop());
    while status("/readyz").await != 503 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status("/healthz").await, 200);
    drop(unfinished);
    soon(stopping).await.unwrap().unwrap();
    assert!(!pipeline.is_ready());
}

/// Scenario: another program locks the file for longer than a commit waits, and then releases it.
/// Guarantees: requests are answered retryably meanwhile, `/readyz` says what to do, and is 200 again without
/// any request.
#[tokio::test]
async fn a_locked_ledger_is_not_ready_until_it_is_released() {
    let receiver = Observed::start().await;
    let other = Connection::open(receiver.ledger.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let call = Call::new();
    assert_eq!(receiver.record(&call).await, 503);
    receiver.expect_not_ready("another program has locked the ledger").await;
    assert_eq!(receiver.get("/healthz").await.0, 200, "a restart would not help");
    other.execute_batch("ROLLBACK").unwrap();
    while receiver.get("/readyz").await.0 != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.record(&call).await, 200);
}

/// Guarantees: a deleted file is noticed by `/readyz` before anything is sent, and nothing is acknowledged
/// that would be written to it.
#[cfg(unix)]
#[tokio::test]
async fn a_deleted_ledger_is_not_ready() {
    let receiver = Observed::start().await;
    assert_eq!(receiver.record(&Call::new()).await, 200);
    let (path, away) = (receiver.ledger.path(), receiver.folder.path().join("away"));
    std::fs::rename(path, &away).unwrap();
    receiver.expect_not_ready("ledger.db was deleted or renamed").await;
    let call = Call::new();
    assert_eq!(receiver.record(&call).await, 503);
    std::fs::write(path, "a file that took the place").unwrap();
    receiver.expect_not_ready("ledger.db was replaced by another file").await;
    std::fs::rename(&away, path).unwrap();
    assert_eq!(receiver.get("/readyz").await.0, 200);
    assert_eq!(receiver.record(&call).await, 200);
}

/// Guarantees: a writer that panicked makes `/healthz` fail, so that a supervisor restarts the process. Requests
/// are answered retryably.
#[tokio::test]
async fn a_receiver_whose_writer_panicked_is_not_healthy() {
    let receiver = Observed::start().await;
    receiver.ledger.panic_writer().await;
    while receiver.get("/healthz").await.0 == 200 {
        tokio::task::yield_now().await;
    }
    let (status, text) = receiver.get("/healthz").await;
    assert!(status == 503 && text.contains("restart spanledger"), "{text}");
    receiver.expect_not_ready("restart spanledger").await;
    assert_eq!(receiver.record(&Call::new()).await, 503);
}

/// Guarantees: the metrics of the ledger show commits, their time, errors by kind, the queue and the sizes of the
/// files.
#[tokio::test]
async fn the_metrics_show_the_ledger() {
    let receiver = Observed::start().await;
    assert_eq!(receiver.record(&Call::new()).await, 200);
    std::fs::rename(receiver.ledger.path(), receiver.folder.path().join("away")).unwrap();
    assert_eq!(receiver.record(&Call::new()).await, 503);
    let text = receiver.get("/metrics").await.1;
    for line in [
        "spanledger_ledger_commits_total 1",
        "spanledger_ledger_commit_duration_seconds_count 1",
        "spanledger_ledger_commit_duration_seconds_bucket{le=\"+Inf\"} 1",
        "spanledger_ledger_errors_total{kind=\"replaced\"} 1",
        "spanledger_ledger_errors_total{kind=\"disk_full\"} 0",
        "spanledger_ledger_writable 0",
        "spanledger_ledger_queue_length 0",
    ] {
        assert!(text.lines().any(|other| other == line), "`{line}` is not in:\n{text}");
    }
    for name in [
        "ledger_database_bytes",
        "ledger_wal_bytes",
        "ledger_last_commit_timestamp_seconds",
        "ledger_key_memory_bytes",
    ] {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("spanledger_{name} ")));
        assert!(line.unwrap().parse::<u64>().unwrap() > 0, "{name}");
    }
}

/// Guarantees: what a web page could make a browser send is refused: another content type than JSON, and a host
/// name that was made to point to this machine. A request for another ledger is refused too.
#[tokio::test]
async fn the_admin_api_refuses_what_a_web_page_could_send() {
    let receiver = Observed::start().await;
    let url = format!("http://{}/api/reprice", receiver.running.addresses().admin.unwrap());
    let body = serde_json::json!({ "ledger": receiver.ledger.id() }).to_string();
    let client = reqwest::Client::new();
    let post = async |headers: &[(&str, &str)], body: &str| {
        let mut request = client.post(&url).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = soon(request.send()).await.unwrap();
        (answer.status().as_u16(), soon(answer.text()).await.unwrap())
    };
    let json = ("content-type", "application/json");
    for (headers, body, status, words) in [
        (&[("content-type", "text/plain")][..], &body[..], 415, "application/json"),
        (&[], &body, 415, "application/json"),
        (&[json, ("host", "evil.example:4319")], &body, 403, "`evil.example:4319` is neither"),
        (&[json, ("host", "127.0.0.1.evil.example")], &body, 403, "neither"),
        (&[json], "{\"ledger\":\"another\"}", 409, "another ledger"),
        (&[json], "{\"colour\":1}", 400, "colour"),
        (&[json], "{\"ledger\":\"x\",\"since\":\"soon\"}", 409, "another ledger"),
        (&[json], &body, 200, "\"events\":0"),
        (
            &[("content-type", "application/json; charset=utf-8"), ("host", "localhost:1")],
            &body,
            200,
            "epoch",
        ),
        (&[json, ("host", "[::1]:4319")], &body, 200, "epoch"),
    ] {
        let (found, text) = post(headers, body).await;
        assert!(found == status && text.contains(words), "{headers:?}: {found} {text}");
    }
    for task in ["reprice", "refold", "prune", "compact", "forget"] {
        let url = format!("http://{}/api/{task}", receiver.running.addresses().admin.unwrap());
        let answer = soon(client.post(url).body(body.clone()).send()).await.unwrap();
        assert_eq!(answer.status(), 415, "{task}");
        assert_eq!(receiver.get(&format!("/api/{task}")).await.0, 405);
    }
    assert_eq!(receiver.get("/api/other").await.0, 404);
}
