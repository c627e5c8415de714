//! `serve --sink stdout` writes one JSON object per line, also after restarts, crashes and with a blocked
//! pipe.

use std::{io::Read as _, path::Path};

use spanledger_testkit::world::events_of;

use crate::support::{Serve, post_call};

/// Guarantees: standard output has one JSON object per event and nothing else; after a restart the sink
/// continues after the last delivered event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stdout_sink_writes_each_event_once_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let client = reqwest::Client::new();
    let mut lines = String::new();
    for round in 0..2 {
        let serve = Serve::start(&ledger, &["--sink", "stdout"]);
        for number in round * 10..round * 10 + 10 {
            assert_eq!(post_call(&client, &serve.http_url(), "gpt-5.5", number, 5).await.unwrap(), 200);
        }
        lines.push_str(&serve.stop());
    }
    let events: Vec<spanledger_event::CostEvent> =
        json_lines(&lines).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 20);
    assert_eq!(events, events_of(&ledger));
}

/// The number of events of [`fill_ledger`].
#[cfg(unix)]
const EVENTS: u64 = 200;

/// The lines with JSON. Each process begins its output with an empty line, which is skipped.
fn json_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}

/// Makes a ledger with [`EVENTS`] events. One batch of them does not fit into a pipe that is not read.
#[cfg(unix)]
async fn fill_ledger(ledger: &Path) {
    let (serve, client) = (Serve::start(ledger, &[]), reqwest::Client::new());
    for number in 0..EVENTS {
        assert_eq!(post_call(&client, &serve.http_url(), "gpt-5.5", number, 5).await.unwrap(), 200);
    }
    serve.stop();
}

/// Scenario: a process is killed while it writes a line, and leaves a part of the line in the pipe. The next
/// process writes to the same pipe, as under a supervisor.
/// Guarantees: every event arrives on a line of its own.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stdout_sink_starts_a_new_line_after_a_crash_left_a_part_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let arguments = ["--sink", "stdout"];
    fill_ledger(&ledger).await;
    let serve = Serve::start_with_stdout(&ledger, &arguments, writer.try_clone().unwrap().into());
    // The first bytes show that the process writes the batch, which is larger than the pipe's buffer.
    let mut first = [0; 2];
    reader.read_exact(&mut first).unwrap();
    serve.kill();
    let reading = std::thread::spawn(move || {
        let mut text = String::from_utf8(first.to_vec()).unwrap();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    let serve = Serve::start_with_stdout(&ledger, &arguments, writer.into());
    serve.stop();
    let text = reading.join().unwrap();
    let parsed: Vec<Option<spanledger_event::CostEvent>> =
        json_lines(&text).map(|line| serde_json::from_str(line).ok()).collect();
    let broken: Vec<usize> = (0..parsed.len()).filter(|&line| parsed[line].is_none()).collect();
    let [broken] = broken.as_slice() else { panic!("exactly one line must be incomplete: {broken:?}") };
    let whole: Vec<_> = parsed.into_iter().skip(broken + 1).flatten().collect();
    assert_eq!(whole, events_of(&ledger), "the first event must not continue the incomplete line");
}

/// Scenario: standard output is not read, so that the sink's write blocks.
/// Guarantees: the process ends on SIGTERM, and the next process delivers every event.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_ends_on_sigterm_although_standard_output_is_blocked() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    fill_ledger(&ledger).await;
    Serve::start(&ledger, &["--sink", "stdout"]).stop_without_reading();

    let lines = Serve::start(&ledger, &["--sink", "stdout"]).stop();
    let delivered: Vec<spanledger_event::CostEvent> =
        json_lines(&lines).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(delivered.len() as u64, EVENTS, "the cursor must not pass the batch that was not delivered");
    assert_eq!(delivered, events_of(&ledger));
}
