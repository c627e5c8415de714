//! `spanledger ledger prune`, `forget`, `compact`, `refold` and `restore`, and `serve --keep-days`: while `serve`
//! runs and without it.

use std::{
    path::Path,
    process::Output,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use spanledger_testkit::otlp::{self, SpanBuilder};

use crate::support::{Serve, TIMEOUT, run, stderr, stdout};

/// In the year 2020, in nanoseconds.
const OLD: u64 = 1_600_000_000_000_000_000;

/// Sends a call that began at this moment.
async fn post(serve: &Serve, number: u64, start: u64) {
    let call = SpanBuilder::chat("gpt-5.5")
        .number(number)
        .attributed()
        .response_id(format!("chatcmpl-{number}"))
        .tokens(1_000, 0)
        .start(start);
    let url = format!("{}/v1/traces", serve.http_url());
    let body = otlp::protobuf(&otlp::traces([call.build()]));
    let request = reqwest::Client::new().post(url).header("content-type", otlp::PROTOBUF).body(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

fn command(arguments: &[&str], path: &Path) -> Output {
    run(&[&["ledger"], arguments, &["--ledger", path.to_str().unwrap()]].concat())
}

/// Runs a command of `spanledger ledger` that succeeds, and returns its standard output.
fn done(arguments: &[&str], path: &Path) -> String {
    let output = command(arguments, path);
    assert!(output.status.success(), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// Runs a command of `spanledger ledger` that fails, and returns what it says.
fn refused(arguments: &[&str], path: &Path) -> String {
    let output = command(arguments, path);
    assert!(!output.status.success(), "{arguments:?}: {}", stdout(&output));
    stderr(&output).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn requests(path: &Path) -> Value {
    let report = run(&["report", "--format", "json", "--ledger", path.to_str().unwrap()]);
    json(&stdout(&report))["total"]["requests"].clone()
}

async fn stop(serve: Serve) {
    tokio::task::spawn_blocking(move || serve.stop()).await.unwrap();
}

/// Scenario: a sink is removed from the configuration, and old events are to be deleted. Guarantees: the sink
/// is named, its events stay until it is forgotten, late deliveries change nothing, the sums stay, and the file
/// becomes smaller; all of it by the `serve` that has the ledger.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_events_are_deleted_behind_the_sinks_while_serve_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let serve = Serve::start(&path, &["--sink", "stdout"]);
    let admin = serve.admin.to_string();
    for number in 0..3 {
        post(&serve, number, OLD).await;
    }
    let refusal = refused(&["forget", "stdout", "--apply", "--admin-addr", &admin], &path);
    assert!(refusal.contains("remove it from the configuration"), "{refusal}");
    stop(serve).await;

    let serve = Serve::start(&path, &[]);
    let admin = serve.admin.to_string();
    let admin = ["--admin-addr", &admin];
    for number in 3..5 {
        post(&serve, number, OLD).await;
    }
    post(&serve, 5, now()).await;
    let preview = json(&done(&["prune", "--keep-days", "90", "--format", "json"], &path));
    assert_eq!((&preview["old_events"], &preview["prunable_events"]), (&5.into(), &3.into()), "{preview:#}");
    assert_eq!(preview["held_by"]["stdout"], 2, "{preview:#}");
    let text = done(&["prune", "--before", "2021-01"], &path);
    assert!(text.contains("3 events would be deleted") && text.contains("the sink stdout"), "{text}");
    assert_eq!(serve.events().len(), 6);

    let prune = [&["prune", "--keep-days", "90", "--apply"], &admin[..]].concat();
    let text = done(&prune, &path);
    assert!(text.contains("3 events deleted") && text.contains("received them: stdout"), "{text}");
    let text = done(&["forget", "stdout"], &path);
    assert!(text.contains("3 changes still to receive"), "{text}");
    assert!(refused(&["forget", "nobody"], &path).contains("it knows stdout"));
    done(&[&["forget", "stdout", "--apply"], &admin[..]].concat(), &path);
    assert_eq!(done(&prune, &path), "2 events deleted, with 2 observations\n");

    post(&serve, 0, OLD).await;
    assert_eq!(serve.events().len(), 1, "a late delivery changes nothing");
    assert_eq!(requests(&path), 6);
    let compacted = json(&done(&[&["compact", "--format", "json"], &admin[..]].concat(), &path));
    assert!(compacted["bytes_after"].as_u64() <= compacted["bytes_before"].as_u64(), "{compacted}");
    done(&["check"], &path);
    stop(serve).await;
    done(&["check"], &path);
    assert_eq!(json(&done(&["info", "--format", "json"], &path))["free_bytes"], 0);
}

/// Guarantees: `serve --keep-days` deletes old events and keeps the others, and says so in its metrics.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_deletes_events_that_are_older_than_the_days_to_keep() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let serve = Serve::start(&path, &[]);
    for (number, start) in [(0, OLD), (1, now()), (2, OLD)] {
        post(&serve, number, start).await;
    }
    stop(serve).await;
    let serve = Serve::start(&path, &["--keep-days", "30"]);
    serve.wait_for_stderr("older than 30 days are deleted");
    serve.wait_for_stderr("receiver.retention.pruned");
    assert_eq!(serve.events().len(), 1);
    assert_eq!(requests(&path), 3);
    let until = Instant::now() + TIMEOUT;
    let metrics = loop {
        let url = format!("http://{}/metrics", serve.admin);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        if text.contains("spanledger_retention_events_pruned_total 2") || Instant::now() > until {
            break text;
        }
    };
    for line in ["spanledger_retention_events_pruned_total 2", "spanledger_retention_overdue_seconds 0"] {
        assert!(metrics.lines().any(|other| other == line), "`{line}` is not in\n{metrics}");
    }
}

/// Scenario: rows of events are damaged by hand. Guarantees: they are made again from their observations, by
/// `serve` if it has the ledger, and by the command otherwise.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_made_again_from_their_observations_while_serve_runs_and_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let serve = Serve::start(&path, &[]);
    let admin = serve.admin.to_string();
    for number in 0..4 {
        post(&serve, number, OLD).await;
    }
    let before = serve.events();
    let damage = |sql: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    damage(
        "UPDATE event SET reasoning_effort = 'hasty' WHERE seq = 1; UPDATE event SET state = 77 WHERE seq = 2",
    );
    assert!(!command(&["check"], &path).status.success());
    let text = done(&["refold", "--admin-addr", &admin], &path);
    assert_eq!(text, "4 observations folded, 2 events corrected\n");
    done(&["check"], &path);
    let same = |events: Vec<spanledger_event::CostEvent>| {
        let mut events: Vec<_> =
            events.into_iter().map(|event| spanledger_event::CostEvent { revision: 0, ..event }).collect();
        events.sort_by(|a, b| a.event_id.cmp(&b.event_id));
        events
    };
    assert_eq!(same(serve.events()), same(before.clone()));
    stop(serve).await;

    damage("UPDATE event SET reasoning_effort = 'hasty' WHERE seq = 3");
    let refolded = json(&done(&["refold", "--format", "json"], &path));
    assert_eq!((&refolded["observations"], &refolded["corrected"]), (&4.into(), &1.into()));
    assert_eq!(done(&["refold"], &path), "4 observations folded, 0 events corrected\n");
    assert_eq!(same(spanledger_testkit::world::events_of(&path)), same(before));
    damage("UPDATE observation SET facts = x'00' WHERE seq = 1");
    assert!(refused(&["refold"], &path).contains("1 observation cannot be read"));
}

/// Guarantees: a copy takes the place of a ledger whose `serve` was killed, without the log that it left, and only
/// while no `serve` runs.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_restored_after_serve_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("spanledger.db"), folder.path().join("copy.db"));
    let (copy, log) = (copy.to_str().unwrap(), folder.path().join("spanledger.db-wal"));
    let serve = Serve::start(&path, &[]);
    post(&serve, 0, OLD).await;
    done(&["backup", copy], &path);
    post(&serve, 1, OLD).await;
    assert!(refused(&["restore", copy], &path).contains("in use by another process"));
    serve.kill();
    assert!(log.exists());
    done(&["restore", copy], &path);
    assert!(!log.exists());
    assert_eq!(json(&done(&["info", "--format", "json"], &path))["events"], 1);
    let replaced = folder.path().join("spanledger.db.replaced");
    assert_eq!(json(&done(&["info", "--format", "json"], &replaced))["events"], 2);
    assert!(refused(&["restore", "missing.db"], &path).contains("there is no copy at missing.db"));
    let serve = Serve::start(&path, &[]);
    post(&serve, 1, OLD).await;
    assert_eq!(serve.events().len(), 2);
}

/// Guarantees: arguments without sense, and files that are no present ledgers, are refused with what to do, and
/// nothing is changed.
#[test]
fn upkeep_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let missing = refused(&["prune", "--keep-days", "5"], &path);
    assert!(missing.contains("there is no ledger") && !path.exists(), "{missing}");
    let demo = run(&["demo", "--ledger", path.to_str().unwrap()]);
    assert!(demo.status.success(), "{}", stderr(&demo));
    for (arguments, words) in [
        (&["prune"][..], "--keep-days <DAYS>|--before <TIME>"),
        (&["prune", "--keep-days", "5", "--before", "2020"], "cannot be used with"),
        (&["prune", "--keep-days", "0"], "zero"),
        (&["prune", "--keep-days=-5"], "invalid"),
        (&["prune", "--before", "2100-01-01", "--apply"], "in the future"),
        (&["prune", "--before", "5m", "--apply"], "less than an hour ago"),
        (&["prune", "--before", "soon", "--apply"], "this is not a moment"),
        (&["forget", "stdout", "--apply"], "it knows no sink"),
    ] {
        let said = refused(arguments, &path);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let text = done(&["prune", "--keep-days", "4294967295"], &path);
    assert!(text.starts_with("0 events began before 1677-"), "{text}");
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let before = std::fs::read(&foreign).unwrap();
    for task in [&["refold"][..], &["compact"], &["prune", "--keep-days", "5", "--apply"]] {
        assert!(refused(task, &foreign).contains("another program's database"));
    }
    assert_eq!(std::fs::read(&foreign).unwrap(), before);
}
