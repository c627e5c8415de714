//! A value that is ready to be bound to a statement.

use std::borrow::Cow;

use rusqlite::{
    Statement, ToSql,
    types::{ToSqlOutput, Value, ValueRef},
};

use crate::{
    error::RowError,
    facts::{Packed, hex, uuid},
    words::{Unknown, Words},
};

/// A value of one SQL column, other than null.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Datum {
    Integer(i64),
    Text(Box<str>),
    Bytes16([u8; 16]),
    Bytes8([u8; 8]),
}

impl ToSql for Datum {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes16(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Bytes8(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

impl Datum {
    /// The number of a word, or the text.
    pub(crate) fn word(text: &str, words: &Words, unknown: &mut Unknown) -> Self {
        words.number(text).map_or_else(
            || {
                unknown.add(text);
                Self::Text(text.into())
            },
            Self::Integer,
        )
    }

    /// A UUID as bytes, or the text.
    pub(crate) fn uuid(text: &str) -> Self {
        match Packed::of(text) {
            Packed::Uuid(bytes) => Self::Bytes16(bytes),
            _ => Self::Text(text.into()),
        }
    }

    /// Hexadecimal digits as bytes, or the text.
    pub(crate) fn hex(text: &str) -> Self {
        match Packed::of(text) {
            Packed::Hex16(bytes) => Self::Bytes16(bytes),
            Packed::Hex8(bytes) => Self::Bytes8(bytes),
            _ => Self::Text(text.into()),
        }
    }
}

/// The text of a column that holds the number of a word, or the text.
pub(crate) fn read_word<'a>(value: ValueRef<'a>, words: &'a Words) -> Result<&'a str, RowError> {
    match value {
        ValueRef::Integer(number) => words.text(number).ok_or(RowError::Word(number)),
        value => Ok(value.as_str()?),
    }
}

/// The text of a column that holds a UUID as bytes, or a text.
pub(crate) fn read_uuid(value: ValueRef<'_>) -> Result<Cow<'_, str>, RowError> {
    Ok(match value {
        ValueRef::Blob(bytes) if bytes.len() == 16 => uuid(bytes).into(),
        value => value.as_str()?.into(),
    })
}

/// The text of a column that holds hexadecimal digits as bytes, or a text.
pub(crate) fn read_hex(value: ValueRef<'_>) -> Result<Cow<'_, str>, RowError> {
    Ok(match value {
        ValueRef::Blob(bytes) => hex(bytes).into(),
        value => value.as_str()?.into(),
    })
}

/// Binds the values to their parameters, and null to all others.
pub(crate) fn bind(statement: &mut Statement<'_>, values: &[(u16, Datum)]) -> rusqlite::Result<()> {
    statement.clear_bindings();
    for (parameter, value) in values {
        statement.raw_bind_parameter(usize::from(*parameter), value)?;
    }
    Ok(())
}
