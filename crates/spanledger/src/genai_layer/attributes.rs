//! The attributes that the layer adds to the OpenTelemetry span of a call.

use opentelemetry::{KeyValue, Value};
use spanledger_event::{Observation, PartialAttribution, keys};

/// The attribution, as far as neither the span states it itself nor a processor has copied it, and the cost.
pub(super) fn added(
    o: &Observation,
    stated: &PartialAttribution,
    copied: &PartialAttribution,
) -> Vec<KeyValue> {
    let (stated, copied) = (texts(stated), texts(copied));
    let mut list: Vec<KeyValue> = texts(&o.attribution)
        .into_iter()
        .filter(|text| stated.iter().all(|(key, _)| *key != text.0) && !copied.contains(text))
        .map(|(key, value)| KeyValue::new(key, value))
        .collect();
    let mut put = |key: &'static str, value: Option<Value>| {
        list.extend(value.map(|value| KeyValue::new(key, value)));
    };
    if let Some(cost) = &o.cost {
        let usd = cost.usd.map(|usd| usd.to_string());
        // Another attribute has the exact amount. The double is for tools that cannot read decimals.
        let double = usd.as_ref().filter(|_| o.emitter_cost.is_none()).and_then(|usd| usd.parse().ok());
        put(keys::COST_STATE, Some(cost.state().into()));
        put(keys::COST_USD, usd.map(Value::from));
        put(keys::COST_REASON, cost.reason.map(|reason| reason.as_str().into()));
        put(keys::PRICE_VERSION, Some(cost.price_version.clone().into()));
        put(keys::USAGE_COST, double.map(Value::F64));
    }
    list
}

/// The attributes of an attribution.
fn texts(attribution: &PartialAttribution) -> Vec<(String, String)> {
    let fields = [
        (keys::FEATURE, &attribution.feature),
        (keys::ROUTE, &attribution.route),
        (keys::CUSTOMER_ID, &attribution.customer_id),
        (keys::ENVIRONMENT, &attribution.environment),
        (keys::REQUEST_ID, &attribution.request_id),
        (keys::BATCH_JOB_ID, &attribution.batch_job_id),
    ];
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
    let dims = attribution.dims.iter();
    fields.chain(dims.map(|(name, value)| (format!("{}{name}", keys::DIM_PREFIX), value.clone()))).collect()
}
