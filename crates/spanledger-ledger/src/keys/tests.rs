use rusqlite::Connection;

use super::*;

mod damage;
mod filter;
mod model;
mod page;
mod volume;

/// The key of a number: like a hash, and different for different numbers.
fn key(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Everything happens after a few insertions: pages of about four entries, merges of two runs.
const TINY: Limits = Limits { freeze: 8, page_bytes: 44, fan_out: 2, slice: 1 };

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(DDL).unwrap();
    connection
}

fn open(connection: &Connection) -> KeyIndex {
    KeyIndex::open_with(connection, TINY).unwrap()
}

/// One transaction with nothing but the work beside insertion.
fn maintain(index: &mut KeyIndex, connection: &Connection, observations: usize) {
    let transaction = connection.unchecked_transaction().unwrap();
    index.maintain(&transaction, observations).unwrap();
    transaction.commit().unwrap();
}

/// An index of so many observations with two keys each, in runs as far as they were frozen.
fn filled(connection: &Connection, observations: u64) -> KeyIndex {
    let mut index = open(connection);
    for seq in 1..=observations {
        index.insert(key(seq), seq);
        index.insert(key(seq / 3 + 1_000_000), seq);
        maintain(&mut index, connection, 1);
    }
    for _ in 0..100 {
        maintain(&mut index, connection, 10);
    }
    index
}

fn count(connection: &Connection, table: &str) -> u64 {
    let count: i64 =
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    count.cast_unsigned()
}

#[test]
fn an_absent_key_is_looked_up_without_the_file() {
    let file = connection();
    let index = filled(&file, 500);
    assert!(index.stats().runs > 1);
    // Every statement fails here: there is no table.
    let nothing = Connection::open_in_memory().unwrap();
    let absent: Vec<u64> = (5_000_000..5_001_000).map(key).filter(|key| !index.may_contain(*key)).collect();
    assert!(absent.len() > 900);
    for key in absent {
        assert!(index.find(&nothing, key, 10).unwrap().is_empty());
    }
    assert!(index.find(&nothing, key(1), 10).is_err());
}

#[test]
fn numbers_are_found_newest_first_and_not_more_than_the_limit() {
    let file = connection();
    let mut index = open(&file);
    let many = key(7);
    for seq in 1..=300 {
        index.insert(many, seq);
        index.insert(key(seq + 100), seq);
        maintain(&mut index, &file, 1);
    }
    for limit in [0, 1, 2, 9, 100, 257, 300, 400] {
        let expected: Vec<u64> = (1..=300).rev().take(limit).collect();
        assert_eq!(index.find(&file, many, limit).unwrap(), expected);
        let last = last_seq_on_disk(&file).unwrap();
        assert_eq!(last, index.last_seq().max(last));
        let expected: Vec<u64> = (1..=last).rev().take(limit).collect();
        assert_eq!(find_on_disk(&file, many, limit).unwrap(), expected);
    }
}

#[test]
fn one_observation_with_a_key_twice_is_found_once() {
    let mut index = open(&connection());
    index.insert(1, 5);
    index.insert(1, 5);
    index.insert(1, 6);
    assert_eq!(index.find(&connection(), 1, 9).unwrap(), [6, 5]);
}

#[test]
fn keys_that_agree_in_the_stored_bits_find_each_other_and_lose_nothing() {
    let file = connection();
    let mut index = open(&file);
    for seq in 1..=40 {
        index.insert(0xABCD_0000_0000_0000 | (seq % 4), seq);
        maintain(&mut index, &file, 5);
    }
    for _ in 0..20 {
        maintain(&mut index, &file, 5);
    }
    assert_eq!(index.last_seq(), 40);
    let expected: Vec<u64> = (1..=40).rev().collect();
    assert_eq!(index.find(&file, 0xABCD_0000_0000_0001, 100).unwrap(), expected);
}

#[test]
fn a_merge_that_was_interrupted_leaves_nothing_behind() {
    let file = connection();
    let mut index = filled(&file, 64);
    // Freezes and merges begin; the index is dropped in their middle.
    for seq in 65..=200 {
        index.insert(key(seq), seq);
    }
    let mut interrupted = false;
    for _ in 0..4 {
        maintain(&mut index, &file, 1);
        let stats = index.stats();
        if stats.pages + stats.unneeded_pages < count(&file, "key_page") {
            interrupted = true;
            break;
        }
    }
    assert!(interrupted, "a run is being written");
    let mut index = open(&file);
    assert!(index.stats().unneeded_pages > 0);
    for seq in index.last_seq() + 1..=200 {
        index.insert(key(seq), seq);
        maintain(&mut index, &file, 1);
    }
    for _ in 0..100 {
        maintain(&mut index, &file, 10);
    }
    let stats = index.stats();
    assert_eq!((stats.unneeded_pages, stats.merges), (0, 0));
    assert_eq!(stats.pages, count(&file, "key_page"));
    assert_eq!(stats.runs, count(&file, "key_run"));
    for seq in 1..=200 {
        assert_eq!(index.find(&file, key(seq), 9).unwrap(), [seq]);
    }
}

#[test]
fn a_commit_that_fails_again_and_again_loses_nothing() {
    let file = connection();
    let mut index = filled(&file, 100);
    let before = index.stats();
    for _ in 0..50 {
        let mark = index.mark();
        for seq in 101..=120 {
            index.insert(key(seq), seq);
        }
        let transaction = file.unchecked_transaction().unwrap();
        index.maintain(&transaction, 3).unwrap();
        drop(transaction);
        index.undo(&mark);
        assert!(index.find(&file, key(101), 1).unwrap().is_empty());
    }
    let after = index.stats();
    assert_eq!((after.keys_in_memory, after.keys_in_runs), (before.keys_in_memory, before.keys_in_runs));
    for seq in 101..=120 {
        index.insert(key(seq), seq);
    }
    for _ in 0..30 {
        maintain(&mut index, &file, 10);
    }
    assert!(index.last_seq() >= 100);
    for seq in 1..=120 {
        assert_eq!(index.find(&file, key(seq), 9).unwrap(), [seq]);
    }
}

#[test]
fn a_cleared_index_is_empty() {
    let file = connection();
    filled(&file, 100);
    assert!(last_seq_on_disk(&file).unwrap() > 0);
    clear(&file).unwrap();
    let index = open(&file);
    assert_eq!((index.last_seq(), index.stats().pages), (0, 0));
    assert!(find_on_disk(&file, key(1), 9).unwrap().is_empty());
}
