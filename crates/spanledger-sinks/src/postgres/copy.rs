//! Events as rows of a binary `COPY`.
//!
//! The binary form needs no quoting and no parsing of numbers at the server. Each value has the type that
//! [`Dialect::Postgres`](crate::table::Dialect) gives its column.

use bytes::{BufMut as _, BytesMut};
use rust_decimal::Decimal;
use spanledger_event::{Cell, Column, CostEvent, Timestamp};

use crate::table::{Dialect, USD_PRECISION, USD_SCALE};

/// What a binary `COPY` begins with: a signature, no flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Microseconds from 1970 to 2000, from which Postgres counts.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The digits of a number are in groups of four.
const GROUP: u32 = 4;
const GROUP_BASE: u128 = 10_000;

/// Rows of a `COPY`.
#[derive(Debug)]
pub(super) struct CopyRows {
    bytes: BytesMut,
    columns: Vec<(&'static Column, IsJsonb)>,
}

/// Whether a JSON column is `jsonb`, whose values begin with a version.
type IsJsonb = bool;

impl CopyRows {
    pub(super) fn new(columns: &[&'static Column], capacity: usize) -> Self {
        let mut bytes = BytesMut::with_capacity(capacity);
        bytes.put_slice(HEAD);
        let columns =
            columns.iter().map(|&column| (column, Dialect::Postgres.sql_type(column) == "jsonb")).collect();
        Self { bytes, columns }
    }

    /// Adds an event. If Postgres cannot store one of its values, nothing is added and the reason is returned.
    pub(super) fn push(&mut self, event: &CostEvent) -> Result<(), String> {
        let start = self.bytes.len();
        self.bytes.put_i16(i16::try_from(self.columns.len()).unwrap_or(i16::MAX));
        for (column, is_jsonb) in &self.columns {
            if let Err(problem) = put(&mut self.bytes, &(column.get)(event), *is_jsonb) {
                self.bytes.truncate(start);
                return Err(format!("`{}` {problem}", column.name));
            }
        }
        Ok(())
    }

    /// Takes the rows that are ready, so that they can be sent while others are made.
    pub(super) fn take(&mut self) -> BytesMut {
        self.bytes.split()
    }

    /// The bytes that were not taken.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Ends the rows.
    pub(super) fn finish(mut self) -> BytesMut {
        self.bytes.put_i16(-1);
        self.bytes
    }
}

/// A value with its length before it.
fn put(bytes: &mut BytesMut, cell: &Cell<'_>, is_jsonb: bool) -> Result<(), String> {
    match cell {
        Cell::Null => bytes.put_i32(-1),
        Cell::Text(text) => {
            if text.contains('\0') {
                return Err("contains the character U+0000, which no text of Postgres can have".to_owned());
            }
            put_text(bytes, text, false)?;
        }
        Cell::Json(text) => {
            // The other JSON type keeps the text as it is, with every escaped character.
            if is_jsonb && text.contains("\\u0000") {
                return Err("contains the character U+0000, which no `jsonb` can have".to_owned());
            }
            put_text(bytes, text, is_jsonb)?;
        }
        Cell::Integer(number) => {
            bytes.put_i32(8);
            bytes.put_i64(*number);
        }
        Cell::Boolean(is) => {
            bytes.put_i32(1);
            bytes.put_u8(u8::from(*is));
        }
        Cell::Timestamp(moment) => {
            bytes.put_i32(8);
            bytes.put_i64(micros(*moment) - EPOCH_MICROS);
        }
        Cell::Usd(usd) => {
            let picos = usd.picos();
            if picos.unsigned_abs() >= 10_u128.pow(u32::from(USD_PRECISION)) {
                return Err(format!("is {usd} and has more digits than a DECIMAL(24,12)"));
            }
            put_number(bytes, picos < 0, picos.unsigned_abs(), u32::from(USD_SCALE))?;
        }
        Cell::Decimal(number) => put_decimal(bytes, number)?,
    }
    Ok(())
}

/// The microseconds since 1970, rounded down: an event never moves into the next hour.
fn micros(moment: Timestamp) -> i64 {
    moment.nanos().div_euclid(1_000)
}

fn put_text(bytes: &mut BytesMut, text: &str, is_jsonb: bool) -> Result<(), String> {
    let length =
        i32::try_from(text.len() + usize::from(is_jsonb)).map_err(|_| "is longer than 2 GiB".to_owned())?;
    bytes.put_i32(length);
    if is_jsonb {
        // The version of the form.
        bytes.put_u8(1);
    }
    bytes.put_slice(text.as_bytes());
    Ok(())
}

fn put_decimal(bytes: &mut BytesMut, number: &Decimal) -> Result<(), String> {
    put_number(bytes, number.is_sign_negative(), number.mantissa().unsigned_abs(), number.scale())
}

/// A `numeric`: `digits` without its point, which has `scale` digits behind it.
fn put_number(bytes: &mut BytesMut, is_negative: bool, digits: u128, scale: u32) -> Result<(), String> {
    // The point is between two groups.
    let padding = (GROUP - scale % GROUP) % GROUP;
    let mut rest = digits.checked_mul(10_u128.pow(padding)).ok_or("has too many digits")?;
    let groups_behind = (scale + padding) / GROUP;
    // At most 10 groups: a u128 has 39 digits.
    let mut groups = [0_i16; 10];
    let mut count = 0;
    while rest > 0 {
        groups[count] = i16::try_from(rest % GROUP_BASE).unwrap_or_default();
        rest /= GROUP_BASE;
        count += 1;
    }
    // The last groups come first here; those that are zero are left out.
    let zeros = groups[..count].iter().take_while(|group| **group == 0).count();
    let weight =
        i32::try_from(count).unwrap_or_default() - i32::try_from(groups_behind).unwrap_or_default() - 1;
    let sent = &groups[zeros..count];
    let narrow = |number: i64| i16::try_from(number).map_err(|_| "has too many digits".to_owned());
    let sent_count = i64::try_from(sent.len()).unwrap_or_default();
    bytes.put_i32(i32::try_from(8 + 2 * sent.len()).unwrap_or_default());
    bytes.put_i16(narrow(sent_count)?);
    bytes.put_i16(if sent.is_empty() { 0 } else { narrow(i64::from(weight))? });
    bytes.put_u16(if is_negative && digits > 0 { 0x4000 } else { 0 });
    bytes.put_i16(narrow(i64::from(scale))?);
    for group in sent.iter().rev() {
        bytes.put_i16(*group);
    }
    Ok(())
}
