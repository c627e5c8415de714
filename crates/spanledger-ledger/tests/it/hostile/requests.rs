//! Requests that a hostile or broken sender could make.

use spanledger_event::{
    Bucket, CallOutcome, Observation, PartialAttribution, Timestamp, Usage, test_support::ObservationBuilder,
};
use spanledger_otlp::price;
use spanledger_price::PriceBook;

use crate::support::{Random, SECOND};

/// 2026-11-21T09:59:00Z: the calls of a request lie on both sides of a full hour.
const BASE: i64 = 1_795_255_140;
/// Requests share their ids with those of the same era, so that they are related but not all of them.
const ERA: usize = 40;

/// Makes the observations of a request of about this size.
type Make = fn(&mut Sender, usize) -> Vec<ObservationBuilder>;

const KINDS: [(&str, Make); 11] = [
    ("nested aggregates", Sender::nested_aggregates),
    ("an agent with many steps", Sender::agent),
    ("one more call of a known agent", Sender::call_of_agent),
    ("one request id", Sender::one_request),
    ("one response under many event ids", Sender::one_response),
    ("a chain of calls and responses", Sender::chain),
    ("client and gateway", Sender::client_and_gateway),
    ("sightings that split trace and response", Sender::split_sightings),
    ("absurd counts", Sender::absurd_counts),
    ("large texts and many dimensions", Sender::large),
    ("anything", Sender::anything),
];

/// Makes requests, and repeats earlier ones.
#[derive(Debug)]
pub(super) struct Sender {
    random: Random,
    size_max: usize,
    number: usize,
    sent: Vec<Vec<Observation>>,
}

impl Sender {
    pub(super) fn new(seed: u64, size_max: usize) -> Self {
        Self { random: Random::new(seed), size_max, number: 0, sent: Vec::new() }
    }

    /// The next request and its kind.
    pub(super) fn request(&mut self) -> (&'static str, Vec<Observation>) {
        self.number += 1;
        if !self.sent.is_empty() && self.random.one_in(6) {
            return ("a repetition in another order", self.repetition());
        }
        let (kind, make) = KINDS[self.random.below(KINDS.len())];
        // Most requests are small, and some are as large as allowed.
        let bound = [2, 8, self.size_max / 8 + 1, self.size_max][self.random.below(4)].min(self.size_max);
        let size = 1 + self.random.below(bound);
        let mut observations: Vec<Observation> = make(self, size)
            .into_iter()
            .map(|builder| {
                // As the receiver does: within the limits, and priced.
                let mut observation = builder.build().bound();
                price(PriceBook::builtin(), &mut observation);
                observation
            })
            .collect();
        self.shuffle(&mut observations);
        if self.sent.len() < 200 {
            self.sent.push(observations.clone());
        } else {
            let place = self.random.below(200);
            self.sent[place].clone_from(&observations);
        }
        (kind, observations)
    }

    /// Parts of two earlier requests.
    fn repetition(&mut self) -> Vec<Observation> {
        let mut observations = Vec::new();
        for _ in 0..2 {
            let request = self.random.below(self.sent.len());
            let request = self.sent[request].clone();
            observations.extend(request.into_iter().filter(|_| !self.random.one_in(3)));
        }
        self.shuffle(&mut observations);
        observations
    }

    fn shuffle(&mut self, observations: &mut [Observation]) {
        for end in (1..observations.len()).rev() {
            observations.swap(end, self.random.below(end + 1));
        }
    }

    /// An id that requests of the same era share.
    fn shared(&mut self, what: &str, count: usize) -> String {
        format!("{what}-{}-{}", self.number / ERA, self.random.below(count))
    }

    /// An id of this request alone.
    fn own(&self, what: &str) -> String {
        format!("{what}-of-{}", self.number)
    }

    fn second(&mut self) -> i64 {
        BASE + i64::try_from(self.random.below(120)).unwrap()
    }

    fn tokens(&mut self, builder: ObservationBuilder) -> ObservationBuilder {
        // Few different counts, so that sightings often agree.
        let tokens = [10, 10, 20, 300_000][self.random.below(4)];
        builder.tokens(tokens, 1 + tokens / 10)
    }

    /// Each aggregate is the parent of the next one, and the last one is the parent of a call.
    fn nested_aggregates(&mut self, size: usize) -> Vec<ObservationBuilder> {
        let trace = if self.random.one_in(2) { self.own("trace") } else { self.shared("trace", 4) };
        (0..=size)
            .map(|depth| {
                let parent = depth.checked_sub(1).map(|depth| format!("span-{depth}"));
                let start = self.second();
                let span = ObservationBuilder::span(&trace, &format!("span-{depth}"), start).in_trace(
                    &trace,
                    &format!("span-{depth}"),
                    parent.as_deref(),
                );
                let span = self.tokens(span);
                if depth < size { span.aggregate(start + 60) } else { span }
            })
            .collect()
    }

    /// An agent, its steps, and the calls of each step.
    fn agent(&mut self, size: usize) -> Vec<ObservationBuilder> {
        let trace = self.shared("agent", 4);
        let root = ObservationBuilder::span(&trace, "root", BASE).aggregate(BASE + 600);
        let mut all = vec![self.tokens(root)];
        for number in 0..size {
            let (parent, span) = match number % 5 {
                0 => ("root".to_owned(), format!("step-{}", number / 5)),
                call => (format!("step-{}", number / 5), format!("call-{}-{call}", number / 5)),
            };
            let start = self.second();
            let one = ObservationBuilder::span(&trace, &span, start).in_trace(&trace, &span, Some(&parent));
            let one = self.tokens(one);
            all.push(if number % 5 == 0 { one.aggregate(start + 30) } else { one });
        }
        all
    }

    /// Calls under an agent of another request, whose span may come later.
    fn call_of_agent(&mut self, size: usize) -> Vec<ObservationBuilder> {
        let trace = self.shared("agent", 4);
        (0..size.min(10))
            .map(|number| {
                let span = format!("{}-{number}", self.own("late"));
                let start = self.second();
                let call =
                    ObservationBuilder::span(&trace, &span, start).in_trace(&trace, &span, Some("root"));
                self.tokens(call)
            })
            .collect()
    }

    /// A health check with a constant request id: every call is another attempt of one event.
    fn one_request(&mut self, size: usize) -> Vec<ObservationBuilder> {
        let request = self.shared("health", 2);
        (0..size)
            .map(|number| {
                let call = format!("{}-{number}", self.own("attempt"));
                let second = self.second();
                let record = ObservationBuilder::record(&request, &call, second);
                if self.random.one_in(3) { record.failed("500") } else { self.tokens(record) }
            })
            .collect()
    }

    /// A stand-in that answers everything with one id, at a host whose ids are trusted or not.
    fn one_response(&mut self, size: usize) -> Vec<ObservationBuilder> {
        let response = self.shared("chatcmpl", 2);
        let is_trusted = self.random.one_in(2);
        (0..size)
            .map(|number| {
                let request = format!("{}-{number}", self.own("request"));
                let second = self.second();
                let record = ObservationBuilder::record(&request, &request, second);
                let record = self.tokens(record);
                if is_trusted {
                    record.response(&response)
                } else {
                    record.response_of_gateway("gw", &response)
                }
            })
            .collect()
    }

    /// Each call shares its response with the call before it and its event with the call after it.
    fn chain(&mut self, size: usize) -> Vec<ObservationBuilder> {
        let chain = if self.random.one_in(2) { self.own("chain") } else { self.shared("chain", 2) };
        let first = self.random.below(50);
        (first..first + size)
            .map(|link| {
                let (event, response) = (link / 2, link.div_ceil(2));
                let second = self.second();
                let record = ObservationBuilder::record(
                    &format!("{chain}-{event}"),
                    &format!("{chain}-call-{link}"),
                    second,
                );
                record.tokens(10, 2).response(&format!("{chain}-response-{response}"))
            })
            .collect()
    }

    /// Half of the calls are seen at the provider and half at a gateway, with the same signature.
    fn client_and_gateway(&mut self, size: usize) -> Vec<ObservationBuilder> {
        let trace = self.shared("gateway", 3);
        (0..size)
            .map(|number| {
                let (span, second) = (format!("{}-{number}", self.own("seen")), self.second());
                let one = ObservationBuilder::span(&trace, &span, second);
                let one = self.tokens(one);
                let response = format!("{trace}-response-{}", number / 2 % 7);
                match self.random.below(3) {
                    0 => one.response(&response),
                    1 => one.response_of_gateway("gateway.example", &response),
                    _ => one.response_of_gateway("proxy.example", &response),
                }
            })
            .collect()
    }

    /// Several sightings of one call, each with another part of what ties it to others.
    fn split_sightings(&mut self, size: usize) -> Vec<ObservationBuilder> {
        (0..size)
            .map(|_| {
                let (request, call) = (self.shared("split", 6), self.shared("split-call", 8));
                let second = self.second();
                let mut one = ObservationBuilder::record(&request, &call, second);
                one = self.tokens(one);
                if self.random.one_in(2) {
                    one = one.response_of_gateway("gateway.example", &self.shared("split-response", 4));
                }
                if self.random.one_in(3) {
                    one = one.response(&self.shared("split-response", 4));
                }
                if self.random.one_in(2) {
                    one = one.in_trace(&self.shared("split-trace", 3), &self.shared("split-span", 5), None);
                }
                if self.random.one_in(4) { one.aggregate(second + 50) } else { one }
            })
            .collect()
    }

    /// Counts that no call can have.
    fn absurd_counts(&mut self, size: usize) -> Vec<ObservationBuilder> {
        (0..size)
            .map(|number| {
                let request = format!("{}-{}", self.own("absurd"), number % 3);
                let mut usage = Usage::default();
                for bucket in Bucket::ALL {
                    if self.random.one_in(3) {
                        let count = [u64::MAX, 1 << 62, 1 << 33, 1 << 31, 90_000_000_000_000, 0];
                        usage = usage.with(bucket, count[self.random.below(6)]);
                    }
                }
                usage.images = [0, 1, u64::MAX, 90_000_000_000_000][self.random.below(4)];
                let second = self.second();
                let call = format!("{request}-{}", self.random.below(4));
                ObservationBuilder::record(&request, &call, second).usage(usage).with(|o| {
                    o.attempts = [0, 1, u32::MAX][number % 3];
                    o.time_to_first_token_ms = [None, Some(i64::MAX), Some(i64::MIN)][number % 3];
                    if number % 4 == 0 {
                        (o.start, o.end) = (Timestamp::from_nanos(i64::MAX), Timestamp::from_nanos(i64::MIN));
                    }
                })
            })
            .collect()
    }

    fn large(&mut self, size: usize) -> Vec<ObservationBuilder> {
        (0..size.min(12))
            .map(|number| {
                let length = [1, 255, 257, 5_000][self.random.below(4)];
                let second = self.second();
                let id = format!("{}-{}", self.own("large"), "x".repeat(length));
                let dims = (0..self.random.below(100))
                    .map(|dim| (format!("dim{dim}"), "v".repeat(length)))
                    .collect();
                let attribution = PartialAttribution {
                    feature: Some(format!("feature\u{202e}{number}")),
                    route: Some("r".repeat(length)),
                    customer_id: Some(format!("customer-{}", self.random.below(50))),
                    environment: Some("test".to_owned()),
                    dims,
                    ..PartialAttribution::default()
                };
                let record = ObservationBuilder::record(&id, &id, second).attribution(attribution);
                self.tokens(record).with(|o| o.model = Some("m".repeat(length)))
            })
            .collect()
    }

    /// Every field that ties observations together, at random.
    fn anything(&mut self, size: usize) -> Vec<ObservationBuilder> {
        (0..size)
            .map(|_| {
                let second = self.second();
                let (trace, span) = (self.shared("any-trace", 3), self.shared("any-span", 6));
                let mut one = if self.random.one_in(2) {
                    let (request, call) = (self.shared("any-request", 5), self.shared("any-call", 9));
                    ObservationBuilder::record(&request, &call, second)
                } else {
                    ObservationBuilder::span(&trace, &span, second)
                };
                if !self.random.one_in(4) {
                    one = self.tokens(one);
                }
                if self.random.one_in(2) {
                    let parent = self.shared("any-span", 6);
                    let parent = (!self.random.one_in(3)).then_some(parent.as_str());
                    one = one.in_trace(&trace, &span, parent);
                }
                one = match self.random.below(5) {
                    0 => one.response(&self.shared("any-response", 4)),
                    1 => one.response_of_gateway("gateway.example", &self.shared("any-response", 4)),
                    _ => one,
                };
                match self.random.below(8) {
                    0 => one.aggregate(second + i64::try_from(self.random.below(90)).unwrap()),
                    1 => one.failed("500"),
                    2 => one
                        .incomplete("cancelled")
                        .with(|o| o.end = Timestamp::from_nanos(o.start.nanos() - SECOND)),
                    3 => one.with(|o| o.outcome = CallOutcome::Failed("x".repeat(3_000))),
                    _ => one,
                }
            })
            .collect()
    }
}
