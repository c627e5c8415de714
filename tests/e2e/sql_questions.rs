//! The files of `docs/sql` on the engines of the databases: the same events, the same answers everywhere.
//!
//! `tests/sql` has the events, with earlier revisions and void events that must not count, and the answers, which were
//! computed from the events by a program that is not SQL.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use rust_decimal::Decimal;
use spanledger_event::{COLUMNS, Cell, ColumnKind, CostEvent, Timestamp};
use spanledger_sinks::table::{Dialect, Table};
use spanledger_testkit::Postgres;

use crate::support::{peer, peer_command, run, stderr, stdout};

/// The rows of each question. A value is a text, or null.
type Answers = BTreeMap<String, Vec<Vec<Option<String>>>>;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(folder("sql").join(name)).unwrap()
}

/// All revisions, in an order that is not that of time.
fn revisions() -> Vec<CostEvent> {
    read("events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What each customer paid in a month.
fn revenue() -> Vec<(String, String, String)> {
    serde_json::from_str(&read("revenue.json")).unwrap()
}

/// The files of a database.
fn questions(database: &str) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder("../docs/sql").join(database)).unwrap();
    let question = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(file).unwrap())
    };
    files.map(|file| question(file.unwrap().path())).collect()
}

/// A value as a literal of the dialect.
fn literal(dialect: Dialect, cell: &Cell<'_>) -> String {
    let micros = |moment: &Timestamp| {
        let micros = moment.nanos().div_euclid(1_000) * 1_000;
        Timestamp::from_nanos(micros).to_string()
    };
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Text(text) => dialect.literal(text),
        Cell::Json(text) if dialect == Dialect::Snowflake => {
            format!("PARSE_JSON({})", dialect.literal(text))
        }
        Cell::Json(text) => dialect.literal(text),
        Cell::Integer(number) => number.to_string(),
        Cell::Boolean(is) => is.to_string(),
        Cell::Usd(usd) => usd.to_string(),
        Cell::Decimal(number) => number.to_string(),
        Cell::Timestamp(moment) => match dialect {
            Dialect::Postgres => format!("'{}'", micros(moment)),
            Dialect::ClickHouse => {
                let text = moment.to_string();
                format!("'{}'", text.trim_end_matches('Z').replace('T', " "))
            }
            Dialect::BigQuery => format!("TIMESTAMP '{}'", micros(moment)),
            Dialect::Snowflake => format!("'{moment}'::TIMESTAMP_TZ"),
            Dialect::DuckDb => format!("TIMESTAMPTZ '{}'", micros(moment)),
        },
    }
}

/// The statements that make the tables and fill them.
fn setup(dialect: Dialect) -> Vec<String> {
    let table = Table::default_of(dialect);
    let mut statements = table.create_table();
    statements.extend(table.create_views());
    let names: Vec<String> = table.columns.iter().map(|column| dialect.quote(column.name)).collect();
    // Several inserts: a table of ClickHouse then has several parts, and merges them when it is read.
    // In Postgres, one statement may change a row only once, and two revisions of an event may be neighbours.
    let rows_of_an_insert = if dialect == Dialect::Postgres { 1 } else { 20 };
    for revisions in revisions().chunks(rows_of_an_insert) {
        let rows: Vec<String> = revisions
            .iter()
            .map(|event| {
                let values: Vec<String> =
                    table.columns.iter().map(|column| literal(dialect, &(column.get)(event))).collect();
                values.join(", ")
            })
            .collect();
        let rows = match dialect {
            // Functions such as PARSE_JSON cannot stand in VALUES there.
            Dialect::Snowflake => format!("SELECT {}", rows.join(" UNION ALL SELECT ")),
            _ => format!("VALUES ({})", rows.join("), (")),
        };
        // The sink keeps the greatest revision of each event. Elsewhere the views do.
        let conflict = if dialect == Dialect::Postgres {
            let updates: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
            format!(
                " ON CONFLICT (event_id) DO UPDATE SET {} WHERE {}.revision < excluded.revision",
                updates.join(", "),
                table.quoted_name()
            )
        } else {
            String::new()
        };
        let insert = |rows: &str| {
            format!("INSERT INTO {} ({}) {rows}{conflict}", table.quoted_name(), names.join(", "))
        };
        statements.push(insert(&rows));
    }
    let (text, date, money) = match dialect {
        Dialect::ClickHouse => ("String", "Date", "Decimal(18, 2)"),
        Dialect::BigQuery => ("STRING", "DATE", "NUMERIC(18, 2)"),
        Dialect::Postgres | Dialect::Snowflake | Dialect::DuckDb => {
            ("VARCHAR(100)", "DATE", "DECIMAL(18, 2)")
        }
    };
    let engine = if dialect == Dialect::ClickHouse { " ENGINE = Memory" } else { "" };
    statements.push(format!(
        "CREATE TABLE customer_revenue (customer_id {text}, month {date}, revenue_usd {money}){engine}"
    ));
    for (customer, month, revenue) in revenue() {
        let customer = dialect.literal(&customer);
        statements.push(format!(
            "INSERT INTO customer_revenue (customer_id, month, revenue_usd) VALUES ({customer}, '{month}', {revenue})"
        ));
    }
    statements
}

/// Compares answers with the expected ones. Amounts may differ by less than `tolerance`.
fn assert_expected(database: &str, answers: &Answers, tolerance: Decimal) {
    let expected: Answers = serde_json::from_str(&read("answers.json")).unwrap();
    assert_eq!(answers.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{database}");
    for (question, expected) in &expected {
        let rows = &answers[question];
        assert_eq!(rows.len(), expected.len(), "{database}, {question}: {rows:?}");
        for (number, (row, expected)) in rows.iter().zip(expected).enumerate() {
            assert_eq!(row.len(), expected.len(), "{database}, {question}: {row:?}");
            for (value, expected) in row.iter().zip(expected) {
                let is_same = match (value, expected) {
                    (Some(value), Some(expected)) => {
                        match (value.parse::<Decimal>(), expected.parse::<Decimal>()) {
                            (Ok(value), Ok(expected)) => (value - expected).abs() <= tolerance,
                            _ => {
                                value.trim_end_matches(" 00:00:00") == expected.trim_end_matches(" 00:00:00")
                            }
                        }
                    }
                    (value, expected) => value == expected,
                };
                assert!(
                    is_same,
                    "{database}, {question}, row {number}: {value:?} is not {expected:?} in\n{row:?}"
                );
            }
        }
    }
}

/// What an engine that Python runs answers.
fn ask(dialect: Dialect) -> Option<Answers> {
    let python = peer("venv-engines/bin/python")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/sql_engine.py");
    let work = serde_json::json!({"setup": setup(dialect), "questions": questions(dialect.name())});
    let mut engine = peer_command(&python)
        .args([script, dialect.name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The engine reads everything before it prints.
    engine.stdin.take().unwrap().write_all(work.to_string().as_bytes()).unwrap();
    let output = engine.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    Some(serde_json::from_str(&stdout(&output)).unwrap())
}

fn check(dialect: Dialect) {
    // fakesnow adds amounts as floats, unlike Snowflake.
    let tolerance = if dialect == Dialect::Snowflake { Decimal::new(1, 9) } else { Decimal::ZERO };
    if let Some(answers) = ask(dialect) {
        assert_expected(dialect.name(), &answers, tolerance);
    }
}

#[test]
fn clickhouse_gives_the_expected_answers() {
    check(Dialect::ClickHouse);
}

#[test]
fn bigquery_gives_the_expected_answers_as_far_as_sqlglot_knows_it() {
    check(Dialect::BigQuery);
}

#[test]
fn snowflake_gives_the_expected_answers_as_far_as_fakesnow_knows_it() {
    check(Dialect::Snowflake);
}

#[test]
fn duckdb_gives_the_expected_answers() {
    check(Dialect::DuckDb);
}

#[test]
fn postgres_gives_the_expected_answers() {
    // The answers must not depend on the session's time zone.
    let Some(server) = Postgres::start_with(&["timezone=America/New_York"]) else { return };
    let script = setup(Dialect::Postgres).iter().fold(String::new(), |script, sql| script + sql + ";\n");
    server.query(&script).unwrap();
    let rows = |sql: &str| {
        let csv = server.query(sql).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let value = |text: &str| (text != "NULL").then(|| text.to_owned());
        reader.records().map(|row| row.unwrap().iter().map(value).collect()).collect()
    };
    let answers: Answers = questions("postgres").into_iter().map(|(name, sql)| (name, rows(&sql))).collect();
    assert_expected("postgres", &answers, Decimal::ZERO);
}

/// A ledger with the latest revisions. The rows are written by the test, because a ledger only takes observations.
fn ledger(path: &Path) -> rusqlite::Connection {
    assert!(run(&["demo", "--ledger", path.to_str().unwrap()]).status.success());
    let ledger = rusqlite::Connection::open(path).unwrap();
    ledger.execute_batch("DELETE FROM event; DELETE FROM observation;").unwrap();
    let mut latest: HashMap<String, CostEvent> = HashMap::new();
    for event in revisions() {
        let stored = latest.entry(event.event_id.as_str().to_owned()).or_insert_with(|| event.clone());
        if stored.revision < event.revision {
            *stored = event;
        }
    }
    for (number, event) in latest.values().enumerate() {
        let number = i64::try_from(number + 1).unwrap();
        let mut names = vec!["seq".to_owned(), "change_seq".to_owned()];
        let mut values: Vec<rusqlite::types::Value> = vec![number.into(), number.into()];
        for column in COLUMNS {
            // The form in which the ledger stores these two is not what is tested here.
            if matches!(column.name, "usage_raw" | "cost_lines") {
                continue;
            }
            let name = column.name.to_owned();
            match (column.get)(event) {
                Cell::Null => {}
                Cell::Usd(usd) => {
                    let (micros, picos) = usd.to_parts().unwrap();
                    names.extend([format!("{name}_micros"), format!("{name}_picos")]);
                    values.extend([micros.into(), picos.into()]);
                }
                cell => {
                    names.push(name.clone());
                    values.push(match cell {
                        Cell::Text(text) if name == "state" => ledger
                            .query_row("SELECT id FROM word WHERE text = ?", [text.as_ref()], |row| {
                                row.get(0)
                            })
                            .map_or_else(|_| text.into_owned().into(), |id: i64| id.into()),
                        Cell::Text(text) | Cell::Json(text) => text.into_owned().into(),
                        Cell::Integer(number) => number.into(),
                        Cell::Boolean(is) => i64::from(is).into(),
                        Cell::Decimal(number) => number.to_string().into(),
                        Cell::Timestamp(moment) => moment.nanos().into(),
                        Cell::Null | Cell::Usd(_) => unreachable!("matched above"),
                    });
                }
            }
        }
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!("INSERT INTO event ({}) VALUES ({marks})", names.join(", "));
        ledger.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
    }
    ledger
}

#[test]
fn the_ledger_gives_the_expected_answers() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("ledger.db"));
    ledger
        .execute_batch("ATTACH ':memory:' AS revenue; CREATE TABLE revenue.customer_revenue (customer_id TEXT, month TEXT, revenue_usd REAL);")
        .unwrap();
    for (customer, month, revenue) in revenue() {
        let sql = "INSERT INTO customer_revenue VALUES (?, ?, CAST(? AS REAL))";
        ledger.execute(sql, [customer, month, revenue]).unwrap();
    }
    let rows = |sql: &str| {
        let mut statement = ledger.prepare(sql).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Vec<Option<String>>> {
            let value = |index| {
                Ok(match row.get(index)? {
                    rusqlite::types::Value::Null => None,
                    rusqlite::types::Value::Integer(number) => Some(number.to_string()),
                    rusqlite::types::Value::Real(number) => Some(number.to_string()),
                    rusqlite::types::Value::Text(text) => Some(text),
                    rusqlite::types::Value::Blob(_) => Some("bytes".to_owned()),
                })
            };
            (0..width).map(value).collect()
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    let answers: Answers = questions("sqlite").into_iter().map(|(name, sql)| (name, rows(&sql))).collect();
    // Amounts are floats there.
    assert_expected("sqlite", &answers, Decimal::new(1, 9));
}

#[test]
fn every_database_has_every_question() {
    let expected: Answers = serde_json::from_str(&read("answers.json")).unwrap();
    for database in Dialect::ALL.map(Dialect::name).into_iter().chain(["sqlite"]) {
        let questions = questions(database);
        assert!(questions.keys().eq(expected.keys()), "{database}: {:?}", questions.keys());
        for (name, sql) in questions {
            assert!(!sql.contains("{{"), "{database}, {name}");
        }
    }
    assert!(COLUMNS.iter().any(|column| column.kind == ColumnKind::Usd));
}
