//! Responses: the sequence of events.
//!
//! Source: "Streaming events" of the Responses API reference. Every event has a
//! `type` and a `sequence_number` that counts from zero; there is no `[DONE]`.

mod compact;
mod object;

use bytes::Bytes;
use serde::Serialize;

use crate::openai::chat::obfuscation;
use crate::openai::errors::ApiError;
use crate::openai::generate::Rng;
use crate::openai::json;
use crate::openai::resolved::ResolvedReply;
use crate::openai::sse::Frame;
use object::{Content, Item, Phase, Response};

pub(crate) use compact::{compacted, input_tokens};
pub(crate) use object::ResponseUsage;

/// The unary answer.
pub(crate) fn object(resolved: &ResolvedReply<'_>) -> Bytes {
    json::bytes(&Response::new(resolved, &object::items(resolved), Phase::Final))
}

/// The answer to a background call: the response as it waits for the model, and as the model runs.
pub(crate) fn background(resolved: &ResolvedReply<'_>) -> (Bytes, Bytes) {
    let phase = |phase| json::bytes(&Response::new(resolved, &[], phase));
    (phase(Phase::Queued), phase(Phase::Started))
}

/// The answer as a stream: created, in progress, each output item with its
/// parts, and the response again, now final.
pub(crate) fn frames(resolved: &ResolvedReply<'_>) -> Vec<Frame> {
    let mut events = Events {
        frames: Vec::new(),
        padding: resolved.request.stream_options.include_obfuscation.then(|| resolved.part_ids()),
    };
    let items = object::items(resolved);
    let started = Response::new(resolved, &[], Phase::Started);
    events.response("response.created", &started);
    events.response("response.in_progress", &started);
    for (index, item) in items.iter().enumerate() {
        events.item(index, item, &resolved.pieces);
    }
    let last = Response::new(resolved, &items, Phase::Final);
    events.response(last.closing_event(), &last);
    events.frames
}

/// An error inside a stream, after this many events.
pub(crate) fn error_frame(error: &ApiError, events_before: usize) -> Frame {
    Frame::event(
        "error",
        &ErrorEvent {
            kind: "error",
            sequence_number: events_before,
            code: error.code.as_deref().unwrap_or(&error.kind),
            message: &error.message,
            param: error.param.as_deref(),
        },
    )
}

/// The events so far.
struct Events {
    frames: Vec<Frame>,
    padding: Option<Rng>,
}

impl Events {
    fn push(&mut self, kind: &'static str, fields: Event<'_>) {
        let sequence_number = self.frames.len();
        let event = Event { kind, sequence_number, ..fields };
        self.frames.push(Frame::event(kind, &event));
    }

    fn response(&mut self, kind: &'static str, response: &Response<'_>) {
        self.push(kind, Event { response: Some(response), ..Event::default() });
    }

    fn item(&mut self, index: usize, item: &Item, pieces: &[String]) {
        let at = Event { output_index: Some(index), ..Event::default() };
        let started = item.started();
        self.push("response.output_item.added", Event { item: Some(&started), ..at });
        match item {
            Item::Message { id, content, .. } => {
                let at = Event { item_id: Some(id), content_index: Some(0), ..at };
                for part in content {
                    self.text(at, part, pieces);
                }
            }
            Item::WebSearchCall { id, .. } => {
                let at = Event { item_id: Some(id), ..at };
                self.push("response.web_search_call.in_progress", at);
                self.push("response.web_search_call.searching", at);
                self.push("response.web_search_call.completed", at);
            }
            Item::Reasoning { .. } => {}
        }
        self.push("response.output_item.done", Event { item: Some(item), ..at });
    }

    fn text(&mut self, at: Event<'_>, content: &Content, pieces: &[String]) {
        let empty = Content::new(String::new());
        self.push("response.content_part.added", Event { part: Some(&empty), ..at });
        for piece in pieces {
            let padding = self.padding.as_mut().map(obfuscation);
            let obfuscation = padding.as_deref();
            let delta = Event { delta: Some(piece), logprobs: Some([]), obfuscation, ..at };
            self.push("response.output_text.delta", delta);
            if let Some(frame) = self.frames.pop() {
                self.frames.push(frame.into_delta());
            }
        }
        let text = Event { text: Some(content.text()), logprobs: Some([]), ..at };
        self.push("response.output_text.done", text);
        self.push("response.content_part.done", Event { part: Some(content), ..at });
    }
}

/// Any event but an error; each kind uses some of the fields.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obfuscation: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ErrorEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: usize,
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
}
