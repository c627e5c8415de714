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
