//! Functions for tests that read spans.

use opentelemetry_proto::tonic::{common::v1::KeyValue, trace::v1::Span};
use spanledger_event::{Cost, Observation, keys};
use spanledger_price::PriceBook;
use spanledger_testkit::otlp::{SpanBuilder, resource, scope, text, traces_of};

use crate::ObservationReader;

/// The span of a chat with gpt-5.5 at OpenAI, with these additional attributes.
pub(crate) fn chat(attributes: impl IntoIterator<Item = KeyValue>) -> Span {
    SpanBuilder::chat("gpt-5.5").number(1).attributes(attributes).build()
}

/// A span with only these attributes.
pub(crate) fn span(attributes: impl IntoIterator<Item = KeyValue>) -> Span {
    SpanBuilder::new("chat gpt-5.5").number(1).attributes(attributes).build()
}

/// The observations of spans of the service `checkout` in `staging`.
pub(crate) fn read(spans: impl IntoIterator<Item = Span>) -> Vec<Observation> {
    let resource =
        resource([text(keys::SERVICE_NAME, "checkout"), text(keys::DEPLOYMENT_ENVIRONMENT_NAME, "staging")]);
    ObservationReader::default().traces(&traces_of(resource, scope("scope", "1"), spans).into())
}

/// The observation of a span that is a call.
pub(crate) fn read_one(span: Span) -> Observation {
    let mut observations = read([span]);
    assert_eq!(observations.len(), 1);
    observations.remove(0)
}

/// The cost of an observed call by the built-in book.
pub(crate) fn cost_of(o: &Observation) -> Cost {
    let mut o = o.clone();
    crate::price(PriceBook::builtin(), &mut o);
    o.cost.unwrap()
}
