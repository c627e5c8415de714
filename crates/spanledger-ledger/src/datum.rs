//! The number of a word or the text, and how columns of identifiers are read.

use std::borrow::Cow;

use rusqlite::{
    ToSql,
    types::{ToSqlOutput, Value, ValueRef},
};

use crate::{
    error::RowError,
    facts::{hex, uuid},
    words::{Lookup, Words},
};

/// The value of a column that holds the number of a word, or a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Datum {
    Integer(i64),
    Text(Box<str>),
}

impl ToSql for Datum {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl Datum {
    /// The number of a word, or the text.
    pub(crate) fn word(text: &str, words: &mut Lookup<'_>) -> Self {
        words.number(text).map_or_else(|| Self::Text(text.into()), Self::Integer)
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
