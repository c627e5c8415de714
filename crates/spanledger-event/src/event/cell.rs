//! A column's value on its way to or from a sink.

use std::{borrow::Cow, collections::BTreeMap};

use rust_decimal::Decimal;
use serde::Serialize;

use super::{ColumnKind, EventState, Flag, UsageSource, text};
use crate::{CostLine, EventId, Timestamp, Usd};

/// One value of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Absent.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// An integer.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Dollars.
    Usd(Usd),
    /// A decimal number.
    Decimal(Decimal),
    /// A moment.
    Timestamp(Timestamp),
    /// A JSON text.
    Json(Cow<'a, str>),
}

/// A value that does not fit its column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` does not hold {expected}: the row was not written by this version of Spanledger")]
pub struct CellError {
    /// The column.
    pub column: &'static str,
    /// The kind of value that the column holds.
    pub expected: &'static str,
}

/// A Rust type that a column can have.
pub(crate) trait Value: Sized {
    const KIND: ColumnKind;
    const NULLABLE: bool = false;
    fn to_cell(&self) -> Cell<'_>;
    fn from_cell(cell: Cell<'_>) -> Result<Self, &'static str>;
}

/// A text that is known to be JSON, on one line. Its literals are unchanged; the white space between
/// them is removed.
///
/// The check happens once, when the text enters Spanledger. Code that has a `JsonText` need not repeat it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JsonText(String);

impl JsonText {
    /// Checks a text; `None` when it is not JSON, or is `null`, which is the absence of a value.
    pub fn new(text: impl AsRef<str>) -> Option<Self> {
        let text = text.as_ref();
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        let mut compact = String::with_capacity(text.len());
        let (mut quoted, mut escaped) = (false, false);
        for c in text.chars() {
            if quoted {
                quoted = escaped || c != '"';
                escaped = !escaped && c == '\\';
            } else if c.is_ascii_whitespace() {
                continue;
            } else {
                quoted = c == '"';
            }
            compact.push(c);
        }
        (compact != "null").then_some(Self(compact))
    }

    /// Wraps a text that was a `JsonText` before, such as one that was stored. The text is not checked.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Implements [`Value`] from the kind of the cell, the expectation that an error states, and the
/// conversions to and from a cell.
macro_rules! value {
    ($type:ty, $kind:ident, $expected:literal, |$v:ident| $to:expr, |$c:ident| $from:expr) => {
        impl Value for $type {
            const KIND: ColumnKind = ColumnKind::$kind;
            fn to_cell(&self) -> Cell<'_> {
                let $v = self;
                Cell::$kind($to)
            }
            fn from_cell(cell: Cell<'_>) -> Result<Self, &'static str> {
                match cell {
                    Cell::$kind($c) => $from.ok_or($expected),
                    _ => Err($expected),
                }
            }
        }
    };
}

value!(String, Text, "text", |v| v.into(), |c| Some(c.into_owned()));
value!(EventId, Text, "an event id", |v| v.as_str().into(), |c| Some(Self::from_text(c.into_owned())));
value!(i64, Integer, "an integer", |v| *v, |c| Some(c));
value!(bool, Boolean, "true or false", |v| *v, |c| Some(c));
value!(Usd, Usd, "an amount of dollars", |v| *v, |c| Some(c));
value!(Decimal, Decimal, "a decimal number", |v| *v, |c| Some(c));
value!(Timestamp, Timestamp, "a moment", |v| *v, |c| Some(c));
value!(JsonText, Json, "JSON", |v| v.as_str().into(), |c| Self::new(c));
value!(EventState, Text, "an event state", |v| v.as_str().into(), |c| {
    Self::ALL.into_iter().find(|state| state.as_str() == c)
});
value!(UsageSource, Text, "a usage source", |v| v.as_str().into(), |c| {
    Self::ALL.into_iter().find(|source| source.as_str() == c)
});
value!(Vec<CostLine>, Json, "cost lines", |v| text::lines(v), |c| serde_json::from_str(&c).ok());
value!(Vec<Flag>, Json, "flags", |v| if v.is_empty() { "[]".into() } else { json(v) }, |c| {
    serde_json::from_str(&c).ok()
});
value!(
    BTreeMap<String, String>,
    Json,
    "dimensions",
    |v| if v.is_empty() { "{}".into() } else { json(v) },
    |c| serde_json::from_str(&c).ok()
);

impl<T: Value> Value for Option<T> {
    const KIND: ColumnKind = T::KIND;
    const NULLABLE: bool = true;
    fn to_cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, T::to_cell)
    }
    fn from_cell(cell: Cell<'_>) -> Result<Self, &'static str> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

/// The JSON of one of the crate's types. Their serialization cannot fail; if it did, the result would be
/// `null`.
fn json<T: Serialize>(value: &T) -> Cow<'static, str> {
    serde_json::to_string(value).map_or(Cow::Borrowed("null"), Cow::Owned)
}
