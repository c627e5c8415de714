//! Parquet files.

use std::sync::Arc;

use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder},
    },
    schema::types::ColumnPath,
};
use spanledger_event::{COLUMNS, CostEvent};

use crate::{
    BatchId, Rejection,
    encode::{
        Columns,
        arrow::{ArrowBatches, ROWS_MAX},
    },
};

/// Columns whose values hardly ever repeat: a dictionary of them would only cost time.
const UNIQUE_COLUMNS: &[&str] =
    &["event_id", "request_id", "timestamp", "response_id", "trace_id", "span_id", "priced_at", "usage_raw"];

/// Makes the files.
#[derive(Clone, Debug)]
pub(super) struct FileEncoder {
    batches: ArrowBatches,
    properties: WriterPropertiesBuilder,
}

/// A file, and the events that are not in it.
#[derive(Debug)]
pub(super) struct EncodedFile {
    pub(super) bytes: Vec<u8>,
    pub(super) rejected: Vec<Rejection>,
}

impl FileEncoder {
    /// Compresses at this level; `None` if there is no such level.
    pub(super) fn new(columns: Columns, zstd_level: i32) -> Option<Self> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(zstd_level).ok()?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by(concat!("spanledger version ", env!("CARGO_PKG_VERSION")).to_owned());
        for column in UNIQUE_COLUMNS {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
        }
        Some(Self { batches: ArrowBatches::new(columns), properties })
    }

    /// Makes a file of these events.
    ///
    /// The same events of the same batch make the same file. An error is a defect of the encoding.
    pub(super) fn encode(&self, id: &BatchId, events: &[&CostEvent]) -> Result<EncodedFile, ParquetError> {
        let schema_version = COLUMNS.iter().map(|column| column.since).max().unwrap_or_default();
        let metadata = vec![
            KeyValue::new("spanledger.batch".to_owned(), id.to_string()),
            KeyValue::new("spanledger.schema_version".to_owned(), schema_version.to_string()),
        ];
        let properties = self.properties.clone().set_key_value_metadata(Some(metadata)).build();
        // The schema of Parquet says everything; Arrow's own copy of it would add 6 kB to each file.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let mut writer =
            ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&self.batches.schema()), options)?;
        let mut rejected = Vec::new();
        // One record batch after another, so that few rows are in memory in both forms.
        for (number, rows) in events.chunks(ROWS_MAX).enumerate() {
            let encoded = self.batches.encode(rows)?;
            for batch in &encoded.batches {
                writer.write(batch)?;
            }
            rejected.extend(encoded.rejected.iter().map(|error| Rejection {
                index: number * ROWS_MAX + error.index,
                reason: error.to_string(),
            }));
        }
        Ok(EncodedFile { bytes: writer.into_inner()?, rejected })
    }
}
