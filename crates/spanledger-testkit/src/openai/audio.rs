//! Audio: speech, transcriptions and translations.
//!
//! Source: "Audio" of the API reference and its streaming events. A transcription reports tokens or, with
//! `whisper-1`, the length of the audio; `text`, `srt` and `vtt` answers report nothing. Translations and speech
//! report nothing, except speech that is streamed as events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Value, json};

use crate::openai::endpoint::Endpoint;
use crate::openai::headers::JSON;
use crate::openai::json;
use crate::openai::resolved::ResolvedReply;
use crate::openai::sse::Frame;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Speech as bytes. They are no real audio.
pub(crate) fn speech(resolved: &ResolvedReply<'_>) -> (HeaderValue, Bytes) {
    let format = resolved.request.get::<String>("response_format");
    let content_type = match format.as_deref() {
        Some("opus") => "audio/ogg",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        _ => "audio/mpeg",
    };
    (HeaderValue::from_static(content_type), Bytes::from(resolved.text.clone()))
}

/// Speech as events.
pub(crate) fn speech_frames(resolved: &ResolvedReply<'_>) -> Vec<Frame> {
    let delta = |piece: &String| {
        Frame::data(&json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)})).into_delta()
    };
    let mut frames: Vec<Frame> = resolved.pieces.iter().map(delta).collect();
    let mut done = json!({"type": "speech.audio.done"});
    if let Some(usage) = resolved.usage {
        done["usage"] = json!({
            "input_tokens": usage.prompt,
            "output_tokens": usage.completion,
            "total_tokens": usage.total(),
        });
    }
    frames.push(Frame::data(&done));
    frames
}

/// A transcription or translation in the requested format.
pub(crate) fn text(resolved: &ResolvedReply<'_>) -> (HeaderValue, Bytes) {
    let format = resolved.request.get::<String>("response_format");
    let text = &resolved.text;
    let object = match format.as_deref() {
        Some("text") => return (TEXT, Bytes::from(format!("{text}\n"))),
        Some("srt") => {
            return (TEXT, Bytes::from(format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n")));
        }
        Some("vtt") => {
            return (TEXT, Bytes::from(format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n")));
        }
        Some("verbose_json") => verbose(resolved),
        Some("diarized_json") => json!({
            "task": "transcribe",
            "duration": resolved.audio_seconds,
            "text": text,
            "segments": [{
                "type": "transcript.text.segment",
                "id": "seg_0",
                "start": 0.0,
                "end": resolved.audio_seconds,
                "text": text,
                "speaker": "A",
            }],
        }),
        _ => json!({"text": text}),
    };
    (JSON, json::bytes(&with_usage(object, resolved)))
}

/// A transcription as events.
pub(crate) fn text_frames(resolved: &ResolvedReply<'_>) -> Vec<Frame> {
    let delta =
        |piece: &String| Frame::data(&json!({"type": "transcript.text.delta", "delta": piece})).into_delta();
    let mut frames: Vec<Frame> = resolved.pieces.iter().map(delta).collect();
    let done = json!({"type": "transcript.text.done", "text": resolved.text});
    frames.push(Frame::data(&with_usage(done, resolved)));
    frames
}

fn verbose(resolved: &ResolvedReply<'_>) -> Value {
    let is_translation = resolved.request.endpoint == Endpoint::Translations;
    let mut object = json!({
        "task": if is_translation { "translate" } else { "transcribe" },
        "language": "english",
        "duration": resolved.audio_seconds,
        "text": resolved.text,
        "segments": [],
    });
    if is_translation {
        object["duration"] = json!(resolved.audio_seconds.to_string());
    }
    object
}

fn with_usage(mut object: Value, resolved: &ResolvedReply<'_>) -> Value {
    let Some(usage) = resolved.usage.filter(|_| resolved.request.endpoint == Endpoint::Transcriptions) else {
        return object;
    };
    object["usage"] = if resolved.request.model == "whisper-1" {
        json!({"type": "duration", "seconds": resolved.audio_seconds})
    } else {
        json!({
            "type": "tokens",
            "input_tokens": usage.prompt,
            "input_token_details": {
                "text_tokens": usage.prompt.saturating_sub(usage.audio_in),
                "audio_tokens": usage.audio_in,
            },
            "output_tokens": usage.completion,
            "total_tokens": usage.total(),
        })
    };
    object
}
