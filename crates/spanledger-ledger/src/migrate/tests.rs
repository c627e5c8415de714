use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use spanledger_event::{ColumnKind, EventId, Timestamp, Usd};
use tempfile::TempDir;

use super::*;
use crate::{GroupBy, Ledger, LedgerError, LedgerReader, Query};

/// A ledger of version 1 with two events from three observations.
const VERSION_1: &str = include_str!("../../tests/golden/ledger.v1.sql");

fn version_1() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    (folder, path)
}

fn version_of(path: &Path) -> i64 {
    Connection::open(path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// The columns of every table and view with their types, and the indexes. Their order within a table
/// does not matter.
fn tables(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT m.type || ' ' || m.name || ' ' || coalesce(c.name || ' ' || c.type || ' ' || c.\"notnull\", m.sql)
             FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c ON m.type <> 'index'
             WHERE m.name NOT LIKE 'sqlite_%' ORDER BY 1",
        )
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn rows(connection: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5")).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| (0..width).map(|index| row.get(index)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

/// The tables of a later version: three more columns and a step.
fn later() -> Target {
    let since = TARGET.version() + 1;
    let column = |name, kind, nullable, like: &str| {
        let since = u32::try_from(since).unwrap();
        Column { name, kind, nullable, since, ..*Column::named(like).unwrap() }
    };
    let mut columns = COLUMNS.to_vec();
    columns.insert(3, column("cache_hits", ColumnKind::Integer, true, "prompt_tokens"));
    columns.push(column("invoice_usd", ColumnKind::Usd, true, "cost_usd"));
    columns.push(column("labels", ColumnKind::Json, false, "dims"));
    let step =
        Step { since, sql: "CREATE INDEX event_customer ON event (customer_id)", readers_need_it: false };
    Target { columns: columns.leak(), steps: vec![step].leak(), newest_measure: since }
}

#[test]
fn a_ledger_of_version_1_opens_with_the_tables_of_a_new_one() {
    let (folder, path) = version_1();
    drop(Ledger::open(&path).unwrap());
    let new = folder.path().join("new.db");
    drop(Ledger::open(&new).unwrap());
    assert_eq!(version_of(&path), TARGET.version());
    assert_eq!(tables(&path), tables(&new));
}

#[test]
fn the_events_of_version_1_are_read_and_its_observations_are_known() {
    let (_folder, path) = version_1();
    let ledger = Ledger::open(&path).unwrap();
    let reader = ledger.reader().unwrap();
    let event = reader.event(&EventId::of_request("order-7", 1)).unwrap().unwrap();
    assert_eq!((event.revision, event.billed_usd), (2, Some(Usd::from_picos(7_012_500_000_001))));
    assert_eq!(event.timestamp, Timestamp::from_nanos(1_700_000_000_000_000_000));
    assert_eq!(event.dims["team"], "growth");
    let total = reader.report(&Query::by(GroupBy::Feature)).unwrap().total;
    assert_eq!((total.requests, total.attempts, total.unpriced), (2, 3, 1));
    // The changes follow the three observations, and the cursor moves with them.
    assert_eq!((reader.cursor("stdout").unwrap(), reader.summary().unwrap().last_change), (4, 6));
    assert_eq!(reader.summary().unwrap().observations, 3);

    let mut observations = Vec::new();
    let words = reader.words().unwrap();
    crate::journal::scan(&reader.connection, &words, 0, |_, observation| {
        observations.push(observation);
        Ok(())
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let appended = runtime.block_on(ledger.append(observations)).unwrap();
    assert_eq!((appended.new, appended.duplicates), (0, 3));
}

/// The rows of version 1 that say what was observed, as the program of that version wrote them.
#[test]
fn an_observation_of_version_1_is_the_same_observation_now() {
    let (_folder, path) = version_1();
    let old: Vec<spanledger_event::Observation> = {
        let connection = Connection::open(&path).unwrap();
        let mut statement = connection.prepare("SELECT facts FROM observation ORDER BY seq").unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|json| serde_json::from_str(&json.unwrap()).unwrap()).collect()
    };
    let ledger = Ledger::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let appended = runtime.block_on(ledger.append(old)).unwrap();
    assert_eq!((appended.new, appended.duplicates), (0, 3));
}

#[test]
fn a_ledger_of_version_2_is_brought_up_to_date() {
    let (folder, path) = version_1();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE INDEX event_explained ON event (timestamp) WHERE error_code IS NOT NULL;
             PRAGMA user_version = 2",
        )
        .unwrap();
    drop(Ledger::open(&path).unwrap());
    let new = folder.path().join("new.db");
    drop(Ledger::open(&new).unwrap());
    assert_eq!((version_of(&path), tables(&path)), (TARGET.version(), tables(&new)));
}

/// Version 3 wrote the roll-ups together with the events.
#[test]
fn a_ledger_of_version_3_is_brought_up_to_date_and_its_events_count_once() {
    let (folder, path) = version_1();
    let new = folder.path().join("new.db");
    drop((Ledger::open(&path).unwrap(), Ledger::open(&new).unwrap()));
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "ALTER TABLE ledger DROP COLUMN rolled_up; ALTER TABLE ledger DROP COLUMN pruned_to;
             ALTER TABLE batch DROP COLUMN known; DROP TABLE dead_letter;
             PRAGMA user_version = 3",
        )
        .unwrap();
    let before = rows(&Connection::open(&path).unwrap(), "rollup_hour");
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!((version_of(&path), tables(&path)), (TARGET.version(), tables(&new)));
    let reader = ledger.reader().unwrap();
    let query = Query::by(GroupBy::Feature);
    assert_eq!(reader.report(&query).unwrap(), reader.report_from_events(&query).unwrap());
    // The next transaction finds nothing to add.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(ledger.advance("sink", 0)).unwrap();
    drop(ledger);
    assert_eq!(rows(&Connection::open(&path).unwrap(), "rollup_hour"), before);
}

/// Version 4 had one batch in flight for each follower and no dead letters.
#[test]
fn a_ledger_of_version_4_keeps_its_batches_and_cursors() {
    let (folder, path) = version_1();
    let new = folder.path().join("new.db");
    drop((Ledger::open(&path).unwrap(), Ledger::open(&new).unwrap()));
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "ALTER TABLE ledger DROP COLUMN pruned_to;
             ALTER TABLE batch DROP COLUMN known;
             DROP TABLE dead_letter;
             INSERT INTO batch (follower, cursor, last) VALUES ('stdout', 4, 6);
             PRAGMA user_version = 4",
        )
        .unwrap();
    let is_older =
        matches!(LedgerReader::open(&path).unwrap_err(), LedgerError::OlderVersion { found: 4, .. });
    assert!(is_older, "a reader needs the new tables");
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!((version_of(&path), tables(&path)), (TARGET.version(), tables(&new)));
    let reader = ledger.reader().unwrap();
    assert_eq!((reader.cursor("stdout").unwrap(), reader.dead_letters("stdout").unwrap()), (4, Vec::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let ranges = ledger.batches("stdout").await.unwrap();
        assert_eq!((ranges.len(), ranges[0].cursor, ranges[0].last), (1, 4, 6));
        assert!(!reader.batch(&ranges[0]).unwrap().changes.is_empty());
        ledger.rewind("stdout", 0).await.unwrap();
        assert_eq!(ledger.next_batch("stdout", 0, 9).await.unwrap().unwrap().range.last, 6);
    });
}

#[test]
fn a_ledger_of_version_4_of_which_something_was_pruned_says_so_to_a_cursor_that_moves_back() {
    let (_folder, path) = version_1();
    drop(Ledger::open(&path).unwrap());
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "ALTER TABLE ledger DROP COLUMN pruned_to;
             ALTER TABLE batch DROP COLUMN known;
             DROP TABLE dead_letter;
             DELETE FROM observation WHERE seq = 1; DELETE FROM event WHERE seq = 1;
             PRAGMA user_version = 4",
        )
        .unwrap();
    let ledger = Ledger::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(ledger.rewind("stdout", 0)).unwrap_err();
    assert!(matches!(error, LedgerError::Pruned { pruned_to: 4, .. }), "{error:?}");
}

#[test]
fn a_new_column_and_a_step_are_added_to_an_existing_ledger() {
    let (_folder, path) = version_1();
    let mut connection = Connection::open(&path).unwrap();
    later().migrate(&mut connection, 1).unwrap();
    assert_eq!(version_of(&path), later().version());
    let mut statement = connection
        .prepare("SELECT cache_hits, invoice_usd_micros, invoice_usd_picos, labels, customer_id FROM event")
        .unwrap();
    let values = statement.query_map([], |row| {
        let nulls: [Option<i64>; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        Ok((nulls, row.get::<_, String>(3)?, row.get::<_, Option<String>>(4)?))
    });
    let values: Vec<_> = values.unwrap().map(Result::unwrap).collect();
    let expected = |customer: Option<&str>| ([None; 3], "{}".to_owned(), customer.map(str::to_owned));
    assert_eq!(values, [expected(Some("acme")), expected(None)]);
    connection.prepare("SELECT cache_hits, invoice_usd, labels FROM openai_events").unwrap();
    assert!(tables(&path).iter().any(|table| table.starts_with("index event_customer")));
    assert_eq!(rows(&connection, "rollup_hour").len(), 2, "the roll-ups were not rebuilt");
}

#[test]
fn rebuilt_roll_ups_equal_those_that_appends_updated() {
    let (_folder, path) = version_1();
    drop(Ledger::open(&path).unwrap());
    let mut connection = Connection::open(&path).unwrap();
    for table in ["rollup_hour", "rollup_day"] {
        let before = rows(&connection, table);
        connection.execute_batch(&format!("UPDATE {table} SET requests = 99")).unwrap();
        let transaction = connection.transaction().unwrap();
        rollup::rebuild(&transaction).unwrap();
        transaction.commit().unwrap();
        assert_eq!(rows(&connection, table), before);
    }
}

#[test]
fn a_rebuild_puts_a_time_before_1970_into_the_same_bucket_as_an_append() {
    let (_folder, path) = version_1();
    drop(Ledger::open(&path).unwrap());
    let mut connection = Connection::open(&path).unwrap();
    connection.execute_batch("UPDATE event SET timestamp = -1").unwrap();
    let transaction = connection.transaction().unwrap();
    rollup::rebuild(&transaction).unwrap();
    let bucket: i64 =
        transaction.query_row("SELECT DISTINCT bucket FROM rollup_hour", [], |row| row.get(0)).unwrap();
    assert_eq!(bucket, -rollup::HOUR.bucket_nanos);
}

#[test]
fn a_crash_in_the_middle_leaves_the_old_version() {
    let (folder, path) = version_1();
    let before = tables(&path);
    let copy = folder.path().join("copy.db");
    {
        let mut connection = Connection::open(&path).unwrap();
        let transaction = connection.transaction().unwrap();
        later().apply(&transaction, 1).unwrap();
        // The copy is in the state in which the files are when the process dies before the commit.
        for ending in ["", "-wal"] {
            let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
            std::fs::copy(name(&path), name(&copy)).unwrap();
        }
    }
    for path in [path, copy] {
        assert_eq!((version_of(&path), tables(&path)), (1, before.clone()));
        later().migrate(&mut Connection::open(&path).unwrap(), 1).unwrap();
        assert_eq!(version_of(&path), later().version());
    }
}

#[test]
fn a_step_that_fails_leaves_the_old_version() {
    let (_folder, path) = version_1();
    let before = tables(&path);
    let step = Step {
        since: later().version() + 1,
        sql: "CREATE INDEX event_customer ON event (no_such_column)",
        readers_need_it: false,
    };
    let target = Target { steps: vec![step].leak(), ..later() };
    assert!(target.migrate(&mut Connection::open(&path).unwrap(), 1).is_err());
    assert_eq!((version_of(&path), tables(&path)), (1, before));
}

#[test]
fn a_ledger_of_a_later_version_is_refused_and_not_changed() {
    let (_folder, path) = version_1();
    later().migrate(&mut Connection::open(&path).unwrap(), 1).unwrap();
    let before = std::fs::read(&path).unwrap();
    for error in [Ledger::open(&path).unwrap_err(), LedgerReader::open(&path).unwrap_err()] {
        let (later, ours) = (later().version(), TARGET.version());
        let is_newer = matches!(error, LedgerError::NewerVersion { found, known, .. } if (found, known) == (later, ours));
        assert!(is_newer, "{error:?}");
        assert!(error.to_string().contains("use a newer spanledger"), "{error}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Scenario: a report over an old file, such as a backup, that no `serve` of this version has opened.
#[test]
fn a_reader_refuses_versions_1_and_2_and_leaves_them_as_they_are() {
    let (_folder, path) = version_1();
    for version in [1, 2] {
        Connection::open(&path).unwrap().pragma_update(None, "user_version", version).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = LedgerReader::open(&path).unwrap_err();
        assert!(matches!(error, LedgerError::OlderVersion { found, .. } if found == version), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn readers_need_columns_measures_and_tables_but_no_index() {
    let step = |readers_need_it| vec![Step { since: 8, sql: "", readers_need_it }].leak();
    let target = |steps, newest_measure| Target { columns: COLUMNS, steps, newest_measure };
    assert_eq!((target(step(false), 1).readable_since(), target(step(false), 1).version()), (STORE, 8));
    assert_eq!((target(step(true), 1).readable_since(), target(step(true), 1).version()), (8, 8));
    assert_eq!(target(step(false), 7).readable_since(), 7);
    let newest_column = later().columns.iter().map(|column| i64::from(column.since)).max().unwrap();
    assert_eq!(later().readable_since(), newest_column);
}

#[test]
fn a_reader_refuses_a_ledger_of_an_earlier_version_and_says_what_to_do() {
    let (_folder, path) = version_1();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 0).unwrap();
    let error = LedgerReader::open(&path).unwrap_err();
    assert!(matches!(error, LedgerError::OlderVersion { found: 0, .. }), "{error:?}");
    assert!(error.to_string().contains("start `spanledger serve`"), "{error}");
}

#[test]
fn every_change_belongs_to_a_version() {
    let version = u32::try_from(TARGET.version()).unwrap();
    assert!(COLUMNS.iter().all(|column| (1..=version).contains(&column.since)));
    assert!(MEASURES.iter().all(|measure| (1..=TARGET.version()).contains(&measure.since)));
    assert!(STEPS.is_sorted_by_key(|step| step.since) && STEPS.iter().all(|step| step.since > 1));
}
