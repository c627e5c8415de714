//! Rows that are not what was written.

use super::*;
use crate::{LedgerError, RowError};

/// What opening says after `sql` was run on a sound index.
fn opened_after(sql: &str) -> KeyError {
    let file = connection();
    filled(&file, 100);
    assert!(file.execute(sql, []).unwrap() > 0, "{sql} changes something");
    KeyIndex::open_with(&file, TINY).unwrap_err()
}

fn pages(connection: &Connection) -> Vec<(i64, Vec<u8>)> {
    let mut select = connection.prepare("SELECT id, entries FROM key_page").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_damaged_page_is_an_error_that_names_it() {
    let file = connection();
    filled(&file, 100);
    for (id, bytes) in pages(&file) {
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            file.execute("UPDATE key_page SET entries = ?2 WHERE id = ?1", (id, &damaged)).unwrap();
            let error = KeyIndex::open_with(&file, TINY).unwrap_err();
            assert!(error.rebuild_needed());
            let KeyError::Damaged(RowError::KeyPage { run, page, .. }) = error else { panic!("{error}") };
            assert_eq!((run << 32 | page).cast_signed(), id);
        }
        file.execute("UPDATE key_page SET entries = ?2 WHERE id = ?1", (id, &bytes)).unwrap();
    }
    assert!(KeyIndex::open_with(&file, TINY).is_ok());
}

#[test]
fn a_missing_page_and_a_cut_page_are_errors() {
    for sql in [
        "DELETE FROM key_page WHERE id = (SELECT min(id) FROM key_page)",
        "DELETE FROM key_page WHERE id = (SELECT max(id) FROM key_page)",
        "DELETE FROM key_page",
        "UPDATE key_page SET entries = x''",
        "UPDATE key_page SET entries = substr(entries, 1, 6)",
        "UPDATE key_page SET entries = substr(entries, 1, length(entries) - 1)",
    ] {
        let error = opened_after(sql);
        assert!(matches!(error, KeyError::Damaged(RowError::KeyPage { .. })), "{sql}: {error}");
        assert!(matches!(LedgerError::from(error), LedgerError::Damaged(_)));
    }
}

#[test]
fn a_damaged_row_of_the_manifest_is_an_error() {
    for sql in [
        "UPDATE key_run SET id = -id",
        "UPDATE key_run SET id = id + (1 << 40)",
        "UPDATE key_run SET level = -1",
        "UPDATE key_run SET level = 1 << 40",
        "UPDATE key_run SET first_seq = -1",
        "UPDATE key_run SET first_seq = last_seq + 1",
        "UPDATE key_run SET last_seq = 9223372036854775807",
        "UPDATE key_run SET pages = 0",
        "UPDATE key_run SET pages = pages - 1 WHERE pages > 1",
        "UPDATE key_run SET pages = pages + 1",
        "UPDATE key_run SET pages = 9223372036854775807",
        "UPDATE key_run SET entries = entries + 1",
        "UPDATE key_run SET entries = 9223372036854775807",
        "INSERT INTO key_page VALUES (-5, x'00')",
        "INSERT INTO key_page VALUES (9223372036854775807, x'00')",
    ] {
        let error = opened_after(sql);
        assert!(error.rebuild_needed(), "{sql}: {error}");
    }
}

#[test]
fn a_missing_table_is_not_a_reason_to_make_the_index_again() {
    let error = KeyIndex::open(&Connection::open_in_memory().unwrap()).unwrap_err();
    assert!(!error.rebuild_needed(), "{error}");
    assert!(matches!(LedgerError::from(error), LedgerError::Storage(_)));
}

#[test]
fn a_page_that_is_damaged_while_the_index_is_open_is_an_error_of_look_ups_and_merges() {
    let file = connection();
    let mut index = filled(&file, 100);
    file.execute("UPDATE key_page SET entries = substr(entries, 1, length(entries) - 1)", []).unwrap();
    assert!(index.find(&file, key(1), 9).unwrap_err().rebuild_needed());
    assert!(find_on_disk(&file, key(1), 9).unwrap_err().rebuild_needed());
    let mut seq = 100;
    let error = loop {
        seq += 1;
        assert!(seq < 1000, "a merge reads the damaged pages");
        let mark = index.mark();
        index.insert(key(seq), seq);
        let transaction = file.unchecked_transaction().unwrap();
        match index.maintain(&transaction, 10) {
            Ok(()) => transaction.commit().unwrap(),
            Err(error) => {
                drop(transaction);
                index.undo(&mark);
                break error;
            }
        }
    };
    assert!(error.rebuild_needed(), "{error}");
    // What is in memory is found as before.
    assert_eq!(index.find(&file, key(seq - 1), 1).unwrap(), [seq - 1]);
    let mut index = {
        clear(&file).unwrap();
        open(&file)
    };
    for seq in 1..seq {
        index.insert(key(seq), seq);
        maintain(&mut index, &file, 10);
    }
    assert!((1..seq).all(|seq| index.find(&file, key(seq), 9).unwrap() == [seq]));
}
