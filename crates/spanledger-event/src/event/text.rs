//! The JSON text of an event, written straight into one buffer.
//!
//! It is the text that `serde_json` writes, without a buffer of its own for each number and each JSON value.

use std::{borrow::Cow, io::Write as _};

use super::{COLUMNS, Cell, Column, CostEvent};
use crate::CostLine;

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
            Cell::Text(text) => string(out, &text),
            Cell::Integer(number) => display(out, number),
            Cell::Boolean(truth) => display(out, truth),
            Cell::Usd(usd) => display(out, usd),
            Cell::Decimal(number) => display(out, number.normalize()),
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
        string(&mut out, kind);
        out.extend_from_slice(b",\"quantity\":");
        display(&mut out, quantity.normalize());
        out.extend_from_slice(b",\"unit\":");
        string(&mut out, unit);
        out.extend_from_slice(b",\"rate\":");
        display(&mut out, rate.normalize());
        out.extend_from_slice(b",\"usd\":");
        display(&mut out, usd);
        out.push(b'}');
    }
    out.push(b']');
    into_text(out).into()
}

fn string(out: &mut Vec<u8>, text: &str) {
    // Writing into memory does not fail.
    serde_json::to_writer(out, text).unwrap_or_default();
}

fn display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").unwrap_or_default();
}

/// The pieces are texts, so that this cannot fail either.
fn into_text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_default()
}
