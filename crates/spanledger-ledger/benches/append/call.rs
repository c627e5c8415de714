//! The calls of the benchmark: the facts of each one follow from the seed and its number.

use spanledger_event::Timestamp;

/// The first call starts at 2026-10-05T00:00:00Z.
const FIRST_START: i64 = 1_791_158_400_000_000_000;
/// Calls start about this many nanoseconds apart: ten calls a second, 864,000 a day.
const INTERVAL: u64 = 100_000_000;

const FEATURES: u64 = 20;
const ROUTES: u64 = 50;
const CUSTOMERS: u64 = 2_000;

/// A model with the share of calls that it gets.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// The name in its responses.
    pub(crate) snapshot: &'static str,
    pub(crate) is_embedding: bool,
    percent: u64,
}

/// The models. All of them have a price on the day of the first call.
pub(crate) const MODELS: [Model; 5] = [
    Model { name: "gpt-5.4-mini", snapshot: "gpt-5.4-mini-2026-03-17", is_embedding: false, percent: 45 },
    Model { name: "gpt-5.5", snapshot: "gpt-5.5-2026-04-23", is_embedding: false, percent: 20 },
    Model { name: "gpt-6-luna", snapshot: "gpt-6-luna", is_embedding: false, percent: 20 },
    Model { name: "gpt-5.4", snapshot: "gpt-5.4-2026-03-05", is_embedding: false, percent: 8 },
    Model {
        name: "text-embedding-3-small",
        snapshot: "text-embedding-3-small",
        is_embedding: true,
        percent: 7,
    },
];

/// What distinguishes the observations of calls beyond ids, times, counts and attribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    model: usize,
    pub(crate) is_stream: bool,
    pub(crate) has_failed: bool,
}

impl Shape {
    /// The shapes that calls have: an embedding is never a stream.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let flags = [(false, false), (false, true), (true, false), (true, true)];
        (0..MODELS.len())
            .flat_map(move |model| {
                flags.into_iter().map(move |(is_stream, has_failed)| Self { model, is_stream, has_failed })
            })
            .filter(|shape| !(shape.is_stream && shape.model().is_embedding))
    }

    pub(crate) const fn model(self) -> &'static Model {
        &MODELS[self.model]
    }
}

/// One call of a language model or an embedding model.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) shape: Shape,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) first_chunk_ms: i64,
    /// All input, the cached part included.
    pub(crate) input: u64,
    pub(crate) cached: u64,
    /// All output, the reasoning included.
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
    pub(crate) feature: String,
    pub(crate) route: String,
    pub(crate) customer: String,
    pub(crate) environment: &'static str,
    pub(crate) service: String,
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
    pub(crate) parent: [u8; 8],
    pub(crate) response_id: Option<String>,
    /// A UUIDv7 of the start.
    pub(crate) request_id: String,
    pub(crate) fingerprint: u128,
}

impl Call {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::of(seed, number);
        let mut percent = random.below(100);
        let mut model = 0;
        while percent >= MODELS[model].percent {
            percent -= MODELS[model].percent;
            model += 1;
        }
        let is_embedding = MODELS[model].is_embedding;
        let shape = Shape {
            model,
            is_stream: !is_embedding && random.below(100) < 30,
            has_failed: random.below(100) < 2,
        };
        let offset = number * INTERVAL + random.below(INTERVAL);
        let start = FIRST_START + i64::try_from(offset).unwrap_or_default();
        let first_chunk_ms = 150 + random.skewed(4_000);
        let micros = first_chunk_ms * 1_000 + random.skewed(30_000_000);
        let input = 40 + random.skewed(20_000);
        let is_cached = !is_embedding && random.below(100) < 40;
        let cached = if is_cached { input * random.below(100) / 100 / 128 * 128 } else { 0 };
        let visible = 5 + random.skewed(2_000);
        let reasons = !is_embedding && random.below(100) < 50;
        let reasoning = if reasons { 64 * (1 + random.skewed(60)) } else { 0 };
        let route = random.skewed(ROUTES);
        let feature = route % FEATURES;
        let environment = match random.below(100) {
            0..80 => "production",
            80..95 => "staging",
            _ => "development",
        };
        let has_id = !is_embedding && !shape.has_failed;
        Self {
            shape,
            start: Timestamp::from_nanos(start),
            end: Timestamp::from_nanos(start + i64::try_from(micros * 1_000).unwrap_or_default()),
            first_chunk_ms: i64::try_from(first_chunk_ms).unwrap_or_default(),
            input,
            cached,
            output: visible + reasoning,
            reasoning,
            feature: format!("feature-{feature:02}"),
            route: format!("/v1/feature-{feature:02}/step-{route:02}"),
            customer: format!("acct_{:08}", random.skewed(CUSTOMERS) * 7_919 + 10_000_000),
            environment,
            service: format!("service-{}", feature % 8),
            trace: random.bits128().to_be_bytes(),
            span: random.bits().to_be_bytes(),
            parent: random.bits().to_be_bytes(),
            response_id: has_id.then(|| random.response_id()),
            request_id: random.uuid_v7(start),
            fingerprint: random.bits128(),
        }
    }

    /// The usage object as OpenAI sends it.
    pub(crate) fn usage_json(&self) -> String {
        let Self { input, cached, output, reasoning, .. } = self;
        if self.shape.model().is_embedding {
            return format!(r#"{{"prompt_tokens":{input},"total_tokens":{input}}}"#);
        }
        let total = input + output;
        format!(
            r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
        )
    }
}

/// A generator of random numbers (SplitMix64): small, fast, and the same on every machine.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// The numbers of one call do not depend on the calls before it.
    fn of(seed: u64, number: u64) -> Self {
        let mut this = Self(seed ^ number.wrapping_mul(0xd605_1f2c_9b7e_3a55));
        this.0 = this.bits();
        this
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bits128(&mut self) -> u128 {
        (u128::from(self.bits()) << 64) | u128::from(self.bits())
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// A number below the bound; small numbers are frequent and large ones are rare.
    fn skewed(&mut self, bound: u64) -> u64 {
        self.below(bound) * self.below(bound) / bound
    }

    fn response_id(&mut self) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut id = String::from("chatcmpl-");
        for _ in 0..3 {
            let mut bits = self.bits();
            for _ in 0..10 {
                id.push(char::from(DIGITS[usize::try_from(bits % 62).unwrap_or_default()]));
                bits /= 62;
            }
        }
        id.pop();
        id
    }

    fn uuid_v7(&mut self, nanos: i64) -> String {
        let millis = nanos / 1_000_000;
        let (a, b) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            millis >> 16,
            millis & 0xffff,
            a & 0xfff,
            0x8000 | (a >> 16) & 0x3fff,
            b & 0xffff_ffff_ffff,
        )
    }
}
