//! What commands do when the ledger's file is locked, or cannot be written.

use crate::support::{Serve, post_call, run, stderr, stdout};

/// Scenario: another program locks the ledger and does not release it.
/// Guarantees: a call is answered retryably, and SIGTERM ends `serve` while the file is still locked.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_ends_while_another_program_has_locked_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let serve = Serve::start(&ledger, &[]);
    let client = reqwest::Client::new();
    assert_eq!(post_call(&client, &serve.http_url(), "gpt-5.5", 1, 10).await.unwrap(), 200);
    let other = rusqlite::Connection::open(&ledger).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(post_call(&client, &serve.http_url(), "gpt-5.5", 2, 10).await.unwrap(), 503);
    serve.wait_for_stderr("another program has locked the ledger");
    tokio::task::spawn_blocking(|| serve.stop_without_reading()).await.unwrap();
    other.execute_batch("ROLLBACK").unwrap();
}

/// Scenario: SQLite cannot create the files that it needs beside a ledger, as for a user who may only read.
/// Guarantees: the ledger can be read, and both commands say what they show.
#[test]
fn a_ledger_is_read_where_no_file_can_be_created() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("demo.db");
    let path = ledger.to_str().unwrap();
    assert!(run(&["demo", "--ledger", path]).status.success());
    let before = stdout(&run(&["report", "--ledger", path]));
    // A folder of this name stands for a folder without permission, which root would not notice.
    drop(std::fs::remove_file(folder.path().join("demo.db-wal")));
    std::fs::create_dir(folder.path().join("demo.db-wal")).unwrap();
    for arguments in [["report", "--by", "feature"], ["tail", "--no-follow", "--lines=3"]] {
        let output = run(&[&arguments[..], &["--ledger", path]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("as it is at this moment"), "{}", stderr(&output));
        assert!(!stdout(&output).is_empty());
    }
    assert_eq!(stdout(&run(&["report", "--ledger", path])), before);
}
