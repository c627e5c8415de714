//! A client that quarantines calls without attribution.

use std::sync::{Arc, Mutex};

use opentelemetry::{Context, KeyValue, baggage::BaggageExt as _, context::FutureExt as _};
use spanledger::MissingAttribution;
use spanledger_testkit::world::{World, chat_request};
use tracing::{
    Event, Instrument as _, Level, Subscriber, field::Visit, info_span, instrument::WithSubscriber as _,
};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt as _};

/// Keeps the warnings of the crate as text.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if *event.metadata().level() == Level::WARN && event.metadata().target() == "spanledger" {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
    }
}

#[tokio::test]
async fn a_call_without_attribution_is_sent_and_quarantined_with_one_warning_per_call_site() {
    let world = World::start().await;
    let client = spanledger::instrument(world.config())
        .provider("openai")
        .recorder(world.recorder.clone())
        .missing_attribution(MissingAttribution::Quarantine)
        .build();
    let warnings = Warnings::default();
    let calls = async {
        for _ in 0..3 {
            let call = async { client.chat().create(chat_request("one")).await.unwrap() };
            call.instrument(info_span!("digest")).await;
        }
        let known = Context::new().with_baggage([KeyValue::new("spanledger.customer_id", "acme")]);
        let call = async { client.chat().create(chat_request("two")).await.unwrap() };
        call.instrument(info_span!("search")).with_context(known).await;
    };
    calls.with_subscriber(Registry::default().with(warnings.clone())).await;
    let events = world.events().await;
    assert_eq!(events.len(), 4);
    assert!(
        events.iter().all(|event| event.state.as_str() == "quarantined" && event.cost_usd.is_some()),
        "{events:#?}"
    );
    assert_eq!((events[0].customer_id.as_deref(), events[3].customer_id.as_deref()), (None, Some("acme")));
    let warnings = warnings.0.lock().unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    for (warning, span) in warnings.iter().zip(["digest", "search"]) {
        for part in
            [&format!("span=\"{span}\""), "/v1/chat/completions", "missing_attribution.rs", ".attributed("]
        {
            assert!(warning.contains(part), "{part} is not in {warning}");
        }
    }
}
