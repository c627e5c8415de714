//! The view `openai_events` as programs read it that know nothing of Spanledger: Python's SQLite, pandas and
//! `DuckDB`.

use std::path::Path;

use serde_json::Value;
use spanledger_event::{COLUMNS, ColumnKind};

use crate::support::{peer, peer_command, run, stderr, stdout};

/// What `sql_view.py` says of a ledger.
fn read(python: &Path, ledger: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/sql_view.py");
    let output = peer_command(python).arg(script).arg(ledger).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// A ledger of the demo in this folder.
fn demo(folder: &Path) -> rusqlite::Connection {
    let ledger = folder.join("demo.db");
    assert!(run(&["demo", "--ledger", ledger.to_str().unwrap()]).status.success());
    rusqlite::Connection::open(ledger).unwrap()
}

/// The columns of the view with their kinds. An amount has three.
fn columns() -> Vec<(String, ColumnKind)> {
    let of = |name: &str| name.to_owned();
    let columns = COLUMNS.iter().flat_map(|column| {
        let mut columns = vec![(of(column.name), column.kind)];
        if column.kind == ColumnKind::Usd {
            for part in ["micros", "picos"] {
                columns.push((format!("{}_{part}", column.name), ColumnKind::Integer));
            }
        }
        columns
    });
    columns.collect()
}

fn duckdb_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Usd | ColumnKind::Decimal => "DOUBLE",
        ColumnKind::Integer => "BIGINT",
        ColumnKind::Boolean => "BOOLEAN",
        ColumnKind::Text | ColumnKind::Json | ColumnKind::Timestamp => "VARCHAR",
    }
}

/// Whether a number is the expected one, but for the rounding of floats.
fn is_about(number: &Value, expected: f64) -> bool {
    number.as_f64().is_some_and(|number| (number - expected).abs() <= expected.abs() * 1e-12)
}

#[test]
fn amounts_are_numbers_in_sqlite_pandas_and_duckdb_and_every_column_has_its_type() {
    let Some(python) = peer("venv/bin/python") else { return };
    let folder = tempfile::tempdir().unwrap();
    let connection = demo(folder.path());
    let ledger = folder.path().join("demo.db");
    let path = ledger.to_str().unwrap();
    let report = stdout(&run(&["report", "--ledger", path, "--by", "day", "--format", "json"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    // The integers beside the amounts say what must come out.
    let exact = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    let (micros, picos) = ("cost_usd_micros", "cost_usd_picos");
    let above = exact(&format!(
        "SELECT count(*) FROM openai_events WHERE {micros} > 100000 OR {micros} = 100000 AND {picos} > 0"
    ));
    let between = exact(&format!(
        "SELECT count(*) FROM openai_events WHERE {micros} BETWEEN 1000000 AND 9999999 AND {micros} + {picos} > 1000000"
    ));
    let mut dearest = connection
        .prepare(&format!(
            "SELECT event_id FROM openai_events WHERE {micros} IS NOT NULL ORDER BY {micros} DESC, {picos} DESC, event_id"
        ))
        .unwrap();
    let dearest: Vec<String> = dearest.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let usd = |condition: &str| -> f64 {
        let sql =
            format!("SELECT sum({micros}) / 1e6 + sum({picos}) / 1e12 FROM openai_events WHERE {condition}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let total = usd("true");
    let greatest = usd(&format!("event_id = '{}'", dearest[0]));
    let times = connection.prepare("SELECT timestamp FROM event WHERE state <> 3 ORDER BY timestamp");
    let milliseconds: Vec<i64> = times
        .unwrap()
        .query_map([], |row| row.get::<_, i64>(0))
        .unwrap()
        .map(|nanos| nanos.unwrap().div_euclid(1_000_000) % 1_000)
        .collect();
    assert!(above > 0 && above < report["total"]["requests"].as_i64().unwrap() / 2, "{above}");
    assert!(milliseconds.iter().any(|millis| *millis > 0));

    let answers = read(&python, path);

    for reader in ["sqlite", "pandas", "duckdb"] {
        let answer = &answers[reader];
        assert_eq!(answer["requests"], report["total"]["requests"], "{reader}");
        assert_eq!(answer["tokens"], report["total"]["prompt_tokens"], "{reader}");
        assert_eq!(answer["above"], above, "{reader}");
        assert_eq!(answer["between"], between, "{reader}");
        assert_eq!(answer["dearest"], Value::from(dearest.clone()), "{reader}");
        assert!(is_about(&answer["max"], greatest), "{reader}: {} is not {greatest}", answer["max"]);
        assert!(is_about(&answer["sum"], total), "{reader}: {} is not {total}", answer["sum"]);
        // The sums of the integers are the report's sum to the last digit.
        let part = |name: &str| i128::from(answer[name].as_i64().unwrap());
        let billed: rust_decimal::Decimal = report["total"]["billed_usd"].to_string().parse().unwrap();
        let in_picos = (billed * rust_decimal::Decimal::from(1_000_000_000_000_i64)).normalize();
        let sum = part("billed_micros") * 1_000_000 + part("billed_picos");
        assert_eq!(sum.to_string(), in_picos.to_string(), "{reader}");
        let days = answer["days"].as_array().unwrap();
        let rows = report["rows"].as_array().unwrap();
        assert_eq!(days.len(), rows.len(), "{reader}");
        for (day, row) in days.iter().zip(rows) {
            assert_eq!((&day[0], &day[1]), (&row["name"], &row["requests"]), "{reader}");
            assert!(is_about(&day[2], row["billed_usd"].as_f64().unwrap()), "{reader}: {day} is not {row}");
        }
        let times: Vec<i64> = answer["times"].as_array().unwrap().iter().map(millis).collect();
        assert_eq!(times, milliseconds, "{reader}");
    }
    let expected: Vec<Value> = columns()
        .into_iter()
        .map(|(name, kind)| Value::from(vec![name, duckdb_type(kind).to_owned()]))
        .collect();
    assert_eq!(answers["duckdb_types"], Value::from(expected));
    for (name, kind) in columns() {
        // Pandas makes no type of a column without values.
        let Some(is_number) = answers["pandas_numbers"].get(&name) else { continue };
        assert_eq!(*is_number, !matches!(duckdb_type(kind), "VARCHAR"), "{name}");
    }
    assert_eq!(answers["different"], Value::from(Vec::<Value>::new()));
    let latest = answers["sqlite"]["times"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let latest = latest.replace('T', " ").replace('Z', "000");
    assert_eq!(answers["duckdb_latest"].as_str().unwrap(), latest);
}

/// The milliseconds of a timestamp such as `2026-11-21T10:00:00.123Z`.
fn millis(time: &Value) -> i64 {
    let time = time.as_str().unwrap();
    time[20..23].parse().unwrap()
}

/// The page says that its examples were run.
#[test]
fn the_examples_of_the_page_about_the_ledger_run() {
    let folder = tempfile::tempdir().unwrap();
    let connection = demo(folder.path());
    let page = include_str!("../../docs/ledger.md");
    let blocks = page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let (mut run, mut without_rows) = (0, Vec::new());
    // The other block is for DuckDB.
    for sql in blocks.filter(|sql| !sql.contains("ATTACH")) {
        let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{error} in\n{sql}"));
        let mut rows = statement.query([]).unwrap();
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        if count == 0 {
            without_rows.push(sql);
        }
        run += 1;
    }
    assert_eq!(run, 10);
    // The demo has no quarantined event.
    assert!(without_rows.iter().all(|sql| sql.contains("quarantined")), "{without_rows:#?}");
}

#[test]
fn every_column_of_the_view_has_a_type_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let connection = demo(folder.path());
    let mut statement =
        connection.prepare("SELECT name, type FROM pragma_table_info('openai_events')").unwrap();
    let types: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let expected = columns().into_iter().map(|(name, kind)| {
        let kind = match duckdb_type(kind) {
            "DOUBLE" => "REAL",
            "BIGINT" => "INT",
            "BOOLEAN" => "NUM",
            _ => "TEXT",
        };
        (name, kind.to_owned())
    });
    assert_eq!(types, expected.collect::<Vec<_>>());
}
