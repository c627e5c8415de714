//! The message of a batch.

use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber},
    resource::v1::Resource,
};
use spanledger_event::{Cell, Column, SharedEvent, keys};

use crate::{
    Batch, Fault,
    encode::{Columns, JsonLine},
};

/// The name of the service and of the scope.
const SCOPE: &str = "spanledger";

/// A log record for each event.
pub(super) fn message(
    batch: &Batch,
    columns: &Columns,
    encoding: &JsonLine,
) -> Result<ExportLogsServiceRequest, Fault> {
    let records: Result<Vec<LogRecord>, Fault> =
        batch.events().map(|event| record(event, columns.as_slice(), encoding)).collect();
    let scope = InstrumentationScope {
        name: SCOPE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let resource =
        Resource { attributes: vec![text(keys::SERVICE_NAME, SCOPE.to_owned())], ..Resource::default() };
    Ok(ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource),
            scope_logs: vec![ScopeLogs { scope: Some(scope), log_records: records?, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    })
}

fn record(event: &SharedEvent, columns: &[&'static Column], encoding: &JsonLine) -> Result<LogRecord, Fault> {
    let mut line = Vec::with_capacity(2_048);
    encoding.write(event, &mut line).map_err(Fault::rejected)?;
    line.pop();
    let body = String::from_utf8(line).map_err(Fault::rejected)?;
    let nanos = u64::try_from(event.timestamp.nanos()).unwrap_or_default();
    Ok(LogRecord {
        time_unix_nano: nanos,
        observed_time_unix_nano: nanos,
        severity_number: SeverityNumber::Info.into(),
        severity_text: "INFO".to_owned(),
        event_name: keys::COST_EVENT_NAME.to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes: columns.iter().filter_map(|column| attribute(event, column)).collect(),
        trace_id: id(event.trace_id.as_deref(), 16),
        span_id: id(event.span_id.as_deref(), 8),
        ..LogRecord::default()
    })
}

/// A column as an attribute. Amounts are text, because a double is not exact; JSON is only in the body.
fn attribute(event: &SharedEvent, column: &Column) -> Option<KeyValue> {
    let value = match (column.get)(event) {
        Cell::Null | Cell::Json(_) => return None,
        Cell::Text(words) => Value::StringValue(words.into_owned()),
        Cell::Integer(number) => Value::IntValue(number),
        Cell::Boolean(truth) => Value::BoolValue(truth),
        Cell::Usd(usd) => Value::StringValue(usd.to_string()),
        Cell::Decimal(number) => Value::StringValue(number.normalize().to_string()),
        Cell::Timestamp(moment) => Value::StringValue(moment.to_string()),
    };
    Some(KeyValue {
        key: column.name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    })
}

fn text(key: &str, value: String) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value)) }),
        ..KeyValue::default()
    }
}

/// The bytes of an id in hexadecimal digits; none if it has another length.
fn id(hex: Option<&str>, length: usize) -> Vec<u8> {
    let Some(hex) = hex.filter(|hex| hex.len() == 2 * length && hex.is_ascii()) else { return Vec::new() };
    let digits = (0..length).map(|index| u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok());
    digits.collect::<Option<_>>().unwrap_or_default()
}
