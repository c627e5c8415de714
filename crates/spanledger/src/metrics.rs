//! Metrics of calls, by the OpenTelemetry GenAI convention, and counters of cost and tokens.
//!
//! Metrics are not sampled. The counters are therefore a checksum for the ledger: their sums are those of its events,
//! without those of jobs. A job is read later, perhaps by several processes, and only the receiver knows which
//! of the reads it has seen before.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::{
    InstrumentationScope, KeyValue, global,
    metrics::{Counter, Histogram, MeterProvider},
};
use spanledger_event::{Observation, keys};
use spanledger_otlp::record::SCOPE;

use crate::span::{nearest_double, operation};

#[cfg(test)]
mod tests;

/// The bounds that the convention gives for durations, in seconds.
const DURATION_BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// The bounds that the convention gives for token counts: the powers of four.
const TOKEN_BOUNDS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

type Provider = Arc<dyn MeterProvider + Send + Sync>;

/// The instruments of a meter provider.
struct Instruments {
    provider: Provider,
    duration: Histogram<f64>,
    token_usage: Histogram<u64>,
    cost: Counter<f64>,
    tokens: Counter<u64>,
    calls: Counter<u64>,
}

/// The instruments of the global provider. A provider that is set later gets new ones.
static INSTRUMENTS: Mutex<Option<Arc<Instruments>>> = Mutex::new(None);

/// Records the metrics of a call that has ended, with the global meter provider. It is called on the exporter's
/// thread.
pub(crate) fn record(o: &Observation) {
    instruments().record(o);
}

fn instruments() -> Arc<Instruments> {
    let provider = global::meter_provider();
    let mut current = INSTRUMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(instruments) = current.as_ref().filter(|current| Arc::ptr_eq(&current.provider, &provider)) {
        return Arc::clone(instruments);
    }
    Arc::clone(current.insert(Arc::new(Instruments::new(provider))))
}

impl Instruments {
    fn new(provider: Provider) -> Self {
        let scope = InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build();
        let meter = provider.meter_with_scope(scope);
        Self {
            provider,
            duration: meter
                .f64_histogram(keys::METRIC_OPERATION_DURATION)
                .with_unit("s")
                .with_description("The duration of calls to models.")
                .with_boundaries(DURATION_BOUNDS.to_vec())
                .build(),
            token_usage: meter
                .u64_histogram(keys::METRIC_TOKEN_USAGE)
                .with_unit("{token}")
                .with_description("The input and output tokens of calls to models.")
                .with_boundaries(TOKEN_BOUNDS.to_vec())
                .build(),
            cost: meter
                .f64_counter(keys::METRIC_COST)
                .with_unit("USD")
                .with_description("The cost of calls to models.")
                .build(),
            tokens: meter
                .u64_counter(keys::METRIC_TOKENS)
                .with_unit("{token}")
                .with_description("The input and output tokens of calls to models.")
                .build(),
            calls: meter
                .u64_counter(keys::METRIC_CALLS)
                .with_unit("{call}")
                .with_description("Calls to models, by the state of their cost.")
                .build(),
        }
    }

    /// Records a call. The attributes have few values: the customer and the route are in the ledger.
    fn record(&self, o: &Observation) {
        let of_call = attributes(o);
        let with =
            |more: Option<KeyValue>| -> Vec<KeyValue> { of_call.iter().cloned().chain(more).collect() };
        let error = o.outcome.error().map(|error| KeyValue::new(keys::ERROR_TYPE, error.to_owned()));
        self.duration.record(seconds(o), &with(error));
        let state = o.cost.as_ref().map(|cost| KeyValue::new(keys::COST_STATE, cost.state()));
        self.calls.add(1, &with(state));
        if let Some(usage) = &o.usage {
            for (kind, count) in [("input", usage.prompt_tokens()), ("output", usage.output_tokens())] {
                let attributes = with(Some(KeyValue::new(keys::TOKEN_TYPE, kind)));
                self.token_usage.record(count, &attributes);
                self.tokens.add(count, &attributes);
            }
        }
        let cost = o.cost.as_ref().and_then(|cost| cost.usd).and_then(nearest_double);
        if let Some(cost) = cost {
            self.cost.add(cost, &of_call);
        }
    }
}

fn attributes(o: &Observation) -> Vec<KeyValue> {
    let mut list = vec![
        KeyValue::new(keys::OPERATION_NAME, operation(o.endpoint)),
        KeyValue::new(keys::PROVIDER_NAME, o.provider.clone()),
    ];
    let models = [(keys::REQUEST_MODEL, &o.model), (keys::RESPONSE_MODEL, &o.response_model)];
    list.extend(models.into_iter().filter_map(|(key, model)| Some(KeyValue::new(key, model.clone()?))));
    list.extend(o.server_address.clone().map(|host| KeyValue::new(keys::SERVER_ADDRESS, host)));
    list
}

fn seconds(o: &Observation) -> f64 {
    let nanos = o.end.nanos().saturating_sub(o.start.nanos());
    std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or_default()).as_secs_f64()
}
