//! Arrow record batches.
//!
//! # Types
//!
//! | kind of column | Arrow type | why |
//! |---|---|---|
//! | text, JSON | `Utf8` | Every reader has it. A writer of Parquet makes a dictionary of texts that repeat by itself. |
//! | integer | `Int64` | |
//! | boolean | `Boolean` | |
//! | dollars | `Decimal128(24, 12)` | It is exact, and the type of the column at every sink. |
//! | decimal | `Decimal128(38, 18)` | It holds 20 digits before the point, and 18 after it: providers state seconds with up to 15 places, because they print floats. |
//! | moment | `Timestamp(microseconds, UTC)` | See below. |
//!
//! Moments are microseconds, rounded down, although events have nanoseconds. DuckDB, Spark, BigQuery and Snowflake
//! all read `TIMESTAMP(MICROS, UTC)` of a Parquet file as a moment. Spark refuses a file with
//! `TIMESTAMP(NANOS)`, BigQuery has no type for it, and DuckDB's type for it has no time zone.
//!
//! A value outside the range of its type is an error of its row, and the other rows are encoded.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{BooleanBuilder, Decimal128Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder},
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use spanledger_event::{Cell, Column, ColumnKind, CostEvent};

use super::Columns;

#[cfg(test)]
pub(crate) mod tests;

/// Digits of `DECIMAL(24,12)`, and those after the point.
const USD: (u8, i8) = (24, 12);
/// Digits of a decimal number, and those after the point.
const DECIMAL: (u8, i8) = (38, 18);
/// Rows of one record batch.
pub const ROWS_MAX: usize = 4_096;
/// Bytes of one text. The offsets of a `Utf8` array have 31 bits, so that the texts of a record batch fit.
pub const TEXT_BYTES_MAX: usize = (1 << 31) / ROWS_MAX - 1;

/// Encodes events as Arrow record batches.
#[derive(Clone, Debug)]
pub struct ArrowBatches {
    columns: Columns,
    schema: SchemaRef,
}

/// Events as Arrow record batches.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// The rows in the order of the events, in batches of at most [`ROWS_MAX`] rows.
    pub batches: Vec<RecordBatch>,
    /// The events that have no row.
    pub rejected: Vec<RowError>,
}

/// Why an event has no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{column}`: {problem}")]
pub struct RowError {
    /// The place of the event among those that were encoded.
    pub index: usize,
    /// The column.
    pub column: &'static str,
    /// Why its value does not fit.
    pub problem: RangeError,
}

/// A value that is outside the range of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The number has too many digits.
    #[error("{number} does not fit DECIMAL({precision},{scale})")]
    Digits {
        /// The number.
        number: String,
        /// The digits of the type.
        precision: u8,
        /// How many of them are after the point.
        scale: i8,
    },
    /// The text is too long.
    #[error("the text has {bytes} bytes, and at most {TEXT_BYTES_MAX} fit")]
    Text {
        /// The length of the text.
        bytes: usize,
    },
    /// The value is not of the column's kind.
    #[error("the value is not of the kind of its column")]
    Kind,
}

/// The Arrow type of a kind of column.
pub fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text | ColumnKind::Json => DataType::Utf8,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::Usd => DataType::Decimal128(USD.0, USD.1),
        ColumnKind::Decimal => DataType::Decimal128(DECIMAL.0, DECIMAL.1),
        ColumnKind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

impl ArrowBatches {
    /// Encodes these columns.
    pub fn new(columns: Columns) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(column.name, data_type(column.kind), column.nullable))
            .collect();
        Self { columns, schema: Arc::new(Schema::new(fields)) }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Encodes events.
    ///
    /// An error means that Arrow refuses what was built, which is a defect of this function.
    pub fn encode(&self, events: &[&CostEvent]) -> Result<Encoded, ArrowError> {
        let mut encoded = Encoded::default();
        for (chunk, events) in events.chunks(ROWS_MAX).enumerate() {
            let mut arrays = self.arrays(events);
            if let Err(errors) = &mut arrays {
                let rejected = |index: usize| errors.iter().any(|error| error.index == index);
                let fitting: Vec<&CostEvent> =
                    (0..events.len()).filter(|index| !rejected(*index)).map(|index| events[index]).collect();
                for error in errors.drain(..) {
                    encoded.rejected.push(RowError { index: chunk * ROWS_MAX + error.index, ..error });
                }
                arrays = self.arrays(&fitting);
            }
            let arrays =
                arrays.map_err(|_| ArrowError::ComputeError("a checked row is refused".to_owned()))?;
            let batch = RecordBatch::try_new(self.schema(), arrays)?;
            if batch.num_rows() > 0 {
                encoded.batches.push(batch);
            }
        }
        Ok(encoded)
    }

    /// The arrays of the columns, or an error for each event that does not fit.
    fn arrays(&self, events: &[&CostEvent]) -> Result<Vec<ArrayRef>, Vec<RowError>> {
        let mut errors: Vec<RowError> = Vec::new();
        let mut arrays = Vec::with_capacity(self.columns.iter().len());
        for column in self.columns.iter() {
            let mut builder = Builder::new(column, events.len());
            for (index, event) in events.iter().enumerate() {
                if let Err(problem) = builder.append((column.get)(event))
                    && !errors.iter().any(|error| error.index == index)
                {
                    errors.push(RowError { index, column: column.name, problem });
                }
            }
            arrays.push(builder.finish());
        }
        errors.sort_by_key(|error| error.index);
        if errors.is_empty() { Ok(arrays) } else { Err(errors) }
    }
}

enum Builder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    Decimal(Decimal128Builder, (u8, i8)),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(column: &Column, rows: usize) -> Self {
        let decimal = |(precision, scale)| {
            let builder = Decimal128Builder::with_capacity(rows);
            let data_type = DataType::Decimal128(precision, scale);
            Self::Decimal(builder.with_data_type(data_type), (precision, scale))
        };
        match column.kind {
            ColumnKind::Text | ColumnKind::Json => Self::Text(StringBuilder::with_capacity(rows, rows * 16)),
            ColumnKind::Integer => Self::Integer(Int64Builder::with_capacity(rows)),
            ColumnKind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnKind::Usd => decimal(USD),
            ColumnKind::Decimal => decimal(DECIMAL),
            ColumnKind::Timestamp => Self::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(data_type(column.kind)),
            ),
        }
    }

    /// Appends a value. After an error the array has no value for the row and cannot be used.
    fn append(&mut self, cell: Cell<'_>) -> Result<(), RangeError> {
        match (self, cell) {
            (Self::Text(builder), Cell::Null) => builder.append_null(),
            (Self::Text(builder), Cell::Text(text) | Cell::Json(text)) => {
                if text.len() > TEXT_BYTES_MAX {
                    return Err(RangeError::Text { bytes: text.len() });
                }
                builder.append_value(text);
            }
            (Self::Integer(builder), Cell::Null) => builder.append_null(),
            (Self::Integer(builder), Cell::Integer(number)) => builder.append_value(number),
            (Self::Boolean(builder), Cell::Null) => builder.append_null(),
            (Self::Boolean(builder), Cell::Boolean(truth)) => builder.append_value(truth),
            (Self::Decimal(builder, _), Cell::Null) => builder.append_null(),
            (Self::Decimal(builder, digits), Cell::Usd(amount)) => {
                let value = amount.picos();
                let fits = value.unsigned_abs() < 10_u128.pow(digits.0.into());
                builder.append_value(fits.then_some(value).ok_or_else(|| digits_error(&amount, *digits))?);
            }
            (Self::Decimal(builder, digits), Cell::Decimal(number)) => {
                let exact = number.normalize();
                let missing = u32::try_from(digits.1).ok().and_then(|scale| scale.checked_sub(exact.scale()));
                let value = missing
                    .and_then(|places| exact.mantissa().checked_mul(10_i128.pow(places)))
                    .filter(|value| value.unsigned_abs() < 10_u128.pow(digits.0.into()));
                builder.append_value(value.ok_or_else(|| digits_error(&number, *digits))?);
            }
            (Self::Timestamp(builder), Cell::Null) => builder.append_null(),
            (Self::Timestamp(builder), Cell::Timestamp(moment)) => {
                builder.append_value(moment.nanos().div_euclid(1_000));
            }
            _ => return Err(RangeError::Kind),
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Integer(mut builder) => Arc::new(builder.finish()),
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Decimal(mut builder, _) => Arc::new(builder.finish()),
            Self::Timestamp(mut builder) => Arc::new(builder.finish()),
        }
    }
}

fn digits_error(number: &impl ToString, (precision, scale): (u8, i8)) -> RangeError {
    RangeError::Digits { number: number.to_string(), precision, scale }
}
