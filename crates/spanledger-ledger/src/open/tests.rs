use std::error::Error as _;

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
fn a_file_of_another_program_is_refused_and_not_changed() {
    let (folder, _) = folder();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to have a header of its own").unwrap();
    let database = folder.path().join("other.db");
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    for path in [text, database] {
        let before = std::fs::read(&path).unwrap();
        for error in [Ledger::open(&path).unwrap_err(), LedgerReader::open(&path).unwrap_err()] {
            assert!(matches!(error, LedgerError::Foreign { .. }), "{error:?}");
            assert!(words(&error).contains("is not a ledger"), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let mut names: Vec<_> =
        folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["notes.txt", "other.db"], "a file was created next to another program's file");
}

#[test]
fn an_empty_file_becomes_a_ledger() {
    let (_folder, path) = folder();
    std::fs::write(&path, "").unwrap();
    assert!(matches!(LedgerReader::open(&path), Err(LedgerError::Foreign { .. })));
    assert!(Ledger::open(&path).is_ok());
    assert!(LedgerReader::open(&path).is_ok());
}
