//! The JSON form: one object, the columns in their order, absent values left out.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use super::{COLUMNS, Cell, Column, ColumnKind, CostEvent, text};
use crate::{Timestamp, Usd};

impl Serialize for CostEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self, COLUMNS.iter(), serializer)
    }
}

impl CostEvent {
    /// The text of the JSON form, on one line. It equals what `serde_json` writes, and takes less time.
    pub fn to_json(&self) -> String {
        text::whole(self)
    }

    /// The JSON form with only these columns.
    pub fn with_columns<'a>(&'a self, columns: &'a [&'static Column]) -> EventJson<'a> {
        EventJson { event: self, columns }
    }
}

/// The JSON form of an event with some of the columns; see [`CostEvent::with_columns`].
#[derive(Clone, Copy, Debug)]
pub struct EventJson<'a> {
    event: &'a CostEvent,
    columns: &'a [&'static Column],
}

impl EventJson<'_> {
    /// Adds the text of the JSON form, on one line, to the end of `out`. It equals what `serde_json` writes, and
    /// takes less time.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        text::event(self.event, self.columns.iter().copied(), out);
    }
}

impl Serialize for EventJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self.event, self.columns.iter().copied(), serializer)
    }
}

fn write<S: Serializer>(
    event: &CostEvent,
    columns: impl Iterator<Item = &'static Column>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for column in columns {
        match (column.get)(event) {
            Cell::Null => {}
            Cell::Text(text) => map.serialize_entry(column.name, &text)?,
            Cell::Integer(number) => map.serialize_entry(column.name, &number)?,
            Cell::Boolean(truth) => map.serialize_entry(column.name, &truth)?,
            Cell::Usd(usd) => map.serialize_entry(column.name, &usd)?,
            Cell::Decimal(number) => {
                map.serialize_entry(column.name, raw(&number.normalize().to_string())?)?;
            }
            Cell::Timestamp(moment) => map.serialize_entry(column.name, &moment.to_string())?,
            Cell::Json(text) => map.serialize_entry(column.name, raw(&text)?)?,
        }
    }
    map.end()
}

/// A JSON value that is written as it is.
fn raw<E: serde::ser::Error>(text: &str) -> Result<&RawValue, E> {
    serde_json::from_str(text).map_err(E::custom)
}

impl<'de> Deserialize<'de> for CostEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EventVisitor;
        impl<'de> Visitor<'de> for EventVisitor {
            type Value = CostEvent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cost event")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CostEvent, A::Error> {
                let mut event = CostEvent::default();
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match COLUMNS.iter().find(|column| column.name == key) {
                        Some(column) => {
                            let raw: Box<RawValue> = map.next_value()?;
                            let cell = read(column, raw.get()).ok_or_else(|| {
                                A::Error::custom(format_args!(
                                    "`{}` does not hold a value of its kind",
                                    column.name
                                ))
                            })?;
                            (column.set)(&mut event, cell).map_err(A::Error::custom)?;
                        }
                        // The column may come from a later version: skip it.
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(event)
            }
        }
        deserializer.deserialize_map(EventVisitor)
    }
}

fn read(column: &Column, raw: &str) -> Option<Cell<'static>> {
    if raw == "null" {
        return Some(Cell::Null);
    }
    let text = || serde_json::from_str::<String>(raw).ok();
    Some(match column.kind {
        ColumnKind::Text => Cell::Text(text()?.into()),
        ColumnKind::Integer => Cell::Integer(raw.parse().ok()?),
        ColumnKind::Boolean => Cell::Boolean(raw.parse().ok()?),
        ColumnKind::Usd => Cell::Usd(serde_json::from_str::<Usd>(raw).ok()?),
        ColumnKind::Decimal => Cell::Decimal(raw.parse().ok()?),
        ColumnKind::Timestamp => Cell::Timestamp(Timestamp::parse(&text()?)?),
        ColumnKind::Json => Cell::Json(raw.to_owned().into()),
    })
}
