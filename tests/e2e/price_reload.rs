//! `serve` with a user's price files: they are read at the start and again when they change, and the last
//! valid prices stay in use when a new file is broken. Also the health checks and the metrics.

use std::{fs, path::PathBuf, time::Duration};

use spanledger_event::CostEvent;

use crate::support::{Serve, TIMEOUT, post_call};

/// A process with a price file, and the number of calls that were sent to it.
struct World {
    folder: tempfile::TempDir,
    serve: Serve,
    client: reqwest::Client,
    next: u64,
}

/// A price file with a discount, a new model and a deployment.
fn prices(percent: &str, input: &str) -> String {
    format!(
        r#"
[provider]
name = "openai"
[sources]
contract = "enterprise agreement of 2026"
[[discount]]
percent = {percent}
models = ["gpt-5.5"]
sources = ["contract"]
prices_checked = 2026-01-05
[deployments]
chat-production = "gpt-5.5"
[[model]]
name = "our-model"
[[price]]
model = "our-model"
from = 2026-01-01
sources = ["contract"]
prices_checked = 2026-01-05
standard = {{ input_per_1m = "{input}", output_per_1m = "20" }}
"#
    )
}

impl World {
    fn start(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("prices.toml"), text).unwrap();
        // The configuration file names the price file, so the path is relative to the configuration file.
        let config = folder.path().join("spanledger.toml");
        fs::write(&config, "prices = ['prices.toml']\n").unwrap();
        let ledger = folder.path().join("spanledger.db");
        let serve = Serve::start(&ledger, &["--config", config.to_str().unwrap()]);
        Self { folder, serve, client: reqwest::Client::new(), next: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("prices.toml")
    }

    /// Sends a call with 1,000 input tokens and returns its number.
    async fn call(&mut self, model: &str) -> u64 {
        let number = self.next;
        self.next += 1;
        self.send(model, number).await;
        number
    }

    async fn send(&self, model: &str, number: u64) {
        let url = self.serve.http_url();
        assert_eq!(post_call(&self.client, &url, model, number, 1_000).await.unwrap(), 200);
    }

    fn event(&self, number: u64) -> CostEvent {
        let id = format!("chatcmpl-{number}");
        let mut events = self.serve.events();
        events.retain(|event| event.response_id.as_deref() == Some(&id));
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }

    /// The cost of a call and the version of its prices.
    fn priced(&self, number: u64) -> (String, String) {
        let event = self.event(number);
        (event.cost_usd.unwrap().to_string(), event.price_version.unwrap())
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("http://{}{path}", self.serve.admin)).send().await.unwrap()
    }

    /// Waits until the metrics have this line.
    async fn wait_for_metric(&self, line: &str) -> String {
        self.wait_for("/metrics", line).await
    }

    /// Waits until the answer has this line.
    async fn wait_for(&self, path: &str, line: &str) -> String {
        let asking = async {
            loop {
                let text = self.get(path).await.text().await.unwrap();
                if text.lines().any(|other| other == line) {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(TIMEOUT, asking)
            .await
            .unwrap_or_else(|_| panic!("{path} never had the line {line}"))
    }
}

/// Scenario: the price file is read, changed, broken, removed, and restored.
/// Guarantees: calls are priced with the last valid file; earlier events keep their cost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_prices_are_reloaded_without_a_restart() {
    let mut world = World::start(&prices("\"10\"", "7"));
    let announced = world.serve.wait_for_stderr(&world.path().display().to_string());
    let discounted = world.call("gpt-5.5").await;
    let deployed = world.call("chat-production").await;
    let own = world.call("our-model").await;
    // A million tokens cost 5 dollars, less 10 percent.
    let (cost, first) = world.priced(discounted);
    assert_eq!(cost, "0.0045");
    assert!(announced.contains(&first), "the version and the file are in one line: {announced}");
    assert_eq!(world.priced(deployed), ("0.0045".to_owned(), first.clone()));
    assert_eq!(world.priced(own), ("0.007".to_owned(), first.clone()));
    let text = world.get("/metrics").await.text().await.unwrap();
    assert!(text.contains(&format!("spanledger_prices_info{{version=\"{first}\"}} 1\n")), "{text}");

    fs::write(world.path(), prices("\"20\"", "8.5")).unwrap();
    let text = world.wait_for_metric("spanledger_prices_reloads_total{result=\"ok\"} 1").await;
    let (after, own_after) = (world.call("gpt-5.5").await, world.call("our-model").await);
    let (cost, second) = world.priced(after);
    assert_eq!(cost, "0.004");
    assert_ne!(first, second);
    assert_eq!(world.priced(own_after), ("0.0085".to_owned(), second.clone()));
    assert!(text.contains(&format!("version=\"{second}\"")) && !text.contains(&first), "{text}");
    world.serve.wait_for_stderr(&format!("receiver.prices.reloaded version={first} -> {second}"));
    // A call that is delivered again keeps its old cost.
    let before = world.event(own);
    world.send("our-model", own).await;
    assert_eq!(world.event(own), before);
    assert_eq!(world.priced(own), ("0.007".to_owned(), first));

    fs::write(world.path(), prices("20", "9")).unwrap();
    let text = world.wait_for_metric("spanledger_prices_reloads_total{result=\"failed\"} 1").await;
    assert!(text.contains("\nspanledger_prices_last_reload_success 0\n"), "{text}");
    assert!(text.contains(&format!("version=\"{second}\"")), "{text}");
    let place = format!("{}:7: `percent` is a bare number", world.path().display());
    let line = world.serve.wait_for_stderr(&place);
    assert!(line.contains("ERROR") && line.contains("receiver.prices.mistake"), "{line}");
    world.serve.wait_for_stderr("receiver.prices.reload.failed");
    let while_broken = world.call("our-model").await;
    assert_eq!(world.priced(while_broken), ("0.0085".to_owned(), second.clone()));

    fs::remove_file(world.path()).unwrap();
    world.wait_for_metric("spanledger_prices_reloads_total{result=\"failed\"} 2").await;
    world.serve.wait_for_stderr("prices.toml: cannot be read");
    let while_gone = world.call("our-model").await;
    assert_eq!(world.priced(while_gone), ("0.0085".to_owned(), second));

    // Some editors save a file by moving a new file over the old one.
    let other = world.folder.path().join("prices.toml.new");
    fs::write(&other, prices("\"20\"", "9")).unwrap();
    fs::rename(&other, world.path()).unwrap();
    let text = world.wait_for_metric("spanledger_prices_reloads_total{result=\"ok\"} 2").await;
    assert!(text.contains("\nspanledger_prices_last_reload_success 1\n"), "{text}");
    let mended = world.call("our-model").await;
    assert_eq!(world.priced(mended).0, "0.009");
    let mistakes = world.serve.stderr().iter().filter(|line| line.contains(&place)).count();
    assert_eq!(mistakes, 1, "a mistake is logged once");
}

/// Guarantees: SIGHUP reads the files even if they have not changed.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_reads_the_prices_at_once() {
    let world = World::start(&prices("\"10\"", "7"));
    world.serve.signal("-HUP");
    world.wait_for_metric("spanledger_prices_reloads_total{result=\"ok\"} 1").await;
}

/// Guarantees: `/healthz`, `/readyz` and `/metrics` answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_metrics_are_answered() {
    let mut world = World::start(&prices("\"10\"", "7"));
    assert_eq!(world.get("/healthz").await.text().await.unwrap(), "ok\n");
    world.wait_for("/readyz", "ready").await;
    let missing = world.get("/").await;
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await.unwrap().contains("/metrics"));
    let posted = world.client.post(format!("http://{}/metrics", world.serve.admin)).send().await.unwrap();
    assert_eq!((posted.status().as_u16(), &posted.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));

    let number = world.call("gpt-5.5").await;
    world.send("gpt-5.5", number).await;
    world.call("nobody-knows").await;
    let answer = world.get("/metrics").await;
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text().await.unwrap();
    for line in [
        "spanledger_requests_total 3",
        "spanledger_requests_refused_total 0",
        "spanledger_spans_total 3",
        "spanledger_observations_total 2",
        "spanledger_observations_duplicate_total 1",
        "spanledger_observations_unpriced_total{reason=\"unknown_model\"} 1",
        "spanledger_observations_unpriced_total{reason=\"no_usage\"} 0",
        "spanledger_prices_reloads_total{result=\"ok\"} 0",
        "spanledger_prices_reloads_total{result=\"failed\"} 0",
        "spanledger_prices_last_reload_success 1",
        "# TYPE spanledger_prices_last_success_timestamp_seconds gauge",
        "# EOF",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
    }
}
