use std::{env, fs, process::Command};

use super::*;

fn config(folder: &Path) -> ExporterConfig {
    ExporterConfig::to("http://127.0.0.1:1").spool(folder.to_owned())
}

fn open(folder: &Path) -> Journal {
    Journal::open(&config(folder)).unwrap()
}

fn record(number: u64) -> Pending {
    Pending { bytes: format!("record {number}").into_bytes(), number, source: Source::Call }
}

fn intent(journal: &mut Journal, number: u64) {
    journal.add_intent(number, format!("intent {number}").into_bytes(), oneshot::channel().0);
}

/// The state after the disk has refused a write.
fn fail(journal: &mut Journal) -> Instant {
    let now = Instant::now();
    journal.fail(&SpoolError::Folder(std::io::Error::other("test")), now);
    now + journal.retry
}

/// What the next process finds.
fn left(folder: &Path) -> Vec<String> {
    let (records, _) = Spool::open(folder).unwrap().load(0, u64::MAX, usize::MAX, usize::MAX).unwrap();
    let mut texts: Vec<_> = records.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    texts.sort();
    texts
}

fn no_records() -> std::slice::Iter<'static, Pending> {
    [].iter()
}

#[test]
fn records_that_are_gone_from_the_disk_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    (0..10).for_each(|number| journal.add_only_here(record(number), None));
    let now = Instant::now();
    assert!(journal.commit(now).is_empty());
    assert_eq!(journal.on_disk(), 10);
    let gone = Changes { settled: vec![0, 1, 4, 8, 9], ..Changes::default() };
    journal.spool.as_ref().unwrap().commit(&gone).unwrap();
    let loaded = journal.load(now, 3, usize::MAX);
    let numbers: Vec<_> = loaded.records.iter().map(|record| record.number).collect();
    assert_eq!((numbers, loaded.lost), (vec![2, 3, 5], vec![(0, 1), (4, 4)]));
    assert_eq!(journal.on_disk(), 4);
    let loaded = journal.load(now, 100, usize::MAX);
    assert_eq!((loaded.records.len(), loaded.lost), (2, vec![(8, 9)]));
    assert_eq!(journal.on_disk(), 0);

    // All of a range.
    journal.add_only_here(record(20), None);
    assert!(journal.commit(now).is_empty());
    let gone = Changes { settled: vec![20], ..Changes::default() };
    journal.spool.as_ref().unwrap().commit(&gone).unwrap();
    assert_eq!(journal.load(now, 100, usize::MAX).lost, [(20, 20)]);
    assert_eq!(journal.on_disk(), 0);
}

/// Scenario: an earlier process has settled its records in another order than that of their numbers.
#[test]
fn only_records_that_exist_count_as_being_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    (0..100).for_each(|number| journal.add(&record(number), None));
    (0..100)
        .filter(|number| ![3, 50, 51].contains(number))
        .for_each(|number| journal.settle(&record(number)));
    assert!(journal.commit(Instant::now()).is_empty());
    drop(journal);
    let mut journal = open(folder.path());
    assert_eq!((journal.on_disk(), journal.first_number()), (3, 52));
    for expected in [vec![3], vec![50, 51], vec![]] {
        let loaded = journal.load(Instant::now(), 100, usize::MAX);
        assert_eq!(loaded.records.iter().map(|record| record.number).collect::<Vec<_>>(), expected);
        assert!(loaded.lost.is_empty());
    }
}

/// Scenario: the disk fails while calls are running, and works again.
/// Guarantees: running calls are intents and not records; those that ended meanwhile are neither; what was only on
/// disk, and what was only in memory, is on disk.
#[test]
fn after_a_failure_the_disk_has_what_it_would_have_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    (1..=3).for_each(|number| intent(&mut journal, number));
    journal.add_only_here(record(0), None);
    journal.add(&record(1), None);
    journal.add(&record(2), None);
    assert!(journal.commit(Instant::now()).is_empty());

    let at = fail(&mut journal);
    // Record 1 is settled, call 1 ends with record 3, call 4 begins, call 5 begins and ends with record 4.
    journal.settle(&record(1));
    intent(&mut journal, 4);
    intent(&mut journal, 5);
    journal.add(&record(3), Some(1));
    journal.add(&record(4), Some(5));
    assert!(journal.commit(at).is_empty());
    let in_memory = [record(2), record(3), record(4)];
    assert_eq!(journal.retry(at, in_memory.iter()), []);
    assert!(journal.has_room() && journal.retry_at().is_none());
    let (records, _) = journal.spool.as_ref().unwrap().load(0, u64::MAX, usize::MAX, usize::MAX).unwrap();
    assert_eq!(records.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 2, 3, 4]);
    assert_eq!(journal.load(at, 100, usize::MAX).records.len(), 1);

    // Call 2 ends as if nothing had happened. Then the process dies.
    journal.add(&record(5), Some(2));
    assert!(journal.commit(at).is_empty());
    drop(journal);
    let expected = ["intent 3", "intent 4", "record 0", "record 2", "record 3", "record 4", "record 5"];
    assert_eq!(left(folder.path()), expected);
}

/// Guarantees: what another process has left keeps its numbers, and is not mixed with the records of this one.
#[test]
fn what_others_left_survives_a_failure_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let mut other = open(folder.path());
    (0..3).for_each(|number| other.add(&Pending { bytes: b"other".to_vec(), ..record(number) }, None));
    assert!(other.commit(Instant::now()).is_empty());
    drop(other);
    let at = fail(&mut journal);
    let in_memory = [record(0), record(1)];
    assert_eq!(journal.retry(at, in_memory.iter()), []);
    drop(journal);
    assert_eq!(left(folder.path()), ["other", "other", "other", "record 0", "record 1"]);
}

#[test]
fn a_file_that_is_gone_after_a_failure_is_a_loss_of_what_was_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    (0..3).for_each(|number| journal.add_only_here(record(number), None));
    assert!(journal.commit(Instant::now()).is_empty());
    let at = fail(&mut journal);
    fs::remove_file(journal.path.as_ref().unwrap()).unwrap();
    assert_eq!(journal.retry(at, [record(3)].iter()), [(0, 2)]);
    assert!(journal.has_room() && journal.on_disk() == 0);
    drop(journal);
    assert_eq!(left(folder.path()), ["record 3"]);
}

#[test]
fn a_disk_that_cannot_be_used_at_the_start_is_used_later() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    fs::write(&spool, "not a folder").unwrap();
    let config = config(&spool);
    assert!(matches!(Journal::open(&config), Err(InitError::Spool { .. })));
    let now = Instant::now();
    let mut journal = Journal::without_disk(&config, now);
    intent(&mut journal, 7);
    assert!(journal.commit(now).is_empty() && !journal.has_room());
    let at = now + journal.retry;
    assert_eq!(journal.retry(at, no_records()), []);
    assert!(!journal.has_room());
    fs::remove_file(&spool).unwrap();
    assert_eq!(journal.retry(at + journal.retry, [record(0)].iter()), []);
    assert!(journal.has_room());
    drop(journal);
    assert_eq!(left(&spool), ["intent 7", "record 0"]);
}

/// Scenario: the disk is full, as the limit of the size of files is to a process, and has room again.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_has_room_again_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 1200; exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "exporter::journal::tests::of_a_process_with_a_full_disk", "--ignored"])
        .env("TEST_FOLDER", folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    // The process has ended without a further word to its spool, in which 1,000 records and two intents were.
    assert_eq!(left(folder.path()).len(), 1_002);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "another test runs this one in a process of its own"]
fn of_a_process_with_a_full_disk() {
    let mut journal = open(Path::new(&env::var("TEST_FOLDER").unwrap()));
    let now = Instant::now();
    intent(&mut journal, 1);
    let mut records: Vec<Pending> = Vec::new();
    for number in 0..1_000 {
        records.push(Pending { bytes: vec![b'x'; 4_000], ..record(number) });
        journal.add(&records[records.len() - 1], None);
        assert!(journal.commit(now).is_empty());
    }
    assert!(!journal.has_room(), "the disk is not full");
    intent(&mut journal, 2);
    assert!(journal.commit(now).is_empty());
    let at = now + journal.retry;
    assert_eq!(journal.retry(at, records.iter()), []);
    assert!(!journal.has_room(), "there is no room yet");

    let id = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited:"]).status().unwrap();
    assert!(raised.success());
    assert_eq!(journal.retry(at + journal.retry, records.iter()), []);
    assert!(journal.has_room());
    let (read, _) = journal.spool.as_ref().unwrap().load(0, u64::MAX, usize::MAX, usize::MAX).unwrap();
    assert_eq!(read.len(), records.len(), "running calls are no records");
    std::process::exit({
        use std::io::Write as _;
        let line = "test result: ok. 1 passed\n";
        std::io::stdout().write_all(line.as_bytes()).map_or(1, |()| 0)
    });
}
