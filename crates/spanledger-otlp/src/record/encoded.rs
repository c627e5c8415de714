//! Records that are encoded once, and requests that are put together from them.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};

use super::request;

/// The field `log_records` of a `ScopeLogs` message.
const LOG_RECORDS: u32 = 2;
/// The field `scope_logs` of a `ResourceLogs` message.
const SCOPE_LOGS: u32 = 2;
/// The field `resource_logs` of an export request.
const RESOURCE_LOGS: u32 = 1;

/// The bytes that a record takes in protobuf.
pub fn encoded_len(record: &LogRecord) -> usize {
    record.encoded_len()
}

/// Encodes records, and puts export requests together from encoded records. The records of a request that is
/// repeated, or that is split, are not encoded again.
#[derive(Clone, Debug)]
pub struct RequestEncoder {
    /// The encoded fields of `ResourceLogs` beside its `ScopeLogs`.
    resource: Vec<u8>,
    /// The encoded fields of `ScopeLogs` beside its records.
    scope: Vec<u8>,
}

impl RequestEncoder {
    /// An encoder for the records of one resource and one version of the crate.
    pub fn new(resource: &[(String, String)], version: &str) -> Self {
        let ExportLogsServiceRequest { resource_logs } = request(Vec::new(), resource, version).0;
        let mut encoder = Self { resource: Vec::new(), scope: Vec::new() };
        for mut resource in resource_logs {
            let scopes = std::mem::take(&mut resource.scope_logs);
            encoder.resource.extend(ResourceLogs::encode_to_vec(&resource));
            encoder.scope.extend(scopes.iter().flat_map(ScopeLogs::encode_to_vec));
        }
        encoder
    }

    /// Encodes a record as a field of a request.
    pub fn record(&self, record: &LogRecord) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, LOG_RECORDS, record.encoded_len(), |bytes| {
            bytes.extend(record.encode_to_vec());
        });
        bytes
    }

    /// The export request with these encoded records.
    pub fn request<'a>(&self, records: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
        let scope_len = self.scope.len() + records.clone().map(<[u8]>::len).sum::<usize>();
        let resource_len = self.resource.len() + field_len(SCOPE_LOGS, scope_len);
        let mut bytes = Vec::with_capacity(field_len(RESOURCE_LOGS, resource_len));
        put(&mut bytes, RESOURCE_LOGS, resource_len, |bytes| {
            bytes.extend_from_slice(&self.resource);
            put(bytes, SCOPE_LOGS, scope_len, |bytes| {
                bytes.extend_from_slice(&self.scope);
                for record in records {
                    bytes.extend_from_slice(record);
                }
            });
        });
        bytes
    }
}

/// The length of a field whose content has this length.
fn field_len(tag: u32, len: usize) -> usize {
    key_len(tag) + encoded_len_varint(len as u64) + len
}

/// Writes a field whose content has this length.
fn put(bytes: &mut Vec<u8>, tag: u32, len: usize, content: impl FnOnce(&mut Vec<u8>)) {
    encode_key(tag, WireType::LengthDelimited, bytes);
    encode_varint(len as u64, bytes);
    content(bytes);
}
