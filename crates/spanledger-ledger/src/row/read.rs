//! Reading events from their rows.

use rusqlite::{Row, types::ValueRef};
use spanledger_event::{Cell, ColumnKind, CostEvent, Timestamp, Usd};

use super::{Forms, Head, PLACES, Place, WIDTH};
use crate::{LedgerError, datum, error::RowError, schema::HEAD, storage::Form, template, words::Words};

/// Reads the numbers of a row of [`READ_COLUMNS`](super::READ_COLUMNS).
pub(crate) fn read_head(row: &Row<'_>) -> rusqlite::Result<Head> {
    let seq: i64 = row.get(0)?;
    let evidence: Option<i64> = row.get(2)?;
    Ok(Head { seq, change_seq: row.get(1)?, evidence: evidence.unwrap_or(seq), epoch: row.get(3)? })
}

/// Reads an event from a row of [`READ_COLUMNS`](super::READ_COLUMNS).
pub(crate) fn read(row: &Row<'_>, words: &Words, forms: &mut Forms) -> Result<CostEvent, LedgerError> {
    let mut event = CostEvent::default();
    for place in PLACES.iter() {
        let own = HEAD.len() + place.index;
        let (mut value, mut second) = values(row, own, place)?;
        // The numbers of a template are its second value.
        let last = if place.width == 2 { second } else { value };
        if let Some(evidence) = place.evidence
            && last == ValueRef::Null
        {
            (value, second) = values(row, HEAD.len() + *WIDTH + evidence, place)?;
        }
        if value == ValueRef::Null && second == ValueRef::Null && place.is_default_if_null {
            continue;
        }
        if let (ValueRef::Integer(form), ValueRef::Text(_)) = (value, second)
            && place.form == Form::Template
        {
            let numbers = second.as_str().map_err(RowError::from)?;
            match place.column.name {
                "usage_raw" => event.usage_raw = forms.text(form, numbers, words)?,
                "cost_lines" => event.cost_lines = forms.lines(form, numbers, words)?.unwrap_or_default(),
                _ => {}
            }
            let is_read = match place.column.name {
                "usage_raw" => event.usage_raw.is_some(),
                _ => !event.cost_lines.is_empty(),
            };
            if is_read {
                continue;
            }
        }
        let cell = cell(value, second, place, words)?;
        (place.column.set)(&mut event, cell).map_err(RowError::from)?;
    }
    Ok(event)
}

/// The value of a column, and its second one if it has two.
fn values<'r>(row: &'r Row<'_>, at: usize, place: &Place) -> rusqlite::Result<(ValueRef<'r>, ValueRef<'r>)> {
    let second = if place.width == 2 { row.get_ref(at + 1)? } else { ValueRef::Null };
    Ok((row.get_ref(at)?, second))
}

fn cell<'r>(
    value: ValueRef<'r>,
    second: ValueRef<'r>,
    place: &Place,
    words: &'r Words,
) -> Result<Cell<'r>, RowError> {
    if value == ValueRef::Null && second == ValueRef::Null {
        return Ok(Cell::Null);
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
