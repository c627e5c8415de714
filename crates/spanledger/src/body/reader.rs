//! Reads the events of a stream as they pass.
//!
//! Nearly all events have a piece of the answer and nothing else that is needed here. They are recognized by a
//! search for bytes, and only the others are parsed.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::de::IgnoredAny;
use spanledger_event::{CallOutcome, Endpoint};

use super::{
    frames::Joined,
    sse::{self, Splitter},
};
use crate::{
    answer::ResponseObject,
    call::CallInFlight,
    error::error_type_of,
    lenient::{self, Raw, lenient_object, short_text as text},
};

#[cfg(test)]
mod tests;

lenient_object! {
    /// An event. A chunk of the chat API is a response object itself; an event of the Responses API has a
    /// type and often a response object inside.
    struct Event {
        kind: "type",
        response: "response",
        code: "code",
        message: "message",
        error: "error",
    }
}

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static FINISH_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finish_reason\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));

/// What kind of events a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// No event was read yet.
    Unknown,
    /// Each event is a response object: chat and completions.
    Objects,
    /// Each event has a type: responses, images, audio.
    Typed,
}

/// Reads the events of a stream, for its call.
#[derive(Debug)]
pub(super) struct EventReader {
    call: CallInFlight,
    splitter: Splitter,
    dialect: Dialect,
    /// The type of an error that the stream itself reported.
    error_type: Option<String>,
    has_usage: bool,
    has_finish_reason: bool,
}

impl EventReader {
    pub(super) fn new(call: CallInFlight) -> Self {
        Self {
            call,
            splitter: Splitter::default(),
            dialect: Dialect::Unknown,
            error_type: None,
            has_usage: false,
            has_finish_reason: false,
        }
    }

    /// Whether the model has finished its answer, and the usage has not come yet.
    pub(super) fn awaits_usage(&self) -> bool {
        self.has_finish_reason && !self.has_all()
    }

    /// Whether the rest of the stream has nothing that is needed.
    pub(super) fn has_all(&self) -> bool {
        self.call.is_finished() || self.has_usage || self.error_type.is_some()
    }

    /// Reads a chunk of bytes, and returns the bytes that the user may see: the chunk itself or, with `hide_usage`,
    /// the complete events without the one that has only the usage.
    pub(super) fn read_chunk(&mut self, chunk: Bytes, hide_usage: bool) -> Bytes {
        self.call.chunk_arrived();
        let mut visible = Joined::default();
        let mut read = 0;
        if self.splitter.is_empty() {
            // Nearly every chunk has only whole events, which need not be cut out of it.
            let mut is_hidden = false;
            while !is_hidden && let Some(event) = chunk.get(read..).and_then(sse::first_event) {
                is_hidden = self.read_event(event) && hide_usage;
                if is_hidden {
                    visible.add(chunk.slice(..read));
                }
                read += event.len();
            }
            if !is_hidden {
                if read == chunk.len() {
                    return chunk;
                }
                visible.add(chunk.slice(..read));
            }
        }
        self.splitter.push(chunk.slice(read..));
        while let Some(event) = self.splitter.next() {
            let is_usage_alone = self.read_event(&event);
            if hide_usage && !is_usage_alone {
                visible.add(event);
            }
        }
        if hide_usage { visible.into_bytes() } else { chunk }
    }

    /// Reads an event. Returns whether it is the chunk that has only the usage.
    fn read_event(&mut self, event: &[u8]) -> bool {
        if self.call.is_finished() {
            return false;
        }
        if self.call.keeps_text() {
            self.call.add_text(&sse::data(event));
        }
        if !self.is_worth_parsing(event) {
            return false;
        }
        let data = sse::data(event);
        if data.is_empty() {
            return false;
        }
        if &*data == b"[DONE]" {
            self.finish();
            return false;
        }
        self.parse_event(&data)
    }

    /// Whether an event may have more than a piece of the answer.
    fn is_worth_parsing(&self, event: &[u8]) -> bool {
        match self.dialect {
            Dialect::Objects => {
                event.trim_ascii_end().ends_with(b"[DONE]")
                    || sse::has_field(event, &USAGE)
                    || sse::has_field(event, &FINISH_REASON)
                    || sse::has_field(event, &ERROR)
            }
            Dialect::Unknown | Dialect::Typed => {
                sse::name(event).is_none_or(|name| !name.ends_with(b".delta"))
            }
        }
    }

    /// Parses the data of an event. Returns whether it is the chunk that has only the usage.
    fn parse_event(&mut self, data: &[u8]) -> bool {
        let Some(event) = lenient::object::<Event<'_>>(data) else { return false };
        // A chunk of the chat API may have a type of its server, which means nothing here.
        let kind = text(event.kind)
            .filter(|_| !matches!(self.call.endpoint(), Endpoint::Chat | Endpoint::Completions));
        let Some(kind) = kind else {
            self.dialect = Dialect::Objects;
            let Some(object) = lenient::object::<ResponseObject<'_>>(data) else { return false };
            // An object that breaks off may have more than its first fields.
            let is_usage_alone =
                object.is_usage_alone() && serde_json::from_slice::<IgnoredAny>(data).is_ok();
            self.read_object(&object);
            return is_usage_alone;
        };
        self.dialect = Dialect::Typed;
        match kind.as_str() {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.read_nested(event.response);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.read_nested(event.response);
                self.finish();
            }
            // A message is nearly always the last item, and the event with the usage follows it.
            "response.output_text.done" => self.has_finish_reason = true,
            "error" => {
                // The Responses API has the fields in the event, other APIs in an object.
                let nested: Event<'_> = lenient::nested(event.error).unwrap_or_default();
                let error_type = error_type_of(event.code, None)
                    .or_else(|| error_type_of(nested.code, nested.kind))
                    .unwrap_or_else(|| "stream_error".to_owned());
                self.error_type = Some(error_type);
                self.call.set_error_message(text(event.message).or_else(|| text(nested.message)));
            }
            // The last event of a stream of images or audio is itself an object with the usage.
            "image_generation.completed"
            | "image_edit.completed"
            | "speech.audio.done"
            | "transcript.text.done" => {
                if let Some(object) = lenient::object::<ResponseObject<'_>>(data) {
                    self.read_object(&object);
                }
                self.finish();
            }
            _ => {}
        }
        false
    }

    fn read_nested(&mut self, response: Raw<'_>) {
        if let Some(object) = lenient::nested::<ResponseObject<'_>>(response) {
            self.read_object(&object);
        }
    }

    fn read_object(&mut self, object: &ResponseObject<'_>) {
        self.has_usage |= object.has_usage();
        self.has_finish_reason |= object.has_finish_reason();
        if let Some(error) = object.error() {
            self.error_type = Some(error.error_type.unwrap_or_else(|| "_OTHER".to_owned()));
        }
        self.call.read_object(object);
    }

    fn finish(&mut self) {
        let outcome = match self.error_type.take() {
            Some(error) => CallOutcome::Incomplete(error),
            None => CallOutcome::Success,
        };
        self.call.finish(outcome);
    }

    /// Finishes the call of a stream that broke off.
    pub(super) fn fail(&mut self, outcome: CallOutcome, message: String) {
        self.call.fail(outcome, Some(message));
    }

    /// Reads the rest of the body at its end, and finishes the call.
    ///
    /// Some compatible servers never send `[DONE]`. A stream that reported its usage is complete without
    /// it; any other stream was cut off.
    pub(super) fn read_end(&mut self) -> Bytes {
        let rest = self.splitter.end();
        let is_usage_alone = !rest.is_empty() && self.read_event(&rest);
        if !self.call.is_finished() {
            if self.error_type.is_none() && !self.has_usage {
                self.error_type = Some("stream_cut".to_owned());
            }
            self.finish();
        }
        if is_usage_alone { Bytes::new() } else { rest }
    }

    /// Finishes the call of a stream that its caller has left.
    pub(super) fn leave(&mut self) {
        if self.error_type.is_none() && !(self.has_finish_reason && self.has_usage) {
            self.error_type = Some("cancelled".to_owned());
        }
        self.finish();
    }
}
