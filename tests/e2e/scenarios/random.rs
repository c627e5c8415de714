//! Random scenarios: the order of the requests, their repetition and their split do not change the events.

use opentelemetry_proto::tonic::{logs::v1::LogRecord, trace::v1::Span};
use proptest::{prelude::*, sample::Index};
use spanledger_event::keys;
use spanledger_otlp::record;
use spanledger_testkit::{
    observation::ObservationBuilder,
    otlp::{self, SpanBuilder, text},
};

use super::{message::Request, send};

/// One span or record.
#[derive(Clone, Debug)]
enum Item {
    Span(Box<Span>),
    Record(Box<LogRecord>),
}

/// The random content of an item. Each field has few values, so that items often share a call, a response or
/// a trace.
#[derive(Clone, Debug)]
struct Choices {
    kind: usize,
    call: u8,
    trace: u8,
    parent: Option<u8>,
    start: i64,
    response: Option<u8>,
    host: usize,
    tokens: Option<i64>,
    failed: bool,
    attributed: bool,
}

const HOSTS: [&str; 2] = ["api.openai.com", "litellm.internal"];

impl Choices {
    fn item(&self) -> Item {
        match self.kind {
            0 | 1 => Item::Record(Box::new(record::record(&self.observation()))),
            2 => {
                let span = SpanBuilder::new(keys::RECORD_EVENT_NAME).ids(self.own_trace(), [self.call; 8]);
                Item::Span(Box::new(span.attributes(record::record(&self.observation()).attributes).build()))
            }
            kind => Item::Span(Box::new(self.foreign_span(kind == 3))),
        }
    }

    /// The trace of a call of the crate `spanledger`. It depends on the call only, because a call's record
    /// and span are always in the same trace.
    fn own_trace(&self) -> [u8; 16] {
        [1 + self.call % 2; 16]
    }

    /// A call of the crate `spanledger`. Every two calls are attempts of one request.
    fn observation(&self) -> spanledger_event::Observation {
        let start_s = i64::try_from(otlp::START / 1_000_000_000).unwrap() + self.start;
        let (request, call) = (format!("request-{}", self.call / 2), format!("call-{}", self.call));
        let mut call = ObservationBuilder::record(&request, &call, start_s).in_trace(
            &otlp::hex(&self.own_trace()),
            &otlp::hex(&[self.call; 8]),
            self.parent.map(|parent| otlp::hex(&[parent; 8])).as_deref(),
        );
        if let Some(tokens) = self.tokens {
            call = call.tokens(tokens.unsigned_abs(), 10);
        }
        if self.failed {
            call = call.failed("500");
        }
        if let Some(id) = self.response {
            call = call.response(&format!("chatcmpl-{id}"));
        }
        call.with(|o| {
            o.server_address = Some(HOSTS[self.host].to_owned());
            o.cost = None;
        })
        .build()
    }

    fn foreign_span(&self, is_agent: bool) -> Span {
        let mut span = SpanBuilder::chat("gpt-5.5")
            .ids([self.trace; 16], [self.call; 8])
            .start(otlp::START + self.start.unsigned_abs() * 1_000_000_000)
            .attribute(text(keys::SERVER_ADDRESS, HOSTS[self.host]));
        if is_agent {
            span = span.attribute(text(keys::OPERATION_NAME, "invoke_agent")).duration(5_000_000_000);
        }
        if let Some(parent) = self.parent {
            span = span.parent([parent; 8]);
        }
        if let Some(tokens) = self.tokens {
            span = span.tokens(tokens, 10);
        }
        if let Some(id) = self.response {
            span = span.response_id(format!("chatcmpl-{id}"));
        }
        if self.attributed {
            span = span.attributed();
        }
        if self.failed {
            span = span.failed("500");
        }
        span.build()
    }
}

fn choices() -> impl Strategy<Value = Choices> {
    (
        0..6_usize,
        1..4_u8,
        1..3_u8,
        proptest::option::of(1..4_u8),
        0..3_i64,
        proptest::option::of(0..3_u8),
        0..2_usize,
        proptest::option::of(0..3_i64),
        proptest::bool::weighted(0.2),
        any::<bool>(),
    )
        .prop_map(|(kind, call, trace, parent, start, response, host, tokens, failed, attributed)| {
            Choices {
                kind,
                call,
                trace,
                parent,
                start,
                response,
                host,
                tokens: tokens.map(|tokens| tokens * 500),
                failed,
                attributed,
            }
        })
}

/// Splits the items into export requests with at most `size` spans or records each.
fn requests(items: &[Item], size: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    for chunk in items.chunks(size) {
        let spans: Vec<Span> = chunk
            .iter()
            .filter_map(|item| match item {
                Item::Span(span) => Some((**span).clone()),
                Item::Record(_) => None,
            })
            .collect();
        let records: Vec<LogRecord> = chunk
            .iter()
            .filter_map(|item| match item {
                Item::Record(record) => Some((**record).clone()),
                Item::Span(_) => None,
            })
            .collect();
        requests.extend((!spans.is_empty()).then(|| Request::Traces(otlp::traces(spans))));
        requests.extend((!records.is_empty()).then(|| Request::Logs(otlp::logs(records))));
    }
    requests
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_scenarios_hold_in_every_order(
        choices in proptest::collection::vec(choices(), 1..8),
        swaps in proptest::collection::vec(any::<(Index, Index)>(), 0..16),
        repeated in proptest::collection::vec(any::<Index>(), 0..4),
        size in 1..5_usize,
    ) {
        let items: Vec<Item> = choices.iter().map(Choices::item).collect();
        let mut other = items.clone();
        other.extend(repeated.iter().map(|index| index.get(&items).clone()));
        for (a, b) in swaps {
            let (a, b) = (a.index(other.len()), b.index(other.len()));
            other.swap(a, b);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (expected, actual) = runtime.block_on(async {
            let (_first, expected) = send(&requests(&items, items.len()), None).await;
            let (_second, actual) = send(&requests(&other, size), None).await;
            (expected, actual)
        });
        prop_assert_eq!(actual, expected);
    }
}
