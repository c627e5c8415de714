//! Rows that are ready to be written: their values, one after the other in one buffer.
//!
//! An append has thousands of rows of some forty values each. In one buffer they take one allocation for all
//! of them, and a tenth of the memory that separate values take.

use std::ops::Range;

use rusqlite::{
    CachedStatement, Connection, ToSql,
    types::{Null, ToSqlOutput, ValueRef},
};
use spanledger_event::{CostLine, Observation};

use crate::{
    facts::{self, Packed},
    template::{self, LineForms},
    words::Lookup,
};

#[cfg(test)]
mod tests;

/// The values of many rows.
#[derive(Debug, Default)]
pub(crate) struct PackedRows(Vec<u8>);

/// Where the values of one row are.
#[derive(Clone, Debug)]
pub(crate) struct PackedRow(Range<usize>);

/// The types of values. A value is its parameter (one byte), its type (one byte), and an integer of eight
/// bytes or a length of four bytes with so many bytes.
mod tag {
    pub(super) const INTEGER: u8 = 0;
    pub(super) const TEXT: u8 = 1;
    pub(super) const BLOB: u8 = 2;
}

impl PackedRows {
    /// Binds the values of a row to their parameters, and null to all others.
    pub(crate) fn bind(&self, row: &PackedRow, to: &mut RowStatement<'_>) -> rusqlite::Result<()> {
        let before = std::mem::take(&mut to.bound);
        let mut rest = self.0.get(row.0.clone()).unwrap_or_default();
        while let Some((parameter, value, next)) = first(rest) {
            to.bind(parameter.into(), ToSqlOutput::Borrowed(value))?;
            rest = next;
        }
        let mut left = before & !to.bound;
        while left != 0 {
            to.statement.raw_bind_parameter(left.trailing_zeros() as usize, Null)?;
            left &= left - 1;
        }
        Ok(())
    }
}

/// A statement that writes rows. It remembers what it has bound, because to bind null to all parameters
/// takes longer than to bind it to the few that the next row does not have.
pub(crate) struct RowStatement<'c> {
    statement: CachedStatement<'c>,
    /// A bit for each parameter that is not null.
    bound: u128,
}

impl<'c> RowStatement<'c> {
    pub(crate) fn new(connection: &'c Connection, sql: &str) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.clear_bindings();
        Ok(Self { statement, bound: 0 })
    }

    pub(crate) fn bind(&mut self, parameter: usize, value: impl ToSql) -> rusqlite::Result<()> {
        self.bound |= 1 << parameter;
        self.statement.raw_bind_parameter(parameter, value)
    }

    pub(crate) fn execute(&mut self) -> rusqlite::Result<usize> {
        self.statement.raw_execute()
    }
}

/// The first value, its parameter, and what follows it.
fn first(bytes: &[u8]) -> Option<(u8, ValueRef<'_>, &[u8])> {
    let (&[parameter, tag], rest) = bytes.split_first_chunk()?;
    if tag == tag::INTEGER {
        let (number, rest) = rest.split_first_chunk()?;
        return Some((parameter, ValueRef::Integer(i64::from_le_bytes(*number)), rest));
    }
    let (length, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let value = if tag == tag::TEXT { ValueRef::Text(value) } else { ValueRef::Blob(value) };
    Some((parameter, value, rest))
}

/// Packs rows. Texts that the dictionary has become their numbers.
#[derive(Debug)]
pub(crate) struct RowPacker<'p, 'a> {
    pub(crate) words: &'p mut Lookup<'a>,
    line_forms: LineForms,
    rows: PackedRows,
    /// Facts and a text in the making. Their memory is used again for the next ones.
    scratch: Vec<u8>,
    text: String,
}

impl<'p, 'a> RowPacker<'p, 'a> {
    pub(crate) fn new(words: &'p mut Lookup<'a>) -> Self {
        Self::with_capacity(words, 0)
    }

    pub(crate) fn with_capacity(words: &'p mut Lookup<'a>, bytes: usize) -> Self {
        let rows = PackedRows(Vec::with_capacity(bytes));
        Self { words, line_forms: LineForms::default(), rows, scratch: Vec::new(), text: String::new() }
    }

    /// The packed rows.
    pub(crate) fn finish(self) -> PackedRows {
        self.rows
    }

    /// Where the next row begins.
    pub(crate) fn begin(&self) -> usize {
        self.rows.0.len()
    }

    /// The row that began there and ends here.
    pub(crate) fn end(&self, begin: usize) -> PackedRow {
        PackedRow(begin..self.rows.0.len())
    }

    /// Forgets the row that began there.
    pub(crate) fn undo(&mut self, begin: usize) {
        self.rows.0.truncate(begin);
    }

    pub(crate) fn integer(&mut self, parameter: usize, number: i64) {
        self.head(parameter, tag::INTEGER);
        self.rows.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, parameter: usize, text: &str) {
        self.bytes(parameter, tag::TEXT, text.as_bytes());
    }

    pub(crate) fn blob(&mut self, parameter: usize, bytes: &[u8]) {
        self.bytes(parameter, tag::BLOB, bytes);
    }

    /// The number of a word, or the text.
    pub(crate) fn word(&mut self, parameter: usize, text: &str) {
        match self.words.number(text) {
            Some(number) => self.integer(parameter, number),
            None => self.text(parameter, text),
        }
    }

    /// A UUID as bytes, or the text.
    pub(crate) fn uuid(&mut self, parameter: usize, text: &str) {
        match Packed::of(text) {
            Packed::Uuid(bytes) => self.blob(parameter, &bytes),
            _ => self.text(parameter, text),
        }
    }

    /// Hexadecimal digits as bytes, or the text.
    pub(crate) fn hex(&mut self, parameter: usize, text: &str) {
        match Packed::of(text) {
            Packed::Hex16(bytes) => self.blob(parameter, &bytes),
            Packed::Hex8(bytes) => self.blob(parameter, &bytes),
            _ => self.text(parameter, text),
        }
    }

    /// A JSON text in two columns: the number of its form and its numbers, or no form and the text.
    pub(crate) fn template(&mut self, parameter: usize, json: &str) {
        if let Some(split) = template::split(json)
            && let Some(number) = self.words.number(&split.form)
        {
            self.integer(parameter, number);
            return self.text(parameter + 1, &split.numbers);
        }
        self.text(parameter + 1, json);
    }

    /// Cost lines in two columns, as [`RowPacker::template`] has them.
    pub(crate) fn cost_lines(&mut self, parameter: usize, lines: &[CostLine]) {
        let mut text = std::mem::take(&mut self.text);
        if let Some(number) = self.line_forms.of(lines, self.words) {
            self.integer(parameter, number);
            template::line_numbers(lines, &mut text);
        } else {
            text = serde_json::to_string(lines).unwrap_or_default();
        }
        self.text(parameter + 1, &text);
        self.text = text;
    }

    /// The facts of an observation as a blob.
    pub(crate) fn facts(&mut self, parameter: usize, observation: &Observation) {
        self.head(parameter, tag::BLOB);
        let bytes = &mut self.rows.0;
        let length = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        facts::encode(observation, self.words, &mut self.scratch, bytes);
        let written = u32::try_from(bytes.len() - length - 4).unwrap_or(u32::MAX);
        bytes[length..length + 4].copy_from_slice(&written.to_le_bytes());
    }

    fn head(&mut self, parameter: usize, tag: u8) {
        // The tables have far fewer columns than a byte counts.
        self.rows.0.extend_from_slice(&[u8::try_from(parameter).unwrap_or(u8::MAX), tag]);
    }

    fn bytes(&mut self, parameter: usize, tag: u8, bytes: &[u8]) {
        self.head(parameter, tag);
        // Texts and facts have limits far below four gigabytes.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.rows.0.extend_from_slice(&length.to_le_bytes());
        self.rows.0.extend_from_slice(bytes);
    }
}
