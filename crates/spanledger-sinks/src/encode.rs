//! The encodings that sinks share. Each is derived from the table of columns ([`COLUMNS`]), for the
//! [selection of columns](Columns) that a sink's options make.
//!
//! | encoding | an absent value | amounts | moments |
//! |---|---|---|---|
//! | [JSON lines](JsonLine) | the key is missing | exact number literals | RFC 3339, to the nanosecond |
//! | [CSV](Csv) | an empty field; an empty text is `""` | exact | RFC 3339, to the nanosecond |
//! | Arrow record batches (feature `parquet`) | null | `DECIMAL(24,12)` | microseconds in UTC, rounded down |
//!
//! [`COLUMNS`]: spanledger_event::COLUMNS

#[cfg(feature = "parquet")]
pub mod arrow;
mod columns;
mod csv;
mod json;
mod lines;
#[cfg(test)]
pub(crate) mod test_events;

pub use columns::{Columns, ColumnsError, KEY_COLUMNS};
pub use csv::Csv;
pub use json::JsonLine;
pub use lines::{LineEncoding, LineFormat};
