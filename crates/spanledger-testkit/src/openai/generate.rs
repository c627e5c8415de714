//! Generates the values that a test does not set. They look random, but are derived from a seed and
//! not from a clock, so that every run has the same values.

use crate::openai::endpoint::Endpoint;
use crate::openai::request::ApiRequest;
use crate::openai::usage::Usage;

/// The words that generated answers are made of.
const WORDS: [&str; 16] = [
    "ledger", "amber", "the", "quiet", "river", "counts", "every", "token", "and", "returns", "with", "a",
    "small", "exact", "sum", "again",
];

/// The most words of a generated answer, so that logs stay readable.
const WORDS_MAX: u64 = 48;

/// The provider caches prefixes of at least this many tokens (the "Prompt caching" guide).
const CACHE_MIN_TOKENS: u64 = 1_024;
/// The length of a cached prefix is a multiple of this number of tokens (the same guide).
const CACHE_STEP_TOKENS: u64 = 128;

/// The tokens of one generated image (the "Image generation" guide: a square of low quality).
const IMAGE_TOKENS: u64 = 272;

/// `SplitMix64`, a small generator with the same numbers on every platform.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator for one purpose: seeds of different purposes are unrelated.
    pub(crate) fn new(seed: u64, purpose: &str, number: u64) -> Self {
        let mut rng = Self(seed ^ fnv1a(purpose.as_bytes()) ^ number.rotate_left(32));
        rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A string of `length` characters out of `alphabet`.
    pub(crate) fn string(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length)
            .map(|_| {
                let at = self.below(alphabet.len() as u64);
                char::from(alphabet[usize::try_from(at).unwrap_or(0)])
            })
            .collect()
    }
}

/// The alphabet of `resp_…`, `msg_…` and `req_…` ids.
pub(crate) const HEX: &[u8] = b"0123456789abcdef";
/// The alphabet of `chatcmpl-…` ids and of obfuscation.
pub(crate) const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A hash that is the same in every version of the compiler and the crate.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The usage of a call whose reply does not set one. It is plausible and consistent, and depends only on
/// the request and the seed.
pub(crate) fn usage(seed: u64, request: &ApiRequest, text: Option<&str>) -> Usage {
    let mut rng = Rng::new(seed, "usage", request.fingerprint);
    let prompt = request.prompt_tokens;
    let mut usage = Usage::new(prompt, 0);
    let share = rng.below(100);
    if prompt >= CACHE_MIN_TOKENS && rng.below(2) == 0 {
        usage.cached = prompt * share / 100 / CACHE_STEP_TOKENS * CACHE_STEP_TOKENS;
    }
    let mut visible = match text {
        Some(text) => tokens_of(text).max(1),
        None => 1 + rng.below(256),
    };
    let mut reasoning = if request.expects_reasoning { 64 * rng.below(8) } else { 0 };
    if let Some(limit) = request.max_output_tokens {
        reasoning = reasoning.min(limit / 2);
        visible = visible.min(limit - reasoning);
    }
    usage.reasoning = reasoning;
    usage.completion = visible + reasoning;
    match request.endpoint {
        endpoint if endpoint.is_image() => {
            usage = Usage::new(prompt, IMAGE_TOKENS * request.count() as u64);
            usage.image_in = request.file_tokens;
            usage.image_out = usage.completion;
        }
        Endpoint::Transcriptions | Endpoint::Translations => usage.audio_in = request.file_tokens,
        Endpoint::Speech => usage.audio_out = usage.completion,
        _ => {}
    }
    usage
}

/// The text of a call whose reply does not set one.
pub(crate) fn text(seed: u64, request: &ApiRequest, usage: Usage) -> String {
    let mut rng = Rng::new(seed, "text", request.fingerprint);
    let words = usage.completion.saturating_sub(usage.reasoning).clamp(1, WORDS_MAX);
    (0..words)
        .map(|_| WORDS[usize::try_from(rng.below(WORDS.len() as u64)).unwrap_or(0)])
        .collect::<Vec<_>>()
        .join(" ")
}

/// An estimate: four bytes a token.
pub(crate) fn tokens_of(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}
