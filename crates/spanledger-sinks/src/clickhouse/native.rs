//! Rows as a block of ClickHouse's format `Native`: column by column, as the server has them in memory.
//!
//! The server reads it about five times as fast as JSON. The block states the types of its columns, and the server casts
//! them to those of the table, where they differ: a text to `LowCardinality`, for instance.

use spanledger_event::{Cell, Column, ColumnKind, CostEvent};

use crate::table::DECIMAL_SCALE;

/// Makes the block of some events. Whether their numbers fit the types was checked before.
pub(super) fn block(columns: &[&'static Column], events: &[&CostEvent]) -> Vec<u8> {
    let mut block = Vec::with_capacity(events.len() * 1_024);
    put_length(&mut block, columns.len());
    put_length(&mut block, events.len());
    for column in columns {
        put_text(&mut block, column.name);
        let plain = plain_type(column.kind);
        if column.nullable {
            put_text(&mut block, &format!("Nullable({plain})"));
            // Which values are null comes before the values.
            block.extend(events.iter().map(|event| u8::from((column.get)(event) == Cell::Null)));
        } else {
            put_text(&mut block, plain);
        }
        for event in events {
            put(&mut block, column.kind, &(column.get)(event));
        }
    }
    block
}

const fn plain_type(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text | ColumnKind::Json => "String",
        ColumnKind::Integer => "Int64",
        ColumnKind::Boolean => "Bool",
        ColumnKind::Usd => "Decimal(24, 12)",
        ColumnKind::Decimal => "Decimal(38, 18)",
        ColumnKind::Timestamp => "DateTime64(9, 'UTC')",
    }
}

/// A value; a null has the empty value of its type.
fn put(block: &mut Vec<u8>, kind: ColumnKind, cell: &Cell<'_>) {
    match cell {
        Cell::Text(text) | Cell::Json(text) => put_text(block, text),
        Cell::Integer(number) => block.extend_from_slice(&number.to_le_bytes()),
        Cell::Boolean(is) => block.push(u8::from(*is)),
        Cell::Timestamp(moment) => block.extend_from_slice(&moment.nanos().to_le_bytes()),
        Cell::Usd(usd) => block.extend_from_slice(&usd.picos().to_le_bytes()),
        Cell::Decimal(number) => {
            let number = number.normalize();
            let zeros = u32::from(DECIMAL_SCALE).saturating_sub(number.scale());
            let scaled = number.mantissa().saturating_mul(10_i128.pow(zeros));
            block.extend_from_slice(&scaled.to_le_bytes());
        }
        Cell::Null => match kind {
            ColumnKind::Text | ColumnKind::Json => put_length(block, 0),
            ColumnKind::Boolean => block.push(0),
            ColumnKind::Integer | ColumnKind::Timestamp => block.extend_from_slice(&[0; 8]),
            ColumnKind::Usd | ColumnKind::Decimal => block.extend_from_slice(&[0; 16]),
        },
    }
}

fn put_text(block: &mut Vec<u8>, text: &str) {
    put_length(block, text.len());
    block.extend_from_slice(text.as_bytes());
}

/// A number in groups of seven bits, the lowest first.
fn put_length(block: &mut Vec<u8>, mut length: usize) {
    while length > 127 {
        block.push(u8::try_from(length & 127).unwrap_or_default() | 128);
        length >>= 7;
    }
    block.push(u8::try_from(length).unwrap_or_default());
}
