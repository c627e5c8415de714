use std::error::Error as _;

use rusqlite::{Connection, ffi};

use super::*;

fn failure(code: i32) -> StorageError {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("attempt to write".to_owned())).into()
}

#[test]
fn a_result_code_of_sqlite_becomes_a_message_with_a_remedy() {
    for (code, words) in [
        (ffi::SQLITE_READONLY, "write-protected"),
        (ffi::SQLITE_READONLY_DIRECTORY, "allow this user to write both"),
        (ffi::SQLITE_CANTOPEN, "allow this user to read and write"),
        (ffi::SQLITE_BUSY, "another program has locked the file"),
        (ffi::SQLITE_FULL, "free some space"),
        (ffi::SQLITE_IOERR_READ, "check the disk"),
        (ffi::SQLITE_CORRUPT, "restore the file from a copy"),
        (ffi::SQLITE_NOTADB, "not a database"),
    ] {
        let error = failure(code);
        let text = error.to_string();
        assert!(text.contains(words), "{code}: {text}");
        assert!(!text.contains(&code.to_string()), "{text}");
        assert!(error.source().is_none(), "the source would show the number");
        assert_eq!(error.code(), Some(code));
    }
}

#[test]
fn another_error_keeps_the_message_of_sqlite() {
    let error = Connection::open_in_memory().unwrap().execute_batch("SELECT nothing").unwrap_err();
    assert!(StorageError::from(error).to_string().contains("nothing"));
}

/// A damaged row may be repaired, so that the sender can try again. An observation that cannot be stored
/// must not be sent again.
#[test]
fn a_damaged_row_does_not_make_a_new_observation_unstorable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        use spanledger_event::{EventId, Observation, ObservedAs, Timestamp};
        let ledger = crate::Ledger::open(&path).unwrap();
        let call = |id: &str| {
            Observation::new(EventId::of_request("r", 1), id, ObservedAs::Record, Timestamp::from_nanos(1))
        };
        ledger.append(vec![call("a")]).await.unwrap();
        Connection::open(&path).unwrap().execute_batch("UPDATE observation SET facts = x'7b'").unwrap();
        let error = ledger.append(vec![call("b")]).await.unwrap_err();
        assert!(matches!(error, LedgerError::Damaged(RowError::Facts(_))), "{error:?}");
    });
}
