//! The sink `file` over kills, rotations and a disk that is full, and a program that follows its files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use spanledger_event::CostEvent;
use spanledger_testkit::world::events_of;

use crate::support::{Serve, TIMEOUT, peer, peer_command, post_call};

/// The configuration of `serve` with a sink that closes a file after a few batches.
fn configuration(folder: &Path) -> PathBuf {
    let path = folder.join("spanledger.toml");
    let files = folder.join("events");
    fs::create_dir(&files).unwrap();
    let text = format!(
        "[sinks.file]\npath = '{}'\nrotate_bytes = 20000\nbatch = {{ rows = 7, linger_ms = 0 }}\n",
        files.join("events.jsonl").display()
    );
    fs::write(&path, text).unwrap();
    path
}

/// The lines of all files, from the oldest to the newest.
fn lines(folder: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("events"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    // `events.jsonl`, which is the newest, is behind `events.2026-….jsonl`.
    files.sort();
    files.iter().flat_map(|file| text_lines(file)).collect()
}

fn text_lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until the files have the greatest revision of every event of the ledger.
fn wait_for_delivery(folder: &Path, ledger: &Path) -> Vec<String> {
    let until = Instant::now() + TIMEOUT;
    loop {
        let (lines, events) = (lines(folder), events_of(ledger));
        let has = |event: &CostEvent| {
            let json = serde_json::to_string(event).unwrap();
            lines.contains(&json)
        };
        if events.iter().all(has) {
            return lines;
        }
        assert!(Instant::now() < until, "{} lines of {} events", lines.len(), events.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A program that ends with the test.
struct Reader(Child);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts rsyslog with the configuration of `collector-config/`; `None` if it is not installed.
fn rsyslog(folder: &Path) -> Option<Reader> {
    let root = peer("rsyslog")?;
    let libraries: Vec<PathBuf> =
        fs::read_dir(root.join("usr/lib")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let library = libraries.iter().find(|path| path.join("rsyslog").exists()).unwrap();
    let state = folder.join("state");
    fs::create_dir(&state).unwrap();
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector-config/follow/rsyslog.conf");
    let child = peer_command(&root.join("usr/sbin/rsyslogd"))
        .env("LD_LIBRARY_PATH", library)
        .env("SPANLEDGER_FILES", folder.join("events/events*.jsonl"))
        .env("SPANLEDGER_COPY", folder.join("copy.jsonl"))
        .env("SPANLEDGER_STATE", &state)
        .arg("-n")
        .arg("-f")
        .arg(configuration)
        .arg("-i")
        .arg(state.join("pid"))
        .arg("-M")
        .arg(library.join("rsyslog"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Some(Reader(child))
}

/// Scenario: `serve` is killed while it writes, six times, and the file is rotated many times. rsyslog follows the files.
/// Guarantees: the files have each revision once and no incomplete line; rsyslog has every line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_have_each_revision_once_over_kills_and_rotations_and_a_reader_gets_them_all() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (ledger, configuration) = (folder.join("spanledger.db"), configuration(folder));
    let arguments = ["--config", configuration.to_str().unwrap()];
    let reader = rsyslog(folder);
    let mut number = 0;
    for round in 0..6 {
        let serve = Serve::start(&ledger, &arguments);
        let client = reqwest::Client::new();
        for _ in 0..30 {
            post_call(&client, &serve.http_url(), "gpt-5.5", number, 5).await.ok();
            number += 1;
        }
        // The sink is somewhere in its batches.
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        serve.kill();
    }
    let serve = Serve::start(&ledger, &arguments);
    let lines = wait_for_delivery(folder, &ledger);
    serve.stop();

    let mut revisions = BTreeSet::new();
    for line in &lines {
        let event: CostEvent = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(revisions.insert((event.event_id.clone(), event.revision)), "twice: {line}");
    }
    assert!(fs::read_dir(folder.join("events")).unwrap().count() > 5, "the file was rotated");

    let Some(_reader) = reader else { return };
    let until = Instant::now() + TIMEOUT;
    let expected: BTreeSet<&String> = lines.iter().collect();
    loop {
        let copy = text_lines(&folder.join("copy.jsonl"));
        let found: BTreeSet<&String> = copy.iter().collect();
        if expected.is_subset(&found) {
            assert_eq!(found, expected, "the reader has no other line");
            break;
        }
        assert!(Instant::now() < until, "rsyslog has {} of {} lines", found.len(), expected.len());
        std::thread::sleep(Duration::from_millis(100));
    }
}
