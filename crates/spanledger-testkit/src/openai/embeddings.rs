//! Embeddings.
//!
//! Source: "Create embeddings" and "The embedding object" of the API reference.
//! With `encoding_format: "base64"`, which the official Python client always
//! asks for, a vector is its little-endian 32-bit floats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::openai::generate::Rng;
use crate::openai::json;
use crate::openai::resolved::ResolvedReply;

/// The length of a vector if neither the request nor the model's name determines it.
const DIMENSIONS_DEFAULT: usize = 1_536;
/// The length of a vector of the large model.
const DIMENSIONS_LARGE: usize = 3_072;
/// The longest vector that a request can ask for.
const DIMENSIONS_MAX: usize = DIMENSIONS_LARGE;

/// The answer. The vectors are generated; they have no meaning and are not
/// normalized.
pub(crate) fn object(resolved: &ResolvedReply<'_>) -> Bytes {
    let request = resolved.request;
    let base64 = request.get::<String>("encoding_format").as_deref() == Some("base64");
    let dimensions = match request.get::<usize>("dimensions") {
        Some(dimensions) => dimensions.min(DIMENSIONS_MAX),
        None if request.model.contains("-large") => DIMENSIONS_LARGE,
        None => DIMENSIONS_DEFAULT,
    };
    let data = (0..inputs(request.get("input").as_ref()))
        .map(|index| {
            let mut rng = Rng::new(request.fingerprint, "vector", index);
            let vector: Vec<f32> = (0..dimensions).map(|_| component(rng.next())).collect();
            Embedding { object: "embedding", index, embedding: Vector::new(vector, base64) }
        })
        .collect();
    json::bytes(&List {
        object: "list",
        data,
        model: &resolved.model,
        usage: resolved.usage.map(|usage| EmbeddingUsage {
            prompt_tokens: usage.prompt,
            total_tokens: usage.total_override.unwrap_or(usage.prompt),
        }),
    })
}

/// How many inputs there are: a text is one, and so is an array of tokens.
fn inputs(input: Option<&Value>) -> u64 {
    match input {
        Some(Value::Array(items)) if !items.iter().all(Value::is_number) => items.len() as u64,
        _ => 1,
    }
}

/// A number in `-1.0..1.0` that a 32-bit float holds exactly.
fn component(random: u64) -> f32 {
    let [low, high, ..] = random.to_le_bytes();
    f32::from(i16::from_le_bytes([low, high])) / 32_768.0
}

#[derive(Debug, Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<EmbeddingUsage>,
}

#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
#[derive(Debug, Serialize)]
struct Embedding {
    object: &'static str,
    index: u64,
    embedding: Vector,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

impl Vector {
    fn new(numbers: Vec<f32>, base64: bool) -> Self {
        if !base64 {
            return Self::Numbers(numbers);
        }
        let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
        Self::Base64(STANDARD.encode(bytes))
    }
}

#[derive(Debug, Serialize)]
struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}
