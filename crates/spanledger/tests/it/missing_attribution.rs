//! A client that quarantines calls without attribution.

use std::sync::{Arc, Mutex};

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError};
use http::{Request, Response};
use opentelemetry::{Context, KeyValue, baggage::BaggageExt as _, context::FutureExt as _};
use spanledger::{AttributionLayer, MissingAttribution};
use spanledger_testkit::world::{World, chat_request};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing::{
    Event, Instrument as _, Level, Subscriber, field::Visit, info_span, instrument::WithSubscriber as _,
};
use tracing_subscriber::{Registry, layer::SubscriberExt as _};

/// Keeps the warnings of the crate as text.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if *event.metadata().level() == Level::WARN && event.metadata().target() == "spanledger" {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
    }
}

/// A handler of an HTTP server whose layer does not find out who pays.
async fn in_a_server(client: Client<OpenAIConfig>) -> Result<(), OpenAIError> {
    let layer = AttributionLayer::new().feature("search").environment("test").route("/search");
    let handler = service_fn(move |_: Request<()>| {
        let client = client.clone();
        async move {
            client.chat().create(chat_request("hello")).await?;
            Ok::<_, OpenAIError>(Response::new(()))
        }
    });
    layer.layer(handler).oneshot(Request::new(())).await.map(drop)
}

#[tokio::test]
async fn the_refusal_names_the_field_that_the_layer_of_a_server_did_not_find() {
    let world = World::start().await;
    let error = in_a_server(world.client()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`customer_id` is missing") && !text.contains("`feature`"), "{text}");
    let known = Context::new().with_baggage([
        KeyValue::new("spanledger.customer_id", "acme"),
        KeyValue::new("spanledger.feature", "digest"),
    ]);
    let client = world.client();
    let call = async { client.chat().create(chat_request("two")).await.unwrap_err() };
    let text = call.with_context(known).await.to_string();
    assert!(text.contains("`route` and `environment` are missing"), "{text}");
    assert!(world.provider.requests().is_empty());
}

#[tokio::test]
async fn the_quarantined_event_has_the_fields_that_the_layer_of_a_server_found() {
    let world = World::start().await;
    let client = World::instrument(&world).missing_attribution(MissingAttribution::Quarantine).build();
    in_a_server(client).await.unwrap();
    let event = world.event().await;
    assert_eq!((event.state.as_str(), event.customer_id), ("quarantined", None));
    assert_eq!((event.feature.as_deref(), event.route.as_deref()), (Some("search"), Some("/search")));
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
