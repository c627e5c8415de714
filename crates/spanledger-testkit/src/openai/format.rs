//! The wire format of each endpoint: the whole answer, its stream, and an error inside the stream.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Value, json};

use crate::openai::endpoint::Endpoint;
use crate::openai::errors::ApiError;
use crate::openai::headers::JSON;
use crate::openai::resolved::ResolvedReply;
use crate::openai::responses::ResponseUsage;
use crate::openai::sse::Frame;
use crate::openai::{audio, chat, completions, embeddings, images, json, judgements, responses};

/// The whole answer and its content type.
pub(crate) fn whole(resolved: &ResolvedReply<'_>) -> (HeaderValue, Bytes) {
    let object = match resolved.request.endpoint {
        Endpoint::Chat => chat::object(resolved),
        Endpoint::Completions => completions::object(resolved),
        Endpoint::Responses => responses::object(resolved),
        Endpoint::Compact => responses::compacted(resolved),
        Endpoint::InputTokens => responses::input_tokens(resolved),
        Endpoint::Embeddings => embeddings::object(resolved),
        Endpoint::ImageGenerations | Endpoint::ImageEdits | Endpoint::ImageVariations => {
            images::object(resolved)
        }
        Endpoint::Speech => return audio::speech(resolved),
        Endpoint::Transcriptions | Endpoint::Translations => return audio::text(resolved),
        Endpoint::Moderations => judgements::moderation(resolved),
        Endpoint::Decisions => judgements::decision(resolved),
        Endpoint::Unknown => unknown(resolved),
    };
    (JSON, object)
}

/// The answer as a stream.
pub(crate) fn frames(resolved: &ResolvedReply<'_>) -> Vec<Frame> {
    match resolved.request.endpoint {
        Endpoint::Completions => completions::frames(resolved),
        Endpoint::Responses => responses::frames(resolved),
        Endpoint::ImageGenerations | Endpoint::ImageEdits => images::frames(resolved),
        Endpoint::Speech => audio::speech_frames(resolved),
        Endpoint::Transcriptions => audio::text_frames(resolved),
        _ => chat::frames(resolved),
    }
}

/// An error inside a stream, after this many messages.
pub(crate) fn error_frame(endpoint: Endpoint, error: &ApiError, messages_before: usize) -> Frame {
    match endpoint {
        Endpoint::Chat | Endpoint::Completions => chat::error_frame(error),
        Endpoint::Responses => responses::error_frame(error, messages_before),
        _ => images::error_frame(error),
    }
}

/// The answer of an endpoint that nobody knows: any object, with a usage.
fn unknown(resolved: &ResolvedReply<'_>) -> Bytes {
    let mut object: Value = json!({
        "id": resolved.id,
        "object": "unknown",
        "created_at": resolved.created,
        "output_text": resolved.text,
    });
    if !resolved.model.is_empty() {
        object["model"] = json!(resolved.model);
    }
    if let Some(usage) = resolved.usage {
        object["usage"] = json!(ResponseUsage::new(usage));
    }
    json::bytes(&object)
}
