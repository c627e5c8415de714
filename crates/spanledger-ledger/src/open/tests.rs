use std::{error::Error as _, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crate::{Ledger, LedgerReader};

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    (folder, path)
}

/// The message of an error and of its causes.
fn words(error: &LedgerError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    assert!(!text.contains("Error code"), "{text}");
    text
}

#[test]
fn a_file_in_a_folder_that_does_not_exist_is_an_error_that_says_what_to_do() {
    let (folder, _) = folder();
    let path = folder.path().join("no/such/folder/x.db");
    let text = words(&Ledger::open(path).unwrap_err());
    assert!(text.contains("check that the folder exists"), "{text}");
}

#[test]
fn a_reader_creates_no_file() {
    let (_folder, path) = folder();
    assert!(matches!(LedgerReader::open(&path), Err(LedgerError::Open { .. })));
    assert!(!path.exists());
}

#[test]
fn a_second_writer_is_refused_and_the_first_goes_on() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    assert!(matches!(Ledger::open(&path), Err(LedgerError::InUse { .. })));
    assert!(ledger.reader().is_ok());
    drop(ledger);
    assert!(Ledger::open(&path).is_ok());
}

#[test]
fn a_folder_is_refused_with_a_message_that_says_so() {
    let (folder, _) = folder();
    for error in [Ledger::open(folder.path()).unwrap_err(), LedgerReader::open(folder.path()).unwrap_err()] {
        assert!(words(&error).contains("it is a folder; name a file in it"), "{error}");
    }
}

#[test]
fn an_empty_file_becomes_a_ledger() {
    let (_folder, path) = folder();
    fs::write(&path, "").unwrap();
    assert!(matches!(LedgerReader::open(&path), Err(LedgerError::Empty { .. })));
    assert!(Ledger::open(&path).is_ok());
    assert!(LedgerReader::open(&path).is_ok());
}

/// The two ways to look differ in what they see of a database whose tables are still in its log. Neither
/// changes anything.
#[test]
fn a_look_sees_the_write_ahead_log_and_changes_nothing() {
    use look::{Reading, State, look};
    let (folder, path) = folder();
    let live = Connection::open(&path).unwrap();
    live.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").unwrap();
    live.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    // A copy without `-shm`, as a backup program makes it of a database that is in use.
    let copy = folder.path().join("a copy? 100%#.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).unwrap();
    let before = files(folder.path());
    assert_eq!(state(&copy, &look::open(&copy, Reading::Alone).unwrap()).unwrap(), State::Empty);
    assert_eq!(look(&copy).unwrap(), State::Ledger(0));
    assert!(files(folder.path()) == before);
}

/// While SQLite copies the log into the database, the first page can already name a size that the file does
/// not have yet. That is no damage, because the log has the missing pages.
#[test]
fn a_look_while_the_log_is_being_copied_finds_no_damage() {
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    let copied = |sql: &str| other.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    // The table is there from the beginning, because a new one moves pages of others.
    other.execute_batch("CREATE TABLE filler (x)").unwrap();
    assert_eq!(copied("PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    let size = fs::metadata(&path).unwrap().len();
    // The log has new pages, and the beginning of the database has arrived.
    other.execute_batch("INSERT INTO filler VALUES (zeroblob(100000))").unwrap();
    let page: Vec<u8> = {
        assert_eq!(copied("PRAGMA wal_checkpoint(PASSIVE)"), 0);
        fs::read(&path).unwrap()[..4_096].to_vec()
    };
    other.execute_batch("INSERT INTO filler VALUES (zeroblob(100000))").unwrap();
    let whole = fs::read(&path).unwrap();
    let cut = usize::try_from(size).unwrap();
    fs::write(&path, [&page, &whole[4_096..cut]].concat()).unwrap();
    let alone = look::open(&path, look::Reading::Alone).unwrap();
    assert_eq!(state(&path, &alone).unwrap_err().kind(), crate::ErrorKind::Damaged);
    assert!(look(&path).is_ok());
    drop(ledger);
}

#[test]
fn a_file_system_without_shared_memory_is_refused() {
    let (_folder, path) = folder();
    // This way of locking of SQLite has no shared memory.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags_and_vfs(&path, flags, c"unix-dotfile").unwrap();
    let refused = configure(&path, &connection).unwrap_err();
    assert!(words(&refused).contains("put the ledger on a local disk"), "{refused}");
}

/// All files of a folder with their content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}
