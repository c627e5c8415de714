//! Events as rows, by the table of the event's columns and their forms.

use std::sync::LazyLock;

use rusqlite::{Row, Statement, types::ValueRef};
use spanledger_event::{COLUMNS, Cell, Column, ColumnKind, CostEvent, Observation, Timestamp, Usd};

use crate::{
    LedgerError,
    datum::{self, Datum},
    error::RowError,
    schema::{self, HEAD},
    storage::{self, Form},
    template,
    words::{Unknown, Words},
};

#[cfg(test)]
mod tests;

/// A column, its form, and the index of its first SQL column behind the [`HEAD`].
struct Place {
    column: &'static Column,
    form: Form,
    index: usize,
    /// The index of the evidence's value behind all columns of the event.
    evidence: Option<usize>,
}

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let (mut index, mut evidence) = (0, 0);
    let place = |column: &'static Column| {
        let form = storage::form(column);
        let place = Place { column, form, index, evidence: schema::is_inherited(column).then_some(evidence) };
        index += storage::width(column);
        if place.evidence.is_some() {
            evidence += storage::width(column);
        }
        place
    };
    COLUMNS.iter().map(place).collect()
});

/// The number of SQL columns of the event's columns.
static WIDTH: LazyLock<usize> = LazyLock::new(|| COLUMNS.iter().map(storage::width).sum());

/// The columns of a row of `event` or `superseded`, in the order in which they are bound.
pub(crate) static EVENT_COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let head = HEAD.into_iter().map(str::to_owned);
    head.chain(schema::event_columns(COLUMNS)).collect::<Vec<_>>().join(", ")
});

/// What [`read`] reads: the event's columns, and those of its evidence.
pub(crate) static READ_COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let own = HEAD.into_iter().map(str::to_owned).chain(schema::event_columns(COLUMNS));
    let own = own.map(|name| format!("e.{name}"));
    let inherited = COLUMNS.iter().filter(|column| schema::is_inherited(column));
    let inherited = inherited.flat_map(storage::sql_columns).map(|(name, _)| format!("o.{name}"));
    own.chain(inherited).collect::<Vec<_>>().join(", ")
});

/// The row of an event's evidence beside its own row.
pub(crate) const JOIN_EVIDENCE: &str = "LEFT JOIN observation o ON o.seq = coalesce(e.evidence, e.seq)";

/// Selects an event by the number of its row.
pub(crate) static SELECT_EVENT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM event e {JOIN_EVIDENCE} WHERE e.seq = ?", *READ_COLUMNS));

fn write_sql(verb: &str) -> String {
    let parameters = ", ?".repeat(HEAD.len() + *WIDTH - 1);
    format!("{verb} INTO event ({}) VALUES (?{parameters})", *EVENT_COLUMNS)
}

/// Inserts a new event.
pub(crate) static INSERT_EVENT: LazyLock<String> = LazyLock::new(|| write_sql("INSERT"));
/// Replaces a stored event.
pub(crate) static REPLACE_EVENT: LazyLock<String> = LazyLock::new(|| write_sql("REPLACE"));

/// Keeps a revision of an event that a batch in flight contains.
pub(crate) static KEEP_SUPERSEDED: LazyLock<String> = LazyLock::new(|| {
    format!("INSERT INTO superseded ({0}) SELECT {0} FROM event WHERE seq = ?", *EVENT_COLUMNS)
});

/// An event that is ready to be written, but for the numbers of its [`HEAD`].
#[derive(Debug)]
pub(crate) struct EventRow(Vec<(u16, Datum)>);

/// The evidence of an event of which no observation can be it: no observation has this number.
pub(crate) const NO_EVIDENCE: i64 = 0;

/// The numbers at the beginning of an event's row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The number of the row: that of the event's first observation.
    pub(crate) seq: i64,
    pub(crate) change_seq: i64,
    /// The observation whose identifiers, usage object and cost lines are the event's.
    pub(crate) evidence: i64,
    /// The last repricing that changed the event.
    pub(crate) epoch: Option<i64>,
}

impl EventRow {
    /// Prepares a row. Values that the evidence has are left out.
    pub(crate) fn new(
        event: &CostEvent,
        evidence: Option<&Observation>,
        words: &Words,
        unknown: &mut Unknown,
    ) -> Result<Self, RowError> {
        let mut values = Vec::with_capacity(40);
        for place in PLACES.iter() {
            let parameter = HEAD.len() + place.index + 1;
            let mut put = |offset: usize, datum: Datum| {
                // The table has far fewer columns than an `u16` counts.
                values.push((u16::try_from(parameter + offset).unwrap_or(u16::MAX), datum));
            };
            match place.form {
                Form::Hex | Form::Inherited | Form::Template if is_of(event, evidence, place.column.name) => {
                    continue;
                }
                Form::WordOrDefault(_) if is_empty(event, place.column.name) => continue,
                _ => {}
            }
            match ((place.column.get)(event), place.form) {
                (Cell::Null, _) => {}
                (Cell::Integer(number), _) => put(0, Datum::Integer(number)),
                (Cell::Boolean(truth), _) => put(0, Datum::Integer(truth.into())),
                (Cell::Timestamp(moment), _) => put(0, Datum::Integer(moment.nanos())),
                (Cell::Decimal(number), _) => put(0, Datum::Text(number.normalize().to_string().into())),
                (Cell::Usd(usd), _) => {
                    let (micros, picos) =
                        usd.to_parts().ok_or(RowError::OutOfRange { column: place.column.name, usd })?;
                    put(0, Datum::Integer(micros));
                    put(1, Datum::Integer(picos));
                }
                (Cell::Text(text) | Cell::Json(text), Form::Template) => {
                    let split = template::split(&text);
                    let number = split.as_ref().and_then(|split| {
                        let number = words.number(&split.form);
                        if number.is_none() {
                            unknown.add(&split.form);
                        }
                        number
                    });
                    match split.zip(number) {
                        Some((split, number)) => {
                            put(0, Datum::Integer(number));
                            put(1, Datum::Text(split.numbers.into()));
                        }
                        None => put(1, Datum::Text(text.into())),
                    }
                }
                (Cell::Text(text), Form::Uuid) => put(0, Datum::uuid(&text)),
                (Cell::Text(text), Form::Hex) => put(0, Datum::hex(&text)),
                (Cell::Text(text) | Cell::Json(text), Form::Word | Form::WordOrDefault(_)) => {
                    put(0, Datum::word(&text, words, unknown));
                }
                (Cell::Text(text) | Cell::Json(text), _) => put(0, Datum::Text(text.into())),
            }
        }
        Ok(Self(values))
    }

    /// Writes the row with a statement of [`INSERT_EVENT`] or [`REPLACE_EVENT`].
    pub(crate) fn write(&self, statement: &mut Statement<'_>, head: Head) -> rusqlite::Result<()> {
        datum::bind(statement, &self.0)?;
        statement.raw_bind_parameter(1, head.seq)?;
        statement.raw_bind_parameter(2, head.change_seq)?;
        if head.evidence != head.seq {
            statement.raw_bind_parameter(3, head.evidence)?;
        }
        statement.raw_bind_parameter(4, head.epoch)?;
        statement.raw_execute()?;
        Ok(())
    }
}

/// Whether the evidence has the event's value, so that the row need not hold it.
fn is_of(event: &CostEvent, evidence: Option<&Observation>, column: &str) -> bool {
    let Some(o) = evidence else { return false };
    match column {
        "response_id" => event.response_id.as_deref() == o.response.as_ref().map(|r| r.id.as_str()),
        "trace_id" => event.trace_id == o.trace_id,
        "span_id" => event.span_id == o.span_id,
        "parent_span_id" => event.parent_span_id == o.parent_span_id,
        "usage_raw" => event.usage_raw == o.usage_raw,
        "cost_lines" => event.cost_lines == o.cost.as_ref().map_or(&[][..], |cost| &cost.lines),
        _ => false,
    }
}

fn is_empty(event: &CostEvent, column: &str) -> bool {
    match column {
        "flags" => event.flags.is_empty(),
        "dims" => event.dims.is_empty(),
        _ => false,
    }
}

/// Reads the numbers of a row of [`READ_COLUMNS`].
pub(crate) fn read_head(row: &Row<'_>) -> rusqlite::Result<Head> {
    let seq: i64 = row.get(0)?;
    let evidence: Option<i64> = row.get(2)?;
    Ok(Head { seq, change_seq: row.get(1)?, evidence: evidence.unwrap_or(seq), epoch: row.get(3)? })
}

/// Reads an event from a row of [`READ_COLUMNS`].
pub(crate) fn read(row: &Row<'_>, words: &Words) -> Result<CostEvent, LedgerError> {
    let mut event = CostEvent::default();
    for place in PLACES.iter() {
        let own = HEAD.len() + place.index;
        let last = own + storage::width(place.column) - 1;
        let at = match place.evidence {
            Some(evidence) if row.get_ref(last)? == ValueRef::Null => HEAD.len() + *WIDTH + evidence,
            _ => own,
        };
        let cell = read_cell(row, at, place, words)?;
        (place.column.set)(&mut event, cell).map_err(RowError::from)?;
    }
    Ok(event)
}

fn read_cell<'r>(
    row: &'r Row<'_>,
    at: usize,
    place: &Place,
    words: &'r Words,
) -> Result<Cell<'r>, LedgerError> {
    let value = row.get_ref(at)?;
    let second = if storage::width(place.column) == 2 { row.get_ref(at + 1)? } else { ValueRef::Null };
    Ok(cell(value, second, place, words)?)
}

fn cell<'r>(
    value: ValueRef<'r>,
    second: ValueRef<'r>,
    place: &Place,
    words: &'r Words,
) -> Result<Cell<'r>, RowError> {
    if value == ValueRef::Null && second == ValueRef::Null {
        return Ok(match place.form {
            Form::WordOrDefault(default) => Cell::Json(default.into()),
            Form::Template if !place.column.nullable => Cell::Json("[]".into()),
            _ => Cell::Null,
        });
    }
    let text = |text| match place.column.kind {
        ColumnKind::Json => Cell::Json(text),
        _ => Cell::Text(text),
    };
    Ok(match place.form {
        Form::Integer => match place.column.kind {
            ColumnKind::Boolean => Cell::Boolean(value.as_i64()? != 0),
            ColumnKind::Timestamp => Cell::Timestamp(Timestamp::from_nanos(value.as_i64()?)),
            _ => Cell::Integer(value.as_i64()?),
        },
        Form::Usd => Cell::Usd(Usd::from_parts(value.as_i64()?, second.as_i64()?)),
        Form::Text => {
            let number = value.as_str()?.parse();
            Cell::Decimal(number.map_err(|source| RowError::Decimal { column: place.column.name, source })?)
        }
        Form::Word | Form::WordOrDefault(_) => text(datum::read_word(value, words)?.into()),
        Form::Uuid => text(datum::read_uuid(value)?),
        Form::Hex => text(datum::read_hex(value)?),
        Form::Inherited => text(value.as_str()?.into()),
        Form::Template => text(read_template(value, second, words)?.into()),
    })
}

/// Puts a text together from the number of its form and its numbers.
pub(crate) fn read_template(
    form: ValueRef<'_>,
    numbers: ValueRef<'_>,
    words: &Words,
) -> Result<String, RowError> {
    let numbers = numbers.as_str()?;
    if form == ValueRef::Null {
        return Ok(numbers.to_owned());
    }
    let number = form.as_i64()?;
    let form = words.text(number).ok_or(RowError::Word(number))?;
    template::join(form, numbers).ok_or(RowError::Template)
}
