//! The JSON text of an event, written straight into one buffer.
//!
//! It is the text that `serde_json` writes, without a buffer of its own for each number and each JSON value.

use std::{borrow::Cow, io::Write as _};

use rust_decimal::Decimal;
use serde::Serialize;

use super::{COLUMNS, Cell, Column, CostEvent};
use crate::{CostLine, Usd};

/// About as many bytes has the text of an event.
const TEXT_BYTES: usize = 2_048;

/// The JSON form of an event with these columns.
pub(super) fn event(event: &CostEvent, columns: impl Iterator<Item = &'static Column>, out: &mut Vec<u8>) {
    let begin = out.len();
    for column in columns {
        let cell = (column.get)(event);
        if cell == Cell::Null {
            continue;
        }
        out.extend_from_slice(if out.len() == begin { b"{\"" } else { b",\"" });
        out.extend_from_slice(column.name.as_bytes());
        out.extend_from_slice(b"\":");
        match cell {
            Cell::Null => {}
            Cell::Text(text) => json(out, &text),
            Cell::Integer(number) => json(out, &number),
            Cell::Boolean(truth) => json(out, &truth),
            Cell::Usd(usd) => dollars(out, usd),
            Cell::Decimal(number) => decimal(out, number),
            Cell::Timestamp(moment) => {
                out.push(b'"');
                display(out, moment);
                out.push(b'"');
            }
            Cell::Json(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
    if out.len() == begin {
        out.push(b'{');
    }
    out.push(b'}');
}

/// The JSON form of an event with all columns.
pub(super) fn whole(of: &CostEvent) -> String {
    let mut out = Vec::with_capacity(TEXT_BYTES);
    event(of, COLUMNS.iter(), &mut out);
    into_text(out)
}

/// The JSON form of cost lines.
pub(super) fn lines(lines: &[CostLine]) -> Cow<'static, str> {
    if lines.is_empty() {
        return "[]".into();
    }
    let mut out = Vec::with_capacity(96 * lines.len());
    for CostLine { kind, quantity, unit, rate, usd } in lines {
        out.extend_from_slice(if out.is_empty() { b"[{\"kind\":" } else { b",{\"kind\":" });
        json(&mut out, kind);
        out.extend_from_slice(b",\"quantity\":");
        decimal(&mut out, *quantity);
        out.extend_from_slice(b",\"unit\":");
        json(&mut out, unit);
        out.extend_from_slice(b",\"rate\":");
        decimal(&mut out, *rate);
        out.extend_from_slice(b",\"usd\":");
        dollars(&mut out, *usd);
        out.push(b'}');
    }
    out.push(b']');
    into_text(out).into()
}

fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Writing into memory does not fail.
    serde_json::to_writer(out, value).unwrap_or_default();
}

fn dollars(out: &mut Vec<u8>, usd: Usd) {
    if !number(out, usd.picos(), Usd::SCALE) {
        display(out, usd);
    }
}

fn decimal(out: &mut Vec<u8>, value: Decimal) {
    if !number(out, value.mantissa(), value.scale()) {
        display(out, value.normalize());
    }
}

/// Writes a number with so many digits behind the point, without the zeros at its end. An event has a dozen of
/// them. Returns whether it did: it does not write large ones.
fn number(out: &mut Vec<u8>, digits: i128, scale: u32) -> bool {
    let Ok(mut rest) = u64::try_from(digits.unsigned_abs()) else { return false };
    let mut places = scale;
    while places > 0 && rest.is_multiple_of(10) {
        rest /= 10;
        places -= 1;
    }
    // Twenty digits of the number and up to 28 places.
    let (mut text, mut at) = ([b'0'; 64], 64);
    let mut put = |byte: u8| {
        at -= 1;
        text[at] = byte;
    };
    for _ in 0..places {
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
    }
    if places > 0 {
        put(b'.');
    }
    loop {
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if digits < 0 {
        put(b'-');
    }
    out.extend_from_slice(&text[at..]);
    true
}

fn display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").unwrap_or_default();
}

/// The pieces are texts, so that this cannot fail either.
fn into_text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_default()
}
