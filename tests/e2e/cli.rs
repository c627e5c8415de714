//! What a person at a terminal meets.

use std::{net::TcpListener, process::Stdio};

use spanledger_event::CostEvent;

use crate::support::{Serve, run, spanledger, stderr, stdout};

/// The demo is the first thing that a newcomer runs: it ends by itself, its report adds up, and the
/// same seed tells the same story.
#[test]
fn the_demo_is_the_same_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    let demo = |name: &str, seed: &str| {
        let ledger = folder.path().join(name);
        let path = ledger.to_str().unwrap();
        let output = run(&["demo", "--seed", seed, "--ledger", path]);
        assert!(output.status.success(), "{}", stderr(&output));
        let text = stdout(&output);
        for part in [
            "Spend by feature",
            "Spend by customer",
            "support-chat",
            "acme",
            "Failed",
            "Unpriced",
            "Retried",
            path,
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        ["feature", "route", "customer", "model"].map(|by| {
            let text = stdout(&run(&["report", "--ledger", path, "--by", by, "--format", "json"]));
            let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(report["ledger"], path);
            for of_this_run in ["ledger", "first_event", "last_event"] {
                assert!(report.as_object_mut().unwrap().remove(of_this_run).is_some(), "{text}");
            }
            report
        })
    };
    let first = demo("a.db", "1");
    assert_eq!(first, demo("b.db", "1"));
    assert_ne!(first, demo("c.db", "2"));

    // All ways to cut the same spend give the same total.
    let totals: Vec<&serde_json::Value> = first.iter().map(|report| &report["total"]).collect();
    assert!(totals.iter().all(|total| *total == totals[0]), "{totals:#?}");
    assert_eq!(totals[0]["requests"], 86);

    let again = run(&["demo", "--ledger", folder.path().join("a.db").to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("exists"), "{}", stderr(&again));
}

/// Each format of a report says the same, exactly.
#[test]
fn a_report_is_a_table_json_or_csv() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("demo.db");
    let path = ledger.to_str().unwrap();
    assert!(run(&["demo", "--ledger", path]).status.success());
    let report = |arguments: &[&str]| {
        let mut all = vec!["report", "--ledger", path];
        all.extend(arguments);
        let output = run(&all);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let csv = report(&["--by", "model", "--format", "csv"]);
    let json = report(&["--by", "model", "--format", "json"]);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert!(records.len() >= 5, "{csv}");
    for record in &records {
        let (name, billed) = (&record[0], &record[10]);
        assert!(json.contains(&format!("\"name\": \"{name}\"")), "{name}");
        assert!(json.contains(&format!("\"billed_usd\": {billed}")), "{billed}");
    }
    assert!(report(&["--by", "day"]).contains("total"));
    let none = run(&["report", "--ledger", path, "--until", "2000-01-01"]);
    assert!(none.status.success() && stderr(&none).contains("no requests match"));

    let tail = stdout(&run(&["tail", "--ledger", path, "--no-follow", "-n", "5", "--format", "json"]));
    let events: Vec<CostEvent> = tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 5);
    let text = stdout(&run(&["tail", "--ledger", path, "--no-follow", "-n", "1000"]));
    assert_eq!(text.lines().count(), 86);
    assert!(text.contains("unpriced (unknown_model") && text.contains("2 attempts"), "{text}");
}

/// Bad input gets an error that says what to do, once, and the right exit code.
#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let fails = |arguments: &[&str], code: i32, words: &[&str]| {
        let output = run(arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{arguments:?}: `{word}` is not in: {text}");
        }
        assert!(output.stdout.is_empty(), "errors go to standard error");
    };
    fails(&["report", "--ledger", &at("none.db")], 1, &["none.db", "choose another file"]);
    fails(&["serve", "--ledger", &at("no/folder/x.db")], 1, &["no/folder/x.db", "writable", "No such file"]);
    fails(&["report", "--by", "colour"], 2, &["colour", "feature"]);
    fails(&["report", "--ledger", &at("x"), "--since", "tomorrow"], 1, &["--since tomorrow", "24h"]);
    let turned = ["report", "--ledger", &at("x"), "--since", "today", "--until", "yesterday"];
    fails(&turned, 1, &["--until", "is not after --since"]);

    let config = at("spanledger.toml");
    std::fs::write(&config, "[receiver]\ngrcp_addr = '127.0.0.1:1'\n").unwrap();
    fails(&["serve", "--config", &config], 1, &["spanledger.toml", "grcp_addr"]);
    fails(
        &["serve", "--ledger", &at("f.db"), "--forward-traces", "ftp://x"],
        1,
        &["ftp://x", "grpc://host:4317"],
    );

    let prices = at("prices.toml");
    std::fs::write(&prices, "[provider]\nname = 'openai'\n[[discount]]\npercent = 5\n").unwrap();
    let place = format!("{prices}:4: `percent` is a bare number");
    fails(&["serve", "--ledger", &at("q.db"), "--prices", &prices], 1, &[&place, "mistakes"]);
    fails(
        &["serve", "--ledger", &at("q.db"), "--prices", &at("none.toml")],
        1,
        &["none.toml: cannot be read"],
    );
    assert!(!folder.path().join("q.db").exists(), "nothing is made before the configuration is good");
    fails(&["serve", "--admin-addr", "on"], 2, &["`on`", "127.0.0.1:4319", "`off`"]);
    fails(&["serve", "--http-addr", "example.com:80"], 2, &["`example.com:80`", "0.0.0.0:4317"]);

    let newer = at("newer.db");
    assert!(run(&["demo", "--ledger", &newer]).status.success());
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    fails(&["serve", "--ledger", &newer], 1, &["schema version 99", "newer spanledger"]);
    fails(&["report", "--ledger", &newer], 1, &["schema version 99"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(
        &["serve", "--ledger", &at("p.db"), "--grpc-addr", &address, "--http-addr", "127.0.0.1:0"],
        1,
        &[&address, "another receiver", "--grpc-addr"],
    );
    let any = "127.0.0.1:0";
    fails(
        &["serve", "--ledger", &at("p.db"), "--grpc-addr", any, "--http-addr", any, "--admin-addr", &address],
        1,
        &[&address, "health and metrics", "another receiver", "--admin-addr off"],
    );
}

/// A ledger has one writer; readers are welcome beside it.
#[test]
fn a_second_serve_on_the_same_ledger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let serve = Serve::start(&ledger, &[]);
    let path = ledger.to_str().unwrap();
    let second =
        run(&["serve", "--ledger", path, "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("in use by another process"), "{}", stderr(&second));
    assert!(run(&["report", "--ledger", path]).status.success());
    assert_eq!(serve.stop(), "", "standard output is for events");
}

#[test]
fn check_finds_what_would_stop_serve() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let any = "127.0.0.1:0";
    let free = ["--grpc-addr", any, "--http-addr", any, "--admin-addr", any, "--ledger"];
    let check = |more: &[&str]| {
        let output = spanledger()
            .arg("check")
            .args(free)
            .arg(&ledger)
            .args(more)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code(), stdout(&output))
    };
    let (code, text) = check(&[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("will be created") && !ledger.exists(), "{text}");
    assert!(run(&["demo", "--ledger", ledger.to_str().unwrap()]).status.success());
    let (code, text) = check(&["--forward-traces", "http://localhost:4318"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("86 events") && text.contains("models"), "{text}");

    let prices = folder.path().join("prices.toml");
    let prices = prices.to_str().unwrap();
    std::fs::write(prices, "[provider]\nname = 'openai'\n[deployments]\nchat = 'gpt-5.5'\n").unwrap();
    let (code, text) = check(&["--prices", prices]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("models, with {prices}\n")), "{text}");
    std::fs::write(prices, "[provider]\nname = 'openai'\ncolour = 'red'\n[deployments]\nchat = 'gpt-0'\n")
        .unwrap();
    let (code, text) = check(&["--prices", prices]);
    assert_eq!(code, Some(1), "{text}");
    for line in [3, 5] {
        assert!(text.contains(&format!("FAILED  price book     {prices}:{line}: ")), "{text}");
    }

    let (code, text) = check(&["--forward-traces", "nonsense"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAILED  destination"), "{text}");
    std::fs::write(&ledger, "not a database at all, but long enough to look like a file").unwrap();
    let (code, text) = check(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("FAILED  ledger"), "{text}");
}
