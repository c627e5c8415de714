//! `spanledger ledger`, while `serve` runs and without it.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::support::{Serve, post_call, run, stderr, stdout};

/// Runs `spanledger ledger` and returns its standard output. Fails if the command does.
fn ledger(arguments: &[&str], path: &Path) -> String {
    let output = run(&[&["ledger"], arguments, &["--ledger", path.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

fn info(path: &Path) -> Value {
    serde_json::from_str(&ledger(&["info", "--format", "json"], path)).unwrap()
}

/// Guarantees: what a running `serve` has recorded is shown, checked and copied by other processes, and the copy
/// is a ledger that `serve` takes.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_shown_checked_and_copied_while_serve_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let copy = folder.path().join("copy.db");
    let serve = Serve::start(&path, &["--sink", "stdout"]);
    let (client, url) = (reqwest::Client::new(), serve.http_url());
    for number in 0..5 {
        let model = if number == 0 { "nobody-knows" } else { "gpt-5.5" };
        assert_eq!(post_call(&client, &url, model, number, 1_000).await.unwrap(), 200);
    }
    let shown = info(&path);
    for (key, value) in
        [("events", 5), ("observations", 5), ("quarantined", 0), ("void", 0), ("repricings", 0)]
    {
        assert_eq!(shown[key], value, "{key}: {shown:#}");
    }
    assert_eq!(shown["unpriced_reasons"][0]["reason"], "unknown_model", "{shown:#}");
    // A new ledger may still be in its log.
    let bytes = ["database_bytes", "wal_bytes"].map(|key| shown[key].as_u64().unwrap());
    assert!(bytes[0] + bytes[1] > 0 && shown["id"].is_string(), "{shown:#}");
    assert_eq!(shown["first_event"], "2026-11-21T10:00:00Z", "{shown:#}");
    assert!(shown["last_event"].is_string(), "{shown:#}");
    let text = ledger(&["info"], &path);
    assert!(
        text.contains("events        5, 0 of them quarantined") && text.contains("unknown_model"),
        "{text}"
    );
    let checked = ledger(&["check"], &path);
    assert_eq!(checked.lines().filter(|line| line.starts_with("ok")).count(), 3, "{checked}");

    ledger(&["backup", copy.to_str().unwrap()], &path);
    let again = run(&["ledger", "backup", copy.to_str().unwrap(), "--ledger", path.to_str().unwrap()]);
    assert!(!again.status.success() && stderr(&again).contains("replaces nothing"), "{}", stderr(&again));
    assert_eq!(post_call(&client, &url, "gpt-5.5", 5, 1_000).await.unwrap(), 200);
    let delivered = tokio::task::spawn_blocking(move || serve.stop()).await.unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event_id"].to_string();
    // A sink may receive an event more than once.
    let lines = delivered.lines().filter(|line| !line.is_empty());
    assert_eq!(lines.map(id).collect::<BTreeSet<_>>().len(), 6, "{delivered}");
    let (after, copied) = (info(&path), info(&copy));
    let follower = &after["followers"][0];
    assert_eq!((&follower["name"], &follower["behind"]), (&"stdout".into(), &0.into()), "{after:#}");
    assert_eq!((&after["events"], &copied["events"]), (&6.into(), &5.into()));
    assert_eq!(after["id"], copied["id"]);

    let restored = Serve::start(&copy, &[]);
    let url = restored.http_url();
    assert_eq!(post_call(&client, &url, "gpt-5.5", 4, 1_000).await.unwrap(), 200);
    assert_eq!(restored.events().len(), 5, "the copy knows the call");
}

/// Guarantees: damage and sums that differ from the events are said in sentences, with the exit code 1.
#[test]
fn a_check_says_what_is_wrong_with_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.db");
    let demo = run(&["demo", "--ledger", path.to_str().unwrap()]);
    assert!(demo.status.success(), "{}", stderr(&demo));
    ledger(&["check"], &path);
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "UPDATE rollup_day SET requests = requests + 7;
             UPDATE event SET state = 77 WHERE seq = (SELECT min(seq) FROM event)",
        )
        .unwrap();
    let output = run(&["ledger", "check", "--ledger", path.to_str().unwrap()]);
    let text = stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in [
        "FAILED events the event of change",
        "FAILED sums the sums by customer",
        "differ from those of the events",
        "ok pages",
        "restore the ledger from a backup",
    ] {
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
}

/// A price file with a model that the built-in book does not know.
const OWN: &str = r#"
[provider]
name = "openai"
[sources]
contract = "enterprise agreement of 2026"
[[model]]
name = "our-model"
[[price]]
model = "our-model"
from = 2026-01-01
sources = ["contract"]
prices_checked = 2026-01-05
standard = { input_per_1m = "INPUT", output_per_1m = "20" }
"#;

/// Scenario: calls arrive before their prices are known. Guarantees: a preview changes nothing and says what would
/// change; the change is made by the `serve` that has the ledger, and without `serve` by the command itself.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_priced_again_while_serve_runs_and_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, prices) = (folder.path().join("spanledger.db"), folder.path().join("prices.toml"));
    std::fs::write(&prices, OWN.replace("INPUT", "7")).unwrap();
    let serve = Serve::start(&path, &[]);
    let admin = serve.admin.to_string();
    let (client, url) = (reqwest::Client::new(), serve.http_url());
    for (number, model) in [(0, "our-model"), (1, "our-model"), (2, "gpt-5.5")] {
        assert_eq!(post_call(&client, &url, model, number, 1_000).await.unwrap(), 200);
    }
    let reprice = |more: &[&str]| {
        let given = ["reprice", "--format", "json", "--ledger", path.to_str().unwrap(), "--prices"];
        let output = run(&[&given[..], &[prices.to_str().unwrap()], more].concat());
        (output.status.success(), stdout(&output), stderr(&output))
    };
    let costs = || {
        let text =
            stdout(&run(&["tail", "--no-follow", "--format", "json", "--ledger", path.to_str().unwrap()]));
        let event = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        let mut costs: Vec<String> = text.lines().map(|line| event(line)["cost_usd"].to_string()).collect();
        costs.sort();
        costs
    };
    let (is_ok, text, said) = reprice(&[]);
    assert!(is_ok && said.contains("nothing was changed"), "{said}");
    let preview: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&preview["events"], preview["models"].as_array().unwrap().len()), (&2.into(), 1), "{text}");
    assert_eq!(preview["models"][0]["model"], "our-model");
    assert_eq!(preview["models"][0]["unpriced_after"], 0, "{text}");
    assert!(text.contains("\"billed_usd_after\": 0.014"), "{text}");
    assert_eq!(costs(), ["0.005", "null", "null"]);
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("reprice")), "{names:?}");

    let (is_ok, _, said) = reprice(&["--apply", "--admin-addr", "127.0.0.1:9"]);
    assert!(!is_ok && said.contains("127.0.0.1:9") && said.contains("--admin-addr"), "{said}");
    let (is_ok, text, said) = reprice(&["--apply", "--unpriced-only", "--admin-addr", &admin]);
    assert!(is_ok, "{said}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["events"], 2, "{text}");
    assert_eq!(costs(), ["0.005", "0.007", "0.007"]);
    tokio::task::spawn_blocking(move || serve.stop()).await.unwrap();

    std::fs::write(&prices, OWN.replace("INPUT", "9")).unwrap();
    let (is_ok, text, said) = reprice(&["--apply"]);
    assert!(is_ok && text.contains("\"events\": 2"), "{text}{said}");
    assert_eq!(costs(), ["0.005", "0.009", "0.009"]);
    assert_eq!(info(&path)["repricings"], 2);
    ledger(&["check"], &path);
}
