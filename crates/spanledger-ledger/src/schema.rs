//! The tables of a ledger file, derived from the columns of the event and the measures.

use spanledger_event::{COLUMNS, Cell, Column, ColumnKind, CostEvent};

use crate::{
    reasons,
    rollup::{DAY, HOUR},
};

/// The SQL columns of an event's column. An amount of dollars has two, the others have one.
pub(crate) fn sql_columns(column: &Column) -> Vec<String> {
    match column.kind {
        ColumnKind::Usd => vec![format!("{}_micros", column.name), format!("{}_picos", column.name)],
        _ => vec![column.name.to_owned()],
    }
}

fn sql_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text | ColumnKind::Decimal | ColumnKind::Json => "TEXT",
        ColumnKind::Integer | ColumnKind::Boolean | ColumnKind::Usd | ColumnKind::Timestamp => "INTEGER",
    }
}

/// The tables, indexes and views of a new ledger.
pub(crate) fn ddl() -> String {
    let columns: Vec<String> = COLUMNS
        .iter()
        .flat_map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            sql_columns(column)
                .into_iter()
                .map(move |name| format!("    {name} {}{null}", sql_type(column.kind)))
        })
        .collect();
    format!(
        "CREATE TABLE observation (
    seq INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    event_id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    link TEXT,
    trace_link TEXT,
    trace_id TEXT,
    aggregate INTEGER NOT NULL,
    facts TEXT NOT NULL,
    cost TEXT
) STRICT;
CREATE INDEX observation_event ON observation (event_id);
CREATE INDEX observation_call ON observation (call_id);
CREATE INDEX observation_link ON observation (link) WHERE link IS NOT NULL;
CREATE INDEX observation_trace_link ON observation (trace_link) WHERE trace_link IS NOT NULL;
CREATE INDEX observation_trace ON observation (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX observation_aggregate ON observation (trace_id) WHERE aggregate = 1;

CREATE TABLE event (
{columns},
    change_seq INTEGER NOT NULL,
    first_change_seq INTEGER NOT NULL,
    PRIMARY KEY (event_id)
) STRICT;
CREATE UNIQUE INDEX event_change ON event (change_seq);
CREATE INDEX event_timestamp ON event (timestamp);
{reasons};

{hour}
{day}
CREATE TABLE follower (
    name TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

{view}
",
        columns = columns.join(",\n"),
        reasons = reasons::INDEX,
        hour = HOUR.ddl(),
        day = DAY.ddl(),
        view = view(COLUMNS),
    )
}

/// Adds an event's column to the table of an existing ledger. If the column cannot be null, stored events
/// get the value that it has in `CostEvent::default()`.
pub(crate) fn add_column(column: &Column) -> String {
    let default = CostEvent::default();
    let values = match (column.get)(&default) {
        Cell::Null => vec![String::new(), String::new()],
        Cell::Text(text) | Cell::Json(text) => vec![format!("'{}'", text.replace('\'', "''"))],
        Cell::Integer(number) => vec![number.to_string()],
        Cell::Boolean(is) => vec![i64::from(is).to_string()],
        Cell::Decimal(number) => vec![format!("'{number}'")],
        Cell::Timestamp(moment) => vec![moment.nanos().to_string()],
        Cell::Usd(usd) => {
            let (micros, picos) = usd.to_parts().unwrap_or_default();
            vec![micros.to_string(), picos.to_string()]
        }
    };
    let add = |(name, value): (String, String)| {
        let default = if column.nullable { String::new() } else { format!(" NOT NULL DEFAULT {value}") };
        format!("ALTER TABLE event ADD COLUMN {name} {}{default};\n", sql_type(column.kind))
    };
    sql_columns(column).into_iter().zip(values).map(add).collect()
}

/// The view for people at an SQL prompt: decimal amounts, readable times, no void events.
pub(crate) fn view(columns: &[Column]) -> String {
    let columns: Vec<String> = columns.iter().map(view_column).collect();
    format!(
        "CREATE VIEW openai_events AS\nSELECT\n{}\nFROM event WHERE state <> 'void';",
        columns.join(",\n")
    )
}

fn view_column(column: &Column) -> String {
    let name = column.name;
    match column.kind {
        ColumnKind::Usd => format!(
            "    CASE WHEN {name}_micros IS NULL THEN NULL ELSE printf('%d.%06d%06d', {name}_micros / 1000000, {name}_micros % 1000000, {name}_picos) END AS {name}"
        ),
        ColumnKind::Timestamp => {
            format!("    strftime('%Y-%m-%dT%H:%M:%SZ', {name} / 1000000000, 'unixepoch') AS {name}")
        }
        _ => format!("    {name}"),
    }
}
