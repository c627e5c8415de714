use std::{env, process::Command};

use super::*;

fn added(records: &[(u64, &str)]) -> Changes {
    let added = records.iter().map(|(number, text)| (*number, text.as_bytes().to_vec())).collect();
    Changes { added, ..Changes::default() }
}

fn all(spool: &Spool) -> Vec<(u64, String)> {
    let text = |(number, bytes)| (number, String::from_utf8(bytes).unwrap());
    spool.load(0, u64::MAX, usize::MAX, usize::MAX).unwrap().0.into_iter().map(text).collect()
}

fn of(records: &[(u64, &str)]) -> Vec<(u64, String)> {
    records.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    spool.commit(&added(&[(0, "a"), (1, "b"), (2, "c")])).unwrap();
    spool.commit(&Changes { settled: vec![1, 77], ..added(&[(3, "d")]) }).unwrap();
    drop(spool);
    let spool = Spool::open(folder.path()).unwrap();
    assert_eq!(all(&spool), of(&[(0, "a"), (2, "c"), (3, "d")]));
    assert_eq!(spool.ranges().unwrap(), [(0, 0), (2, 3)]);
    let count = |(records, is_all): (Vec<_>, bool)| (records.len(), is_all);
    assert_eq!(count(spool.load(1, 3, 1, usize::MAX).unwrap()), (1, false));
    assert_eq!(count(spool.load(0, 3, 9, 2).unwrap()), (2, false));
    assert_eq!(count(spool.load(0, 3, 9, 0).unwrap()), (1, false));
    assert_eq!(count(spool.load(0, 2, 9, usize::MAX).unwrap()), (2, true));
    assert!(spool.bytes().unwrap() > 0);
}

#[test]
fn an_intent_without_its_record_becomes_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    let intent = |n: u64, text: &str| (n, text.as_bytes().to_vec());
    spool.commit(&Changes { intents: vec![intent(1, "x"), intent(2, "y")], ..Changes::default() }).unwrap();
    spool.commit(&Changes { ended: vec![1], ..added(&[(0, "x ended")]) }).unwrap();
    drop(spool);
    for _ in 0..2 {
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(all(&spool), of(&[(0, "x ended"), (1, "y")]));
    }
}

#[test]
fn two_processes_have_a_file_each_and_the_next_takes_over_what_they_left() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Spool::open(folder.path()).unwrap(), Spool::open(folder.path()).unwrap());
    first.commit(&added(&[(0, "a")])).unwrap();
    second.commit(&added(&[(0, "b")])).unwrap();
    let third = Spool::open(folder.path()).unwrap();
    assert_eq!(all(&third), []);
    assert_eq!(files(folder.path()).unwrap().len(), 3);
    drop((second, third));
    // The first one is still open, so its record is left alone.
    let fourth = Spool::open(folder.path()).unwrap();
    assert_eq!(all(&fourth), of(&[(0, "b")]));
    assert_eq!(all(&first), of(&[(0, "a")]));
    assert_eq!(files(folder.path()).unwrap().len(), 2);
}

#[test]
fn a_damaged_file_is_set_aside_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    drop(Spool::open(folder.path()).unwrap());
    let path = files(folder.path()).unwrap().remove(0);
    for (damage, aside) in [(b"not a store".to_vec(), "damaged"), (vec![0; 100_000], "damaged-1")] {
        fs::write(&path, &damage).unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        spool.commit(&added(&[(0, "a")])).unwrap();
        drop(spool);
        assert_eq!(fs::read(path.with_extension(aside)).unwrap(), damage);
    }
    assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), b"not a store");
}

/// Guarantees: only damage sets a file aside. The error names the file and what to do.
#[test]
fn a_file_that_cannot_be_opened_is_left_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records-0.redb");
    fs::create_dir(&path).unwrap();
    let error = ErrorChain(&Spool::open(folder.path()).unwrap_err()).to_string();
    assert!(
        error.contains(&path.display().to_string()) && error.contains("check its permissions"),
        "{error}"
    );
    assert!(path.is_dir() && !path.with_extension("damaged").exists());
}

/// Guarantees: a file whose content was not taken over is not removed.
#[test]
fn a_file_with_a_foreign_table_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    drop(Spool::open(folder.path()).unwrap());
    let path = folder.path().join("records-1.redb");
    let database = create(&path).unwrap();
    let writing = database.begin_write().unwrap();
    let table: TableDefinition<'_, u64, u64> = TableDefinition::new("records");
    writing.open_table(table).unwrap().insert(1, 2).unwrap();
    writing.commit().unwrap();
    drop(database);
    Spool::open(folder.path()).unwrap_err();
    assert!(path.exists());
}

/// Scenario: the limit of the size of files, which is what a full disk is to a process, or that of open files, is
/// reached when the service starts.
/// Guarantees: the records are where they were, and are there when the limit is gone.
#[cfg(target_os = "linux")]
#[test]
fn limits_at_the_start_set_no_file_aside() {
    for limit in ["-f 0", "-n 48"] {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        spool.commit(&added(&[(0, "a"), (1, "b")])).unwrap();
        drop(spool);
        let output = Command::new("bash")
            .args(["-c", &format!("trap '' XFSZ; ulimit {limit}; exec \"$0\" \"$@\"")])
            .arg(env::current_exe().unwrap())
            .args(["--exact", "exporter::spool::tests::of_a_process_at_its_limits", "--ignored"])
            .env("TEST_FOLDER", folder.path())
            .env("TEST_LIMIT", limit)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{limit}: {told}");
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains("damaged")), "{limit}: {left:?}");
        assert_eq!(all(&Spool::open(folder.path()).unwrap()), of(&[(0, "a"), (1, "b")]), "{limit}");
    }
}

#[test]
#[ignore = "another test runs this one in a process of its own"]
fn of_a_process_at_its_limits() {
    let folder = env::var("TEST_FOLDER").unwrap();
    let mut errors = Vec::new();
    let open = |errors: &mut Vec<String>| match Spool::open(Path::new(&folder)) {
        Ok(spool) => drop(spool),
        Err(error) => errors.push(ErrorChain(&error).to_string()),
    };
    if env::var("TEST_LIMIT").unwrap().starts_with("-f") {
        open(&mut errors);
    } else {
        let mut taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        // With each number of files left, another step fails.
        for _ in 0..8 {
            open(&mut errors);
            taken.pop();
        }
    }
    assert!(!errors.is_empty());
    assert!(errors.iter().all(|error| error.contains("check")), "{errors:?}");
}

/// Scenario: the disk has failed, and is tried again while another process starts.
#[test]
fn a_file_that_is_opened_again_is_the_same_unless_another_process_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    spool.commit(&added(&[(5, "a")])).unwrap();
    let path = spool.path().to_owned();
    let mut failed = Some(spool);
    // While the file is kept, another process does not take it.
    assert_eq!(all(&Spool::open(folder.path()).unwrap()), []);
    let reopened = Spool::reopen(folder.path(), Some(&path), &mut failed).unwrap();
    let Reopened::Same(spool) = reopened else { panic!("{reopened:?}") };
    assert_eq!(all(&spool), of(&[(5, "a")]));
    drop(spool);

    let other = Spool::open(folder.path()).unwrap();
    let reopened = Spool::reopen(folder.path(), Some(&path), &mut None).unwrap();
    let Reopened::TakenOver(spool) = reopened else { panic!("{reopened:?}") };
    assert!(spool.path() != other.path() && all(&spool).is_empty());
    drop((spool, other));

    fs::write(&path, "damage").unwrap();
    let reopened = Spool::reopen(folder.path(), Some(&path), &mut None).unwrap();
    assert!(matches!(reopened, Reopened::Lost(_)), "{reopened:?}");
    assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), b"damage");
}
