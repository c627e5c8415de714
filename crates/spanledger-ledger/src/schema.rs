//! The tables of a ledger file, derived from the columns of the event and the measures.

use spanledger_event::{COLUMNS, Cell, Column, CostEvent};

use crate::{
    keys, outbox, reasons,
    rollup::{DAY, HOUR},
    storage::{self, ViewColumn},
    words,
};

/// The columns of an event's row before those of the event's columns.
pub(crate) const HEAD: [&str; 4] = ["seq", "change_seq", "evidence", "epoch"];

/// The names of the SQL columns of the event's columns, in their order.
pub(crate) fn event_columns(columns: &[Column]) -> impl Iterator<Item = String> {
    columns.iter().flat_map(storage::sql_columns).map(|(name, _)| name)
}

/// The columns of the tables `event` and `superseded`.
fn event_ddl() -> String {
    let columns = COLUMNS.iter().flat_map(|column| {
        let null = if storage::is_nullable(column) { "" } else { " NOT NULL" };
        storage::sql_columns(column).into_iter().map(move |(name, kind)| format!("    {name} {kind}{null}"))
    });
    columns.collect::<Vec<_>>().join(",\n")
}

/// The tables, indexes and views of a new ledger.
pub(crate) fn ddl() -> String {
    format!(
        "CREATE TABLE ledger (
    id TEXT NOT NULL,
    key_seed INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    handed_out INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    observations INTEGER NOT NULL,
    rolled_up INTEGER NOT NULL DEFAULT 0,
    pruned_to INTEGER NOT NULL DEFAULT 0
) STRICT;
{words}

CREATE TABLE observation (
    seq INTEGER PRIMARY KEY,
    response_id TEXT,
    trace_id ANY,
    span_id ANY,
    parent_span_id ANY,
    usage_raw_form INTEGER,
    usage_raw_numbers TEXT,
    cost_lines_form INTEGER,
    cost_lines_numbers TEXT,
    facts BLOB NOT NULL
) STRICT;
CREATE TABLE repriced (
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    cost TEXT NOT NULL,
    PRIMARY KEY (seq, epoch)
) STRICT, WITHOUT ROWID;
{keys}
CREATE TABLE pruned_key (
    seq INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (seq, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    change_seq INTEGER NOT NULL,
    evidence INTEGER,
    epoch INTEGER,
{columns}
) STRICT;
CREATE INDEX event_timestamp ON event (timestamp);
{reasons};
CREATE TABLE change (
    change_seq INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT;
CREATE TABLE superseded (
    change_seq INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    evidence INTEGER,
    epoch INTEGER,
{columns}
) STRICT;

{hour}
{day}
CREATE TABLE follower (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE batch (
    follower TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    last INTEGER NOT NULL,
    known INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (follower, cursor)
) STRICT, WITHOUT ROWID;
{dead_letters}

{views}
",
        words = words::DDL,
        keys = keys::DDL,
        columns = event_ddl(),
        reasons = reasons::INDEX,
        hour = HOUR.ddl(),
        day = DAY.ddl(),
        dead_letters = outbox::DEAD_LETTERS,
        views = views(COLUMNS),
    )
}

/// Adds an event's column to the tables of an existing ledger. If the column cannot be null, stored events
/// get the value that it has in `CostEvent::default()`.
pub(crate) fn add_column(column: &Column) -> String {
    let default = CostEvent::default();
    let values = match (column.get)(&default) {
        Cell::Text(text) | Cell::Json(text) => vec![format!("'{}'", text.replace('\'', "''"))],
        Cell::Integer(number) => vec![number.to_string()],
        Cell::Boolean(is) => vec![i64::from(is).to_string()],
        Cell::Decimal(number) => vec![format!("'{number}'")],
        Cell::Timestamp(moment) => vec![moment.nanos().to_string()],
        Cell::Usd(usd) => {
            let (micros, picos) = usd.to_parts().unwrap_or_default();
            vec![micros.to_string(), picos.to_string()]
        }
        Cell::Null => Vec::new(),
    };
    let mut values = values.into_iter();
    let mut sql = String::new();
    for (name, kind) in storage::sql_columns(column) {
        let value = values.next().filter(|_| !storage::is_nullable(column));
        let default = value.map(|value| format!(" NOT NULL DEFAULT {value}")).unwrap_or_default();
        for table in ["event", "superseded"] {
            sql.push_str(&format!("ALTER TABLE {table} ADD COLUMN {name} {kind}{default};\n"));
        }
    }
    sql
}

/// The views for people at an SQL prompt: amounts as numbers with their exact integers, readable times and
/// texts, no void events.
///
/// The view `openai_events` only gives each column of the view `openai_events_untyped` its type. SQLite's
/// expressions have no declared type, so `DuckDB` would take all columns for texts. But `DuckDB` reads a view
/// that it understands as its own: it understands the casts, and passes the other view to SQLite.
pub(crate) fn views(columns: &[Column]) -> String {
    let columns: Vec<ViewColumn> = columns.iter().flat_map(storage::view_columns).collect();
    let list = |line: fn(&ViewColumn) -> String| columns.iter().map(line).collect::<Vec<_>>().join(",\n");
    format!(
        "CREATE VIEW openai_events_untyped AS\nSELECT\n{values}\nFROM event e LEFT JOIN observation o ON o.seq = coalesce(e.evidence, e.seq)\nWHERE e.state <> {void};
CREATE VIEW openai_events AS\nSELECT\n{casts}\nFROM openai_events_untyped;",
        values = list(|ViewColumn { name, sql, .. }| format!("    {sql} AS {name}")),
        casts = list(|ViewColumn { name, kind, .. }| format!("    CAST({name} AS {kind}) AS {name}")),
        void = words::VOID
    )
}

/// Removes the views, which every version makes anew. The first versions have one.
pub(crate) const DROP_VIEWS: &str =
    "DROP VIEW IF EXISTS openai_events; DROP VIEW IF EXISTS openai_events_untyped;";
