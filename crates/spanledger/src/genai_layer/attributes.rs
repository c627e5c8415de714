//! The attributes that the layer adds to the OpenTelemetry span of a call.

use opentelemetry::{KeyValue, Value};
use spanledger_event::{Observation, PartialAttribution, keys};
use spanledger_otlp::record;

use crate::span::{SET_AT_START, nearest_double, otel_value};

/// The attributes of the call's record that the span lacks: among them the attribution, the cost and the event id, by
/// which the receiver reads the span as it reads the record.
///
/// `stated` are the keys of the span's own fields, and `copied` is what a processor has copied to the span.
pub(super) fn added(o: &Observation, stated: &[String], copied: &PartialAttribution) -> Vec<KeyValue> {
    let lacks = |key: &str| stated.iter().all(|stated| stated != key);
    let mut list: Vec<KeyValue> = record::attributes(o)
        .into_iter()
        .filter(|(key, value)| {
            let is_copied = matches!(value, record::AttributeValue::Text(text) if is_in(copied, key, text));
            lacks(key) && !SET_AT_START.contains(&key.as_str()) && !is_copied
        })
        .map(|(key, value)| KeyValue::new(key, otel_value(&value)))
        .collect();
    // For tools that cannot read decimals.
    let usd = o.cost.as_ref().and_then(|cost| cost.usd).and_then(nearest_double);
    list.extend(
        usd.filter(|_| lacks(keys::USAGE_COST)).map(|usd| KeyValue::new(keys::USAGE_COST, Value::F64(usd))),
    );
    list
}

/// Whether an attribution has this attribute.
fn is_in(attribution: &PartialAttribution, key: &str, text: &str) -> bool {
    let value = match key {
        keys::FEATURE => attribution.feature.as_deref(),
        keys::ROUTE => attribution.route.as_deref(),
        keys::CUSTOMER_ID => attribution.customer_id.as_deref(),
        keys::ENVIRONMENT => attribution.environment.as_deref(),
        keys::REQUEST_ID => attribution.request_id.as_deref(),
        keys::BATCH_JOB_ID => attribution.batch_job_id.as_deref(),
        key => key.strip_prefix(keys::DIM_PREFIX).and_then(|name| Some(attribution.dims.get(name)?.as_str())),
    };
    value == Some(text)
}
