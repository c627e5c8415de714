//! The fields of a `tracing` span as attributes of an OTLP span.

use std::fmt::Debug;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, Status, span::SpanKind, status::StatusCode},
};
use tracing::{
    Metadata,
    field::{Field, Visit},
};

/// The longest text that is kept. Longer texts are prompts and answers, which are not read.
const TEXT_BYTES_MAX: usize = 1_024;

/// Whether a span can be a call: it has fields of the GenAI convention. The spans of our own client have none.
pub(super) fn are_genai(metadata: &Metadata<'_>) -> bool {
    metadata.fields().iter().any(|field| field.name().starts_with("gen_ai."))
}

/// The fields that a span has so far.
#[derive(Debug, Default)]
pub(super) struct Fields {
    attributes: Vec<KeyValue>,
    is_server: bool,
    /// Whether the OpenTelemetry span has an error status.
    pub(super) is_error: bool,
}

impl Fields {
    /// A span with these attributes, and without ids and times.
    pub(super) fn into_span(self) -> Span {
        let kind = if self.is_server { SpanKind::Server } else { SpanKind::Client };
        let error = || Status { code: StatusCode::Error as i32, ..Status::default() };
        Span {
            attributes: self.attributes,
            kind: kind as i32,
            status: self.is_error.then(error),
            ..Span::default()
        }
    }

    /// The keys of the fields.
    pub(super) fn keys(&self) -> Vec<String> {
        self.attributes.iter().map(|attribute| attribute.key.clone()).collect()
    }

    /// Adds later fields. A field that is there twice has its last value.
    pub(super) fn append(&mut self, later: Self) {
        self.attributes.retain(|known| !later.attributes.iter().any(|attribute| attribute.key == known.key));
        self.attributes.extend(later.attributes);
        self.is_server |= later.is_server;
        self.is_error |= later.is_error;
    }

    fn put(&mut self, field: &Field, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        // A span can record a field again for each chunk of its stream.
        self.attributes.retain(|attribute| attribute.key != field.name());
        self.attributes.push(KeyValue { key: field.name().to_owned(), value, ..KeyValue::default() });
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::DoubleValue(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::IntValue(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.put(field, Value::IntValue(value)),
            Err(_) => self.put(field, Value::StringValue(value.to_string())),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::BoolValue(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.kind" => self.is_server = value.eq_ignore_ascii_case("server"),
            "otel.status_code" => self.is_error = value.eq_ignore_ascii_case("error"),
            _ if value.len() > TEXT_BYTES_MAX => {}
            _ => self.put(field, Value::StringValue(value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Values given with `%` arrive here, too, and their debug form is their text.
        self.record_str(field, &format!("{value:?}"));
    }
}
