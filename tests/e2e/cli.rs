//! The commands `demo`, `report`, `tail` and `check`, and the errors that a user at a terminal gets.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Stdio,
    time::Duration,
};

use spanledger_event::CostEvent;

use crate::support::{Serve, post_call, run, send_signal, spanledger, stderr, stdout, wait_for_end};

/// The number of calls that the demo makes. One of them repeats another call under its request id.
const DEMO_CALLS: u64 = 87;
/// The number of requests, and so of events, that the demo's calls are.
const DEMO_REQUESTS: u64 = DEMO_CALLS - 1;

/// The demo is the first command that a new user runs: it ends by itself, its report adds up, and the
/// same seed gives the same report.
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

    // Reports by different columns have the same total.
    let totals: Vec<&serde_json::Value> = first.iter().map(|report| &report["total"]).collect();
    assert!(totals.iter().all(|total| *total == totals[0]), "{totals:#?}");
    assert_eq!(totals[0]["requests"], DEMO_REQUESTS);

    let again = run(&["demo", "--ledger", folder.path().join("a.db").to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("exists"), "{}", stderr(&again));
}

/// The rows of a report. Amounts are number literals and are compared as they are written.
#[derive(serde::Deserialize)]
struct JsonReport {
    rows: Vec<BTreeMap<String, Box<serde_json::value::RawValue>>>,
}

/// Guarantees: the JSON and the CSV form of a report have the same rows with the same values.
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
    let json: JsonReport = serde_json::from_str(&report(&["--by", "model", "--format", "json"])).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(records.len(), json.rows.len(), "{csv}");
    assert!(!records.is_empty());
    for (record, row) in records.iter().zip(&json.rows) {
        assert_eq!(record.len(), row.len(), "{record:?}");
        for (column, value) in record {
            // The CSV names the column of the names after what the report is by.
            let key = if column == "model" { "name" } else { column };
            assert_eq!(value, row[key].get().trim_matches('"'), "{column} of {record:?}");
        }
    }
    assert!(report(&["--by", "day"]).contains("total"));
    let none = run(&["report", "--ledger", path, "--until", "2000-01-01"]);
    assert!(none.status.success() && stderr(&none).contains("no requests match"));

    let tail = stdout(&run(&["tail", "--ledger", path, "--no-follow", "-n", "5", "--format", "json"]));
    let events: Vec<CostEvent> = tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 5);
    let text = stdout(&run(&["tail", "--ledger", path, "--no-follow", "-n", "1000"]));
    assert_eq!(text.lines().count().to_string(), DEMO_REQUESTS.to_string());
    assert!(text.contains("unpriced (unknown_model") && text.contains("2 attempts"), "{text}");
}

/// Wrong input gets one error that says what to do, and the right exit code.
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
    fails(
        &["serve", "--ledger", &at("no/folder/x.db")],
        1,
        &["no/folder/x.db", "the folder exists", "another file with --ledger"],
    );
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
    assert!(!folder.path().join("q.db").exists(), "no file is created before the configuration is valid");
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

/// A ledger has one writer. Other processes can read it at the same time.
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
    let (code, text) = check(&[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("{DEMO_REQUESTS} events")) && text.contains("models"), "{text}");

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

/// The report says what it covers, and explains its numbers of failed, unpriced and retried requests.
#[test]
fn a_report_says_what_it_covers_and_why_requests_failed() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("demo.db");
    let path = ledger.to_str().unwrap();
    assert!(run(&["demo", "--ledger", path]).status.success());
    let text = stdout(&run(&["report", "--ledger", path, "--since", "1w", "--environment", "production"]));
    for words in [
        "Spend by feature in production\n",
        "period  from 20",
        " UTC\n",
        &format!("ledger  {path}\n"),
        "Failed      4 requests, by error\n",
        "1 × insufficient_quota\n",
        "Unpriced    3 requests, never counted as zero\n",
        "1 × unknown_model: the book has no model `gpt-7-preview` of openai\n",
        "Retried     4 requests needed more than one attempt and count once; 1 of them had a second",
    ] {
        assert!(text.contains(words), "`{words}` is not in\n{text}");
    }
    let json = stdout(&run(&["report", "--ledger", path, "--format", "json"]));
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    for kind in ["failed", "unpriced"] {
        let reasons = report["reasons"][kind].as_array().unwrap();
        let requests: i64 = reasons.iter().map(|reason| reason["requests"].as_i64().unwrap()).sum();
        assert_eq!(report["total"][kind], requests, "{json}");
    }
    assert_eq!(report["total"]["retried"], report["reasons"]["retried"]["requests"]);
    assert!(report["first_event"].as_str() < report["last_event"].as_str(), "{json}");
}

#[test]
fn an_address_can_be_a_port_alone() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("spanledger.db"), &["--http-addr", "0"]);
    assert!(serve.http.ip().is_loopback(), "{}", serve.http);
    assert_eq!(serve.stop(), "");
}

/// An error that keeps `serve` from starting is found before a file is created or changed.
#[test]
fn serve_that_cannot_start_leaves_every_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let files = || {
        let mut names: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let serve = |ledger: &str, more: &[&str]| {
        let ledger = folder.path().join(ledger);
        let any = ["--grpc-addr", "0", "--admin-addr", "off", "--ledger", ledger.to_str().unwrap()];
        let output = run(&[&["serve"], &any[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    serve("new.db", &["--http-addr", &taken.local_addr().unwrap().to_string()]);
    serve("new.db", &["--http-addr", "0", "--forward-traces", "ftp://x"]);
    assert!(files().is_empty(), "{:?}", files());

    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)").unwrap();
    drop(connection);
    std::fs::write(folder.path().join("notes.txt"), "not a database, but long enough to look like a file")
        .unwrap();
    let before = (files(), std::fs::read(&other).unwrap());
    for name in ["other.db", "notes.txt"] {
        let error = serve(name, &["--http-addr", "0"]);
        assert!(error.contains("is not a ledger but "), "{error}");
        assert!(!error.contains("code"), "the error has one of SQLite's codes: {error}");
    }
    assert_eq!((files(), std::fs::read(&other).unwrap()), before);
    assert!(serve(".", &["--http-addr", "0"]).contains("is a folder"));
}

/// Guarantees: a port that a running `serve` uses is not a failure. A port that another program uses is one,
/// and so is a destination that is down.
#[test]
fn check_tells_a_running_serve_from_other_programs_and_asks_the_destination() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let serve = Serve::start(&ledger, &[]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let [grpc, http, admin, other] =
        [serve.grpc, serve.http, serve.admin, other.local_addr().unwrap()].map(|address| address.to_string());
    let check = |ports: [&str; 3], more: &[&str]| {
        let [grpc, http, admin] = ports;
        let ports = ["check", "--grpc-addr", grpc, "--http-addr", http, "--admin-addr", admin];
        let output = run(&[&ports[..], &["--ledger", ledger.to_str().unwrap()], more].concat());
        (output.status.code(), stdout(&output))
    };
    let (code, text) = check([&grpc, &http, &admin], &[]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("is in use by a running `spanledger serve`").count(), 3, "{text}");
    let (code, text) = check([&other, &http, &admin], &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("FAILED  OTLP/gRPC      {other} is in use by another program")), "{text}");

    let any = ["0", "0", "off"];
    for destination in [format!("http://{http}"), format!("grpc://{grpc}")] {
        let (code, text) = check(any, &["--forward-traces", &destination]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(&format!("ok      destination    {destination} accepts traces")), "{text}");
    }
    serve.stop();
    for destination in [format!("http://{http}"), format!("grpc://{grpc}")] {
        let (code, text) = check(any, &["--forward-traces", &destination]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(&format!("FAILED  destination    {destination}: ")), "{text}");
        assert!(text.contains("not available") && text.contains("start it"), "{text}");
    }
    // The port of the destination is free again, so that the destination is down.
    let down = format!("http://{http}");
    let serve = Serve::start(&ledger, &["--forward-traces", &down]);
    let ports = [serve.grpc, serve.http, serve.admin].map(|address| address.to_string());
    let (code, text) = check(ports.each_ref().map(String::as_str), &["--forward-traces", &down]);
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(text.matches("is in use by a running `spanledger serve`").count(), 3, "{text}");
    assert!(text.contains(&format!("FAILED  destination    {down}: ")), "{text}");
    serve.stop();
    // The requests that `check` sends to the destination contain no call.
    assert!(stdout(&run(&["tail", "--no-follow", "--ledger", ledger.to_str().unwrap()])).is_empty());
}

#[test]
fn a_ledger_of_an_earlier_version_passes_check_and_is_brought_up_to_date_by_serve() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let earlier = include_str!("../../crates/spanledger-ledger/tests/golden/ledger.v1.sql");
    rusqlite::Connection::open(&ledger).unwrap().execute_batch(earlier).unwrap();
    let path = ledger.to_str().unwrap();
    let ports = ["--grpc-addr", "0", "--http-addr", "0", "--admin-addr", "off"];
    let check = run(&[&["check", "--ledger", path], &ports[..]].concat());
    assert_eq!(check.status.code(), Some(0), "{}", stdout(&check));
    assert!(stdout(&check).contains("`serve` will bring it up to date"), "{}", stdout(&check));
    let report = run(&["report", "--ledger", path]);
    assert_eq!(report.status.code(), Some(1), "its roll-ups lack the newest measures");
    assert!(stderr(&report).contains("start `spanledger serve`"), "{}", stderr(&report));
    Serve::start(&ledger, &[]).stop();
    assert!(run(&["report", "--ledger", path]).status.success());
}

#[test]
fn tail_says_that_a_ledger_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    Serve::start(&ledger, &[]).stop();
    let output = run(&["tail", "--no-follow", "--ledger", ledger.to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(stderr(&output).contains("has no events yet"), "{}", stderr(&output));
}

/// The pipe of a `tail` that has waited for events is not read, so that its write blocks. A signal ends
/// it all the same.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_ends_on_a_signal_although_its_standard_output_is_blocked() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let (serve, client) = (Serve::start(&ledger, &[]), reqwest::Client::new());
    let mut tails = ["-TERM", "-INT"].map(|signal| {
        let mut tail = spanledger();
        tail.args(["tail", "--format", "json", "--ledger"]).arg(&ledger).stdin(Stdio::null());
        let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(tail.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("events are shown as they arrive"), "{line}");
        (signal, tail)
    });
    // More than a pipe takes.
    for number in 0..200 {
        assert_eq!(post_call(&client, &serve.http_url(), "gpt-5.5", number, 5).await.unwrap(), 200);
    }
    // Each `tail` reads the ledger several times in this period.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (signal, tail) in &mut tails {
        send_signal(tail, signal);
        let status = wait_for_end(tail);
        assert!(status.success(), "{signal}: {status}");
    }

    let mut incomplete = spanledger();
    incomplete.args(["tail", "--no-follow", "--format", "json", "-n", "200", "--ledger"]).arg(&ledger);
    let mut incomplete = incomplete.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    // The first byte says that it is printing.
    incomplete.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    send_signal(&incomplete, "-TERM");
    assert!(!wait_for_end(&mut incomplete).success(), "it did not print all events");
    serve.stop();
}

/// Whoever reads the messages may go away, as a supervisor's log process does. `serve` goes on, and when
/// it ends, it delivers its events.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_works_and_ends_in_order_after_standard_error_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = spanledger()
        .args(["serve", "--grpc-addr", "0", "--http-addr", "0", "--admin-addr", "off", "--sink", "stdout"])
        .arg("--ledger")
        .arg(folder.path().join("spanledger.db"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut messages = BufReader::new(serve.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = messages
        .find_map(|line| line.strip_prefix("OTLP/HTTP on ").map(|address| format!("http://{address}")))
        .unwrap();
    // The last line of the start.
    assert!(messages.any(|line| line.starts_with("events ")));
    drop(messages);

    let client = reqwest::Client::new();
    // `serve` logs that it refuses a request.
    let refused = client.post(format!("{url}/v1/traces")).header("content-type", "application/x-protobuf");
    assert_eq!(refused.body("no protobuf").send().await.unwrap().status(), 400);
    for number in 0..10 {
        assert_eq!(post_call(&client, &url, "gpt-5.5", number, 5).await.unwrap(), 200);
    }
    send_signal(&serve, "-TERM");
    let status = wait_for_end(&mut serve);
    assert!(status.success(), "{status}");
    let mut events = String::new();
    serve.stdout.take().unwrap().read_to_string(&mut events).unwrap();
    assert_eq!(events.lines().filter(|line| !line.is_empty()).count(), 10, "{events}");
}

/// Sends a JSON body and reads the whole answer.
fn post(address: &str, path: &str, body: &serde_json::Value) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer any-key\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Text from a sender cannot control a terminal and cannot become a formula in a spreadsheet.
#[test]
fn text_from_senders_is_harmless_in_every_output() {
    const FEATURE: &str = "=HYPERLINK(\"http://x\")";
    const MODEL: &str = "acme\u{1b}[2J\u{7}\u{9b}31m\u{202e}";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let serve = Serve::start(&path, &[]);
    let attributes = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", MODEL),
        ("error.type", MODEL),
        ("spanledger.feature", FEATURE),
    ]
    .map(|(key, value)| serde_json::json!({"key": key, "value": {"stringValue": value}}));
    let span = serde_json::json!({
        "traceId": "0123456789abcdef0123456789abcdef", "spanId": "0123456789abcdef", "name": "chat", "kind": 3,
        "startTimeUnixNano": "1793491200000000000", "endTimeUnixNano": "1793491201000000000",
        "status": {"code": 2}, "attributes": attributes,
    });
    let message = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    let answer = post(&serve.http.to_string(), "/v1/traces", &message);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    serve.stop();
    let path = path.to_str().unwrap();
    let is_harmless = |text: &str| !text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}');
    for by in ["feature", "model"] {
        for format in ["table", "csv", "json"] {
            let text = stdout(&run(&["report", "--ledger", path, "--by", by, "--format", format]));
            assert!(is_harmless(&text), "{by} {format}: {text:?}");
            if (by, format) == ("feature", "csv") {
                assert!(text.contains("\"'=HYPERLINK("), "{text}");
            }
            if (by, format) == ("model", "json") {
                let report: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(report["rows"][0]["name"], MODEL, "JSON escapes the name and keeps all of it");
            }
        }
    }
    for format in ["text", "json"] {
        let text = stdout(&run(&["tail", "--ledger", path, "--no-follow", "--format", format]));
        assert!(is_harmless(&text) && text.contains("acme"), "{format}: {text:?}");
    }
    let output = run(&["report", "--ledger", path, "--since", MODEL]);
    assert!(is_harmless(&stderr(&output)) && stderr(&output).contains("acme"), "{:?}", stderr(&output));
}

/// A demo that fails leaves no files, so that it can be run again. Its error names a flag that the demo has.
#[test]
fn a_demo_whose_port_is_in_use_fails_without_files_and_can_be_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("demo.db");
    let path = ledger.to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed =
        run(&["demo", "--ledger", path, "--keep-serving", "--grpc-addr", "0", "--http-addr", &address]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        stderr(&failed).contains(&address) && stderr(&failed).contains("--http-addr"),
        "{}",
        stderr(&failed)
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "a failed demo leaves no file");

    let foreign = folder.path().join("Cargo.lock");
    std::fs::write(&foreign, "version = 4").unwrap();
    let beside = folder.path().join("Cargo");
    let failed = run(&["demo", "--ledger", beside.to_str().unwrap(), "--http-addr", &address]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(foreign.exists() && !beside.exists(), "a failed demo removes no file of another program");

    drop(taken);
    let again = run(&["demo", "--ledger", path, "--http-addr", &address]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(stderr(&again).contains(&format!("receiver  http://{address} ")), "{}", stderr(&again));
    let calls = format!(
        "calls     {DEMO_CALLS}, all acknowledged by the receiver\n\
         requests  {DEMO_REQUESTS}, because 1 of the calls repeated another one"
    );
    assert!(stderr(&again).contains(&calls), "{}", stderr(&again));
}

#[test]
fn the_stand_in_provider_runs_as_a_command_of_its_own() {
    let mut child = spanledger()
        .args(["stand-in", "--addr", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let address = url.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix("/v1")).unwrap();
    let request = serde_json::json!({"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello"}]});
    let answer = post(address, "/v1/chat/completions", &request);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"usage\""), "{answer}");
}
