//! Images: generations, edits and variations.
//!
//! Source: "Images" and "Image streaming events" of the API reference. The answer never names the model. Models
//! of the `gpt-image` family send the picture itself and its usage; older models send a link and no usage.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::openai::endpoint::Endpoint;
use crate::openai::errors::ApiError;
use crate::openai::json;
use crate::openai::models::is_gpt_image;
use crate::openai::resolved::ResolvedReply;
use crate::openai::sse::Frame;

/// The most partial images, as the reference says.
const PARTIAL_IMAGES_MAX: usize = 3;

/// The unary answer.
pub(crate) fn object(resolved: &ResolvedReply<'_>) -> Bytes {
    let request = resolved.request;
    let inline = is_gpt_image(&request.model)
        || request.get::<String>("response_format").is_some_and(|format| format == "b64_json");
    let image = |index: usize| {
        if inline {
            return json!({"b64_json": picture(resolved)});
        }
        json!({"url": format!("https://images.invalid/{}/{index}.png", resolved.created)})
    };
    let data: Vec<Value> = (0..request.count()).map(image).collect();
    let mut object = json!({"created": resolved.created, "data": data});
    if is_gpt_image(&request.model) {
        for (name, value) in settings(resolved) {
            object[name] = value;
        }
        if let Some(usage) = usage(resolved) {
            object["usage"] = usage;
        }
    }
    json::bytes(&object)
}

/// The answer as a stream: partial images, then one completed image with the usage.
pub(crate) fn frames(resolved: &ResolvedReply<'_>) -> Vec<Frame> {
    let family = match resolved.request.endpoint {
        Endpoint::ImageEdits => "image_edit",
        _ => "image_generation",
    };
    let event = |name: &str| {
        let mut event = json!({
            "type": format!("{family}.{name}"),
            "b64_json": picture(resolved),
            "created_at": resolved.created,
        });
        for (name, value) in settings(resolved) {
            event[name] = value;
        }
        event
    };
    let partial_images: usize = resolved.request.get("partial_images").unwrap_or(0).min(PARTIAL_IMAGES_MAX);
    let mut frames: Vec<Frame> = (0..partial_images)
        .map(|index| {
            let mut partial = event("partial_image");
            partial["partial_image_index"] = json!(index);
            Frame::event(&format!("{family}.partial_image"), &partial).into_delta()
        })
        .collect();
    let mut completed = event("completed");
    if let Some(usage) = usage(resolved) {
        completed["usage"] = usage;
    }
    frames.push(Frame::event(&format!("{family}.completed"), &completed));
    frames
}

/// An error inside a stream.
pub(crate) fn error_frame(error: &ApiError) -> Frame {
    let mut event = json!(error.body());
    event["type"] = json!("error");
    Frame::event("error", &event)
}

/// The picture. Its bytes have no meaning.
fn picture(resolved: &ResolvedReply<'_>) -> String {
    STANDARD.encode(&resolved.text)
}

/// The settings that the answer repeats, with the provider's choice for those that the request left open.
fn settings(resolved: &ResolvedReply<'_>) -> [(&'static str, Value); 4] {
    let chosen = |name: &'static str, default: &str| {
        let requested = resolved.request.get::<String>(name).filter(|value| value != "auto");
        (name, json!(requested.as_deref().unwrap_or(default)))
    };
    [
        chosen("background", "opaque"),
        chosen("output_format", "png"),
        chosen("quality", "low"),
        chosen("size", "1024x1024"),
    ]
}

fn usage(resolved: &ResolvedReply<'_>) -> Option<Value> {
    resolved.usage.map(|usage| {
        json!({
            "input_tokens": usage.prompt,
            "input_tokens_details": {
                "text_tokens": usage.prompt.saturating_sub(usage.image_in),
                "image_tokens": usage.image_in,
            },
            "output_tokens": usage.completion,
            "output_tokens_details": {
                "text_tokens": usage.completion.saturating_sub(usage.image_out),
                "image_tokens": usage.image_out,
            },
            "total_tokens": usage.total(),
        })
    })
}
