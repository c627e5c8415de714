use std::sync::{Arc, Mutex};

use spanledger_event::{Bucket, EventId, ObservedAs, Timestamp, Usage};
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt as _};

use super::*;

/// Keeps the events as text.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
}

/// The warnings of a call with so many bytes and so many input tokens.
fn warnings(warning: PromptWarning, bytes: usize, tokens: u64) -> Vec<String> {
    let events = Events::default();
    let attribution =
        PartialAttribution { customer_id: Some("acme".to_owned()), ..PartialAttribution::default() };
    let request =
        RequestInfo { body_bytes: Some(bytes), model: Some("gpt-5.5".into()), ..RequestInfo::default() };
    let id = EventId::of_request("order-7", 1);
    let mut o = Observation::new(id, "call", ObservedAs::Record, Timestamp::from_nanos(0));
    (o.attribution, o.model) = (attribution.clone(), request.model.as_deref().map(str::to_owned));
    o.usage = Some(Usage::default().with(Bucket::Input, tokens - 1).with(Bucket::CachedInput, 1));
    tracing::subscriber::with_default(Registry::default().with(events.clone()), || {
        warning.before_the_call(&request, || attribution.clone()).after_the_call(&o);
    });
    let events = events.0.lock().unwrap();
    events.clone()
}

#[test]
fn a_call_warns_once_above_the_limit_and_names_its_attribution() {
    assert!(warnings(PromptWarning::default(), 10_000_000, 250_000).is_empty());
    let warned = warnings(PromptWarning::default(), 0, 250_001);
    let [warning] = &warned[..] else { panic!("{warned:?}") };
    for part in [
        "spanledger.prompt.large",
        "prompt_tokens=250001",
        "limit=250000",
        "estimated=false",
        "model=\"gpt-5.5\"",
        "customer_id=\"acme\"",
    ] {
        assert!(warning.contains(part), "{part} is not in {warning}");
    }
    assert!(warnings(PromptWarning::off(), 10_000_000, 10_000_000).is_empty());
}

#[test]
fn an_estimate_warns_before_the_call_and_then_not_again() {
    let warning = PromptWarning::above(1_000).also_before_the_call();
    let warned = warnings(warning, 4_004, 2_000);
    let [estimate] = &warned[..] else { panic!("{warned:?}") };
    assert!(estimate.contains("prompt_tokens=1001 ") && estimate.contains("estimated=true"), "{estimate}");
    // An estimate that is too low does not replace the count.
    let warned = warnings(warning, 4_000, 2_000);
    assert!(warned.len() == 1 && warned[0].contains("prompt_tokens=2000 "), "{warned:?}");
}
