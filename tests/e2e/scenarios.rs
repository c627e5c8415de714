//! Runs the scenarios of `tests/scenarios`: sends their requests and compares the ledger with their tables.
//! The README of that folder describes the format.
//!
//! A scenario runs against a receiver in this process, over a real socket, with a new ledger for each way
//! of sending. Starting the program for each of these ledgers, which are more than a hundred, would take
//! minutes. The reports come from the program.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use spanledger_event::CostEvent;
use spanledger_price::PriceBook;
use spanledger_testkit::world::TestReceiver;

use file::Scenario;
use message::Request;

mod file;
mod message;
mod random;
mod table;

/// The environment variable that selects scenarios by a part of the file's name.
const FILTER: &str = "SPANLEDGER_SCENARIO";
/// The environment variable that makes the runner write the actual tables into the scenarios; golden files
/// use the same one.
const UPDATE: &str = "UPDATE_EXPECT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenarios_hold_in_every_order() {
    let filter = std::env::var(FILTER).unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        path.extension().is_some_and(|extension| extension == "md")
            && name != "README.md"
            && name.contains(&filter)
    });
    assert!(!paths.is_empty(), "no file of {} has `{filter}` in its name", folder.display());
    paths.sort();
    let update = std::env::var_os(UPDATE).is_some();
    let running: Vec<_> =
        paths.into_iter().map(|path| tokio::spawn(async move { run(&path, update).await })).collect();
    let mut failures = String::new();
    for scenario in running {
        if let Err(failure) = scenario.await.unwrap() {
            writeln!(failures, "\n{failure}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}\n(`cargo xtask golden` accepts the actual output)");
}

/// Runs one scenario. An error names the file and the line.
async fn run(path: &Path, update: bool) -> Result<(), String> {
    let name = path.file_name().unwrap().to_string_lossy();
    let text = std::fs::read_to_string(path).unwrap();
    let at = |(line, problem): (usize, String)| format!("tests/scenarios/{name}:{line}: {problem}");
    let scenario = Scenario::parse(&text).map_err(at)?;

    let (receiver, expected) = send(&scenario.requests, scenario.prices.as_ref()).await;
    for (way, requests) in other_ways(&scenario.requests) {
        let (_receiver, events) = send(&requests, scenario.prices.as_ref()).await;
        if events != expected {
            let (ours, theirs) = (scenario.ledger.render(&expected), scenario.ledger.render(&events));
            let problem = format!(
                "the order, the repetition or the split of the requests changes the events\nas written:\n{ours}\n{way}:\n\
                 {theirs}\nall columns:\n{expected:#?}\n{events:#?}"
            );
            return Err(at((scenario.ledger.line, problem)));
        }
    }

    let mut tables = vec![(&scenario.ledger, scenario.ledger.render(&expected))];
    if let Some(report) = &scenario.report {
        tables.push((report, report.render_report(&receiver.path())));
    }
    let differences: Vec<String> =
        tables.iter().filter_map(|(table, actual)| table.difference(&text, actual)).map(at).collect();
    if update && !differences.is_empty() {
        std::fs::write(path, file::replace_tables(&text, &tables)).unwrap();
        return Ok(());
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// Sends requests to a new receiver and returns its events. Their revisions are set to zero: a revision
/// counts the changes of an event, so it depends on the order.
async fn send(requests: &[Request], prices: Option<&PriceBook>) -> (TestReceiver, Vec<CostEvent>) {
    let receiver = match prices {
        None => TestReceiver::start().await,
        Some(book) => TestReceiver::builder().prices(book.clone()).start().await,
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for request in requests {
        let (path, content_type, body) = request.encode();
        let sending = client
            .post(format!("{}{path}", receiver.http_url()))
            .header("content-type", content_type)
            .body(body)
            .send();
        let status = sending.await.unwrap().status();
        assert_eq!(status, 200, "{request:?}");
    }
    let mut events = receiver.events();
    for event in &mut events {
        event.revision = 0;
    }
    // Events with equal starts are ordered by their ids, which do not depend on the order of the requests.
    events.sort_by(|a, b| (a.timestamp, &a.event_id).cmp(&(b.timestamp, &b.event_id)));
    (receiver, events)
}

/// The other ways of sending, which must give the same events: the requests in other orders, each request
/// twice, and each span and each record in a request of its own.
fn other_ways(requests: &[Request]) -> Vec<(String, Vec<Request>)> {
    let mut ways: Vec<(String, Vec<Request>)> = orders(requests.len())
        .into_iter()
        .map(|order| {
            let numbers: Vec<String> = order.iter().map(|index| (index + 1).to_string()).collect();
            let way = format!("requests in the order {}", numbers.join(", "));
            (way, order.into_iter().map(|index| requests[index].clone()).collect())
        })
        .collect();
    let twice = requests.iter().chain(requests).cloned().collect();
    ways.push(("all requests twice".to_owned(), twice));
    let mut alone: Vec<Request> = requests.iter().flat_map(Request::split).collect();
    ways.push(("each span and record in a request of its own".to_owned(), alone.clone()));
    alone.reverse();
    ways.push(("each span and record in a request of its own, the last one first".to_owned(), alone));
    ways
}

/// All orders except the written one. For more than three requests: the rotations of the written order and of
/// its reverse.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let written: Vec<usize> = (0..count).collect();
    let mut orders = match count {
        0 | 1 => vec![],
        2 => vec![vec![1, 0]],
        3 => vec![vec![0, 2, 1], vec![1, 0, 2], vec![1, 2, 0], vec![2, 0, 1], vec![2, 1, 0]],
        _ => {
            let rotations = |order: &[usize]| {
                let mut order = order.to_vec();
                (0..count)
                    .map(|_| {
                        order.rotate_left(1);
                        order.clone()
                    })
                    .collect::<Vec<_>>()
            };
            let reverse: Vec<usize> = written.iter().rev().copied().collect();
            [rotations(&written), rotations(&reverse)].concat()
        }
    };
    orders.retain(|order| *order != written);
    orders
}

const SCENARIO: &str = "# Title

## Sent

```toml
[[record]]
request = \"r-1\"
call = \"c-1\"
model = \"gpt-5.5\"
input = 1000
output = 100
```

## Ledger

| request_id | cost_usd |
|------------|----------|
| r-1        | 0.008    |

## Report

| requests | billed_usd |
|----------|------------|
| 1        | 0.008      |
";

async fn run_text(text: &str, update: bool) -> (Result<(), String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.md");
    std::fs::write(&path, text).unwrap();
    let result = run(&path, update).await;
    (result, std::fs::read_to_string(&path).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_expectation_is_found_at_its_line_and_can_be_accepted() {
    assert_eq!(run_text(SCENARIO, false).await, (Ok(()), SCENARIO.to_owned()));
    for (wrong, line) in [
        (SCENARIO.replace("| r-1        | 0.008    |", "| r-1        | 0.009    |"), 18),
        (SCENARIO.replace("| r-1        | 0.008    |\n", ""), 18),
        (SCENARIO.replace("| 1        | 0.008      |", "| 2        | 0.008      |"), 24),
    ] {
        let (result, text) = run_text(&wrong, false).await;
        let error = result.unwrap_err();
        assert!(error.starts_with(&format!("tests/scenarios/case.md:{line}: ")), "{error}");
        assert_eq!(text, wrong, "only the accepting run writes");
        assert_eq!(run_text(&wrong, true).await, (Ok(()), SCENARIO.to_owned()));
    }
}

#[tokio::test]
async fn a_file_that_is_not_a_scenario_is_refused_at_its_line() {
    for (from, to, line, words) in [
        ("# Title", "Title", 1, "title"),
        ("## Sent", "## Send", 3, "`Send` is not a section"),
        ("input = 1000", "inputs = 1000", 5, "inputs"),
        ("```toml", "```yaml", 5, "`toml` or `json`"),
        ("## Ledger\n", "", 15, "a table must be in"),
        ("```\n\n## Ledger", "\n\n## Ledger", 5, "the block has no end"),
    ] {
        let error = run_text(&SCENARIO.replace(from, to), false).await.0.unwrap_err();
        let place = format!("tests/scenarios/case.md:{line}: ");
        assert!(error.starts_with(&place) && error.contains(words), "{error}");
    }
}
