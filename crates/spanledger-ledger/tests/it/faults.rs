//! What a writer does when its file, or the disk, fails: it says so, loses nothing that it acknowledged, and
//! goes on when the fault is over.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use futures_util::future::{join_all, poll_immediate};
use rusqlite::Connection;
use spanledger_ledger::{ErrorKind, Ledger, LedgerError, LedgerReader};

use crate::support::{call, folder, runtime, skipped};

/// The environment variables of a child process: what it does, and in which folder.
const TASK: &str = "SPANLEDGER_TEST_FAULT";
const FOLDER: &str = "SPANLEDGER_TEST_FOLDER";

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn errors(ledger: &Ledger, kind: ErrorKind) -> u64 {
    ledger.health().errors().find(|(one, _)| *one == kind).map_or(0, |(_, count)| count)
}

fn fault(ledger: &Ledger) -> Option<ErrorKind> {
    ledger.health().fault().map(|fault| fault.kind)
}

async fn append(ledger: &Ledger, name: &str) -> Result<(), LedgerError> {
    ledger.append(vec![call(name, name, 1, 1)]).await.map(drop)
}

fn observations(path: &Path) -> i64 {
    LedgerReader::open(path).unwrap().summary().unwrap().observations
}

/// The whole group is answered after one wait. To try its requests one by one would take a wait for each.
#[test]
fn a_foreign_lock_costs_all_requests_together_one_wait() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let names: Vec<String> = (0..100).map(|index| format!("r{index}")).collect();
        for answer in join_all(names.iter().map(|name| append(&ledger, name))).await {
            let error = answer.unwrap_err();
            assert!(matches!(error, LedgerError::Locked { .. }), "{error:?}");
            assert!(error.to_string().contains("end its transaction"), "{error}");
        }
        // The first request may have been alone.
        assert!((1..=2).contains(&errors(&ledger, ErrorKind::Busy)));
        assert_eq!(fault(&ledger), Some(ErrorKind::Busy));
        assert!(ledger.probe().await.is_err());

        other.execute_batch("ROLLBACK").unwrap();
        ledger.probe().await.unwrap();
        assert_eq!(fault(&ledger), None, "a probe ends the fault, without any request");
        append(&ledger, "r0").await.unwrap();
        assert_eq!(observations(&path), 1);
    });
}

#[test]
fn a_ledger_closes_while_another_program_has_locked_the_file() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let health = ledger.health();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let names: Vec<String> = (0..100).map(|index| format!("r{index}")).collect();
        {
            let mut appends: Vec<_> = names.iter().map(|name| Box::pin(append(&ledger, name))).collect();
            for append in &mut appends {
                assert!(poll_immediate(append).await.is_none());
            }
        }
        drop(ledger);
        // What nobody waits for is not tried.
        let tried: u64 = health.errors().map(|(_, count)| count).sum();
        assert!(tried <= 1, "{tried}");
    });
}

#[test]
fn observations_whose_caller_has_gone_are_not_recorded() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut first = Box::pin(append(&ledger, "first"));
        assert!(poll_immediate(&mut first).await.is_none());
        while ledger.queue_length() > 0 {
            std::thread::yield_now();
        }
        // The writer waits for the lock. This one waits in the queue, and its caller gives up.
        let mut gone = Box::pin(append(&ledger, "gone"));
        assert!(poll_immediate(&mut gone).await.is_none());
        drop(gone);
        other.execute_batch("ROLLBACK").unwrap();
        // On a very slow machine the first one may have waited too long.
        let first = i64::from(first.await.is_ok());
        append(&ledger, "last").await.unwrap();
        assert_eq!(observations(&path), first + 1);
    });
}

#[test]
fn a_deleted_ledger_stops_the_acknowledgements_until_it_is_back() {
    for suffix in ["", "-wal", "-shm"] {
        let (folder, path) = folder();
        runtime().block_on(async {
            let ledger = Ledger::open(&path).unwrap();
            append(&ledger, "r0").await.unwrap();
            let (file, away) = (beside(&path, suffix), folder.path().join("away"));
            fs::rename(&file, &away).unwrap();
            // Nothing was sent yet, but a probe finds out.
            assert!(matches!(ledger.probe().await, Err(LedgerError::Deleted { path }) if path == file));
            let answers = join_all([append(&ledger, "r1"), append(&ledger, "r2")]).await;
            assert!(answers.iter().all(|answer| matches!(answer, Err(LedgerError::Deleted { .. }))));
            assert_eq!(fault(&ledger), Some(ErrorKind::Replaced));
            let words = ledger.health().fault().unwrap().to_string();
            assert!(words.contains("was deleted or renamed") && words.contains("put it back"), "{words}");

            fs::rename(&away, &file).unwrap();
            append(&ledger, "r1").await.unwrap();
            assert_eq!(fault(&ledger), None);
            drop(ledger);
            assert_eq!(observations(&path), 2);
        });
    }
}

#[test]
fn a_replaced_ledger_stops_the_acknowledgements() {
    let (folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, "r0").await.unwrap();
        let other = folder.path().join("other.db");
        drop(Ledger::open(&other).unwrap());
        let before = fs::read(&other).unwrap();
        fs::rename(&other, &path).unwrap();
        for _ in 0..2 {
            let error = append(&ledger, "r1").await.unwrap_err();
            assert!(matches!(error, LedgerError::Replaced { .. }), "{error:?}");
        }
        assert_eq!(errors(&ledger, ErrorKind::Replaced), 2);
        drop(ledger);
        assert!(fs::read(&path).unwrap() == before, "the file that took the place was changed");
    });
}

/// SQLite's own checks find a damaged page when a request needs it. The fault stays, because a damaged page
/// does not heal.
#[test]
fn a_page_that_is_damaged_under_the_writer_is_reported() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, "r0").await.unwrap();
        drop(ledger);
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[4_096..end].fill(0xa5);
        let ledger = Ledger::open(&path);
        let ledger = ledger.unwrap();
        fs::write(&path, &bytes).unwrap();
        let error = append(&ledger, "r1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
        assert_eq!(fault(&ledger), Some(ErrorKind::Damaged));
        drop(ledger.probe().await);
        assert_eq!(fault(&ledger), Some(ErrorKind::Damaged));
    });
}

#[test]
fn a_writer_that_panicked_says_so_and_answers_retryably() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, "r0").await.unwrap();
        assert!(!ledger.health().has_stopped());
        ledger.panic_writer().await;
        assert!(matches!(append(&ledger, "r1").await, Err(LedgerError::Closed)));
        while !ledger.health().has_stopped() {
            std::thread::yield_now();
        }
        assert!(ledger.health().fault().unwrap().to_string().contains("restart spanledger"));
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        append(&ledger, "r1").await.unwrap();
        assert_eq!(observations(&path), 2);
    });
}

#[test]
fn health_counts_commits_and_shows_sizes() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let health = ledger.health();
        assert_eq!((health.commits(), health.last_commit_at()), (0, None));
        append(&ledger, "r0").await.unwrap();
        append(&ledger, "r0").await.unwrap();
        ledger.probe().await.unwrap();
        assert_eq!((health.commits(), health.observations(), health.duplicates()), (2, 1, 1));
        let latency = health.commit_latency();
        assert_eq!(latency.buckets.iter().map(|bucket| bucket.1).sum::<u64>(), 2);
        assert!(health.last_commit_at().is_some());
        let sizes = health.file_sizes();
        assert_eq!(sizes.database, fs::metadata(&path).unwrap().len());
        assert_eq!(sizes.log, fs::metadata(beside(&path, "-wal")).unwrap().len());
        assert!(sizes.log > 0);
        let keys = health.key_index_load();
        assert!(keys.runs == 0 && keys.memory_bytes > 0, "one observation is not worth a run: {keys:?}");
    });
}

/// Runs [`child_process`] by a shell script, whose `$0` is the program and `$@` its arguments. Returns what
/// the child said, or `None` if the system does not allow what the script needs.
fn by_script(script: &str, before: &[&str], task: &str, folder: &Path) -> Option<String> {
    let program = std::env::current_exe().unwrap();
    let arguments = ["faults::child_process", "--exact", "--ignored", "--nocapture"].map(OsStr::new);
    let mut words = before.to_vec();
    words.extend(["sh", "-c", script]);
    let output = Command::new(words[0])
        .args(&words[1..])
        .arg(program)
        .args(arguments)
        .env(TASK, task)
        .env(FOLDER, folder)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().find_map(|line| line.split_once("said: ")).map(|(_, said)| said.to_owned());
    if said.is_none() {
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!problem.contains("panicked"), "{problem}\n{text}");
        skipped(problem.trim());
    }
    said
}

#[test]
#[ignore = "other tests run it in another process"]
fn child_process() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let path = folder.join("spanledger.db");
    match std::env::var(TASK).unwrap().as_str() {
        "fill the disk" => {
            let filler = folder.join("filler");
            let make_room = || fs::remove_file(&filler).unwrap();
            println!("said: {:?}", until_it_fails(&path, || fill(&filler), make_room));
        }
        // The limit of the process is never lifted, so that only the error matters.
        "reach the limit" => println!("said: {:?}", until_it_fails(&path, || (), || ())),
        "open what cannot be written" => {
            let refused = Ledger::open(&path).unwrap_err();
            let reader = LedgerReader::open(&path).unwrap();
            let observations = reader.summary().unwrap().observations;
            println!("said: {:?} {observations} {}", refused.kind(), reader.is_snapshot());
        }
        task => panic!("{task}"),
    }
}

/// Writes until the disk is full.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
}

/// Appends until it fails, and once more when there is room again. Returns the kind of the error, of the
/// fault, and of the fault after the room was made.
fn until_it_fails(path: &Path, fill: impl Fn(), make_room: impl Fn()) -> [Option<ErrorKind>; 3] {
    runtime().block_on(async {
        let ledger = Ledger::open(path).unwrap();
        append(&ledger, "first").await.unwrap();
        fill();
        let mut acknowledged = 1;
        let error = loop {
            match append(&ledger, &format!("r{acknowledged}")).await {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        let during = fault(&ledger);
        make_room();
        drop(ledger.probe().await);
        if append(&ledger, "last").await.is_ok() {
            acknowledged += 1;
        }
        let after = fault(&ledger);
        drop(ledger);
        assert_eq!(observations(path), acknowledged, "something acknowledged is missing");
        [Some(error.kind()), during, after]
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_fault_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=2m tmpfs \"$SPANLEDGER_TEST_FOLDER\" && exec \"$0\" \"$@\"";
    if let Some(said) = by_script(script, &["unshare", "-m"], "fill the disk", folder.path()) {
        assert_eq!(said, "[Some(DiskFull), Some(DiskFull), None]");
    }
}

/// A limit of the process on the size of files stands for a disk that fails to write.
#[cfg(unix)]
#[test]
fn a_disk_that_fails_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 1024 && exec \"$0\" \"$@\"";
    if let Some(said) = by_script(script, &[], "reach the limit", folder.path()) {
        assert_eq!(said, "[Some(Io), Some(Io), Some(Io)]");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_file_system_can_be_read_and_is_no_place_for_a_writer() {
    let (folder, path) = folder();
    runtime().block_on(append(&Ledger::open(&path).unwrap(), "r0")).unwrap();
    let script = "mount --bind \"$SPANLEDGER_TEST_FOLDER\" \"$SPANLEDGER_TEST_FOLDER\" \
                  && mount -o remount,bind,ro \"$SPANLEDGER_TEST_FOLDER\" && exec \"$0\" \"$@\"";
    if let Some(said) = by_script(script, &["unshare", "-m"], "open what cannot be written", folder.path()) {
        assert_eq!(said, "ReadOnly 1 true");
    }
}
