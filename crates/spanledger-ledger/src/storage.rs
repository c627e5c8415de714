//! How the ledger stores each column of the event.
//!
//! A column has one or two SQL columns. Their form follows from the column's kind, except for the few
//! identifiers that [`form`] names: a new column of the event needs nothing here.

use spanledger_event::{Column, ColumnKind};

use crate::template;

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An integer: a number, a truth value, or nanoseconds since 1970.
    Integer,
    /// Two integers, whole microdollars and the picodollars below them.
    Usd,
    /// A text as it is.
    Text,
    /// A text that repeats: the number of a word, or the text.
    Word,
    /// Like `Word`; null stands for the value of an event that has nothing in this column.
    WordOrDefault(&'static str),
    /// A UUID as 16 bytes, or another text.
    Uuid,
    /// Hexadecimal digits as bytes, or another text. Null stands for the value of the evidence.
    Hex,
    /// A text. Null stands for the value of the evidence.
    Inherited,
    /// A JSON text as the number of its form and its numbers. Null stands for that of the evidence.
    Template,
}

/// How the column is stored.
pub(crate) const fn form(column: &Column) -> Form {
    match (column.name.as_bytes(), column.kind) {
        (b"event_id" | b"request_id" | b"superseded_by", _) => Form::Uuid,
        (b"trace_id" | b"span_id" | b"parent_span_id", _) => Form::Hex,
        (b"response_id", _) => Form::Inherited,
        (b"usage_raw" | b"cost_lines", _) => Form::Template,
        (b"flags", _) => Form::WordOrDefault("[]"),
        (b"dims", _) => Form::WordOrDefault("{}"),
        (_, ColumnKind::Text | ColumnKind::Json) => Form::Word,
        (_, ColumnKind::Decimal) => Form::Text,
        (_, ColumnKind::Integer | ColumnKind::Boolean | ColumnKind::Timestamp) => Form::Integer,
        (_, ColumnKind::Usd) => Form::Usd,
    }
}

/// The SQL columns of a column, with their types. A column of the type `ANY` holds what is put into it.
pub(crate) fn sql_columns(column: &Column) -> Vec<(String, &'static str)> {
    let name = column.name;
    match form(column) {
        Form::Integer => vec![(name.to_owned(), "INTEGER")],
        Form::Usd => vec![(format!("{name}_micros"), "INTEGER"), (format!("{name}_picos"), "INTEGER")],
        Form::Text => vec![(name.to_owned(), "TEXT")],
        Form::Inherited => vec![(name.to_owned(), "TEXT")],
        Form::Word | Form::WordOrDefault(_) | Form::Uuid | Form::Hex => vec![(name.to_owned(), "ANY")],
        Form::Template => vec![(format!("{name}_form"), "INTEGER"), (format!("{name}_numbers"), "TEXT")],
    }
}

/// How many SQL columns a column has.
pub(crate) const fn width(column: &Column) -> usize {
    match form(column) {
        Form::Usd | Form::Template => 2,
        _ => 1,
    }
}

/// Whether the SQL column may be null.
pub(crate) const fn is_nullable(column: &Column) -> bool {
    column.nullable || matches!(form(column), Form::WordOrDefault(_) | Form::Template)
}

/// The SQL expression of a text whose column holds the number of a word or the text.
pub(crate) fn word_sql(column: &str) -> String {
    format!(
        "CASE typeof({column}) WHEN 'integer' THEN (SELECT text FROM word WHERE id = {column}) ELSE {column} END"
    )
}

fn uuid_sql(column: &str) -> String {
    let hex = format!("hex({column})");
    format!(
        "CASE typeof({column}) WHEN 'blob' THEN lower(substr({hex}, 1, 8) || '-' || substr({hex}, 9, 4) || '-' || substr({hex}, 13, 4) || '-' || substr({hex}, 17, 4) || '-' || substr({hex}, 21)) ELSE {column} END"
    )
}

fn hex_sql(column: &str) -> String {
    format!("CASE typeof({column}) WHEN 'blob' THEN lower(hex({column})) ELSE {column} END")
}

/// A column of the view `openai_events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ViewColumn {
    pub(crate) name: String,
    /// The value, in terms of the event's row `e` and its evidence's row `o`.
    pub(crate) sql: String,
    /// A name that means the same type to SQLite, which looks for words such as `INT` in it, and to `DuckDB`,
    /// in which `INTEGER` has 32 bits and `REAL` is a single float.
    pub(crate) kind: &'static str,
}

/// The columns of the view for one column of the event.
pub(crate) fn view_columns(column: &Column) -> Vec<ViewColumn> {
    let name = column.name;
    let own = format!("e.{name}");
    let of = |name: String, sql: String, kind: &'static str| ViewColumn { name, sql, kind };
    let one = |sql: String, kind: &'static str| vec![of(name.to_owned(), sql, kind)];
    match form(column) {
        Form::Usd => vec![
            // SQLite goes on with floats where the integers overflow, beyond nine million dollars.
            of(name.to_owned(), format!("({own}_micros * 1000000 + {own}_picos) / 1e12"), "DOUBLE"),
            of(format!("{name}_micros"), format!("{own}_micros"), "BIGINT"),
            of(format!("{name}_picos"), format!("{own}_picos"), "BIGINT"),
        ],
        Form::Integer => match column.kind {
            ColumnKind::Timestamp => {
                // Rounding down to whole seconds first keeps times before 1970 right.
                let seconds =
                    format!("({own} - (({own} % 1000000000) + 1000000000) % 1000000000) / 1000000000");
                let millis = format!("((({own} % 1000000000) + 1000000000) % 1000000000) / 1000000");
                let text = format!(
                    "CASE WHEN {own} IS NULL THEN NULL ELSE strftime('%Y-%m-%dT%H:%M:%S', {seconds}, 'unixepoch') || printf('.%03dZ', {millis}) END"
                );
                one(text, "TEXT")
            }
            ColumnKind::Boolean => one(own, "BOOLEAN"),
            _ => one(own, "BIGINT"),
        },
        Form::Text if column.kind == ColumnKind::Decimal => one(own, "DOUBLE"),
        Form::Text => one(own, "TEXT"),
        Form::Word => one(word_sql(&own), "TEXT"),
        Form::WordOrDefault(default) => one(format!("coalesce({}, '{default}')", word_sql(&own)), "TEXT"),
        Form::Uuid => one(uuid_sql(&own), "TEXT"),
        Form::Hex => one(hex_sql(&format!("coalesce({own}, o.{name})")), "TEXT"),
        Form::Inherited => one(format!("coalesce({own}, o.{name})"), "TEXT"),
        Form::Template => {
            let of =
                |row: &str| template::sql(&format!("{row}.{name}_form"), &format!("{row}.{name}_numbers"));
            let text = format!("CASE WHEN {own}_numbers IS NOT NULL THEN {} ELSE {} END", of("e"), of("o"));
            one(if column.nullable { text } else { format!("coalesce({text}, '[]')") }, "TEXT")
        }
    }
}
