//! Reads streams as they pass, and records the call when its stream ends, fails or is dropped.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use serde::Deserialize;
use serde_json::value::RawValue;
use spanledger_event::CallOutcome;

use super::sse::{self, Splitter};
use crate::{answer::ResponseObject, call::CallInFlight, error::request_error_type};

type Inner = Pin<Box<dyn Stream<Item = Result<Bytes, reqwest::Error>> + Send>>;

/// A body of server-sent events.
pub(super) fn events(body: reqwest::Body, call: CallInFlight, hide_usage: bool) -> reqwest::Body {
    let reader = EventReader { call, splitter: Splitter::default(), error_type: None, has_usage: false };
    reqwest::Body::wrap_stream(EventStream { inner: chunks(body), reader, hide_usage })
}

/// A body that is not read; only its end is observed.
pub(super) fn opaque(body: reqwest::Body, call: CallInFlight) -> reqwest::Body {
    reqwest::Body::wrap_stream(OpaqueStream { inner: chunks(body), call })
}

fn chunks(body: reqwest::Body) -> Inner {
    // Only a `Response` reads a body with errors of the type `reqwest::Error`.
    Box::pin(reqwest::Response::from(http::Response::new(body)).bytes_stream())
}

struct EventStream {
    inner: Inner,
    reader: EventReader,
    /// Whether the chunk that has only the usage is withheld, because the user did not request it.
    hide_usage: bool,
}

impl Stream for EventStream {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match std::task::ready!(this.inner.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => {
                    let visible = this.reader.read_chunk(&chunk, this.hide_usage);
                    if !this.hide_usage {
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    // The chunk completes no event that the user may see. The next chunk may complete one.
                    if !visible.is_empty() {
                        return Poll::Ready(Some(Ok(visible.into())));
                    }
                }
                Some(Err(error)) => {
                    this.reader.fail(&error);
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let rest = this.reader.read_end();
                    if this.hide_usage && !rest.is_empty() {
                        return Poll::Ready(Some(Ok(rest.into())));
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }
}

struct EventReader {
    call: CallInFlight,
    splitter: Splitter,
    /// The type of an error that the stream itself reported.
    error_type: Option<String>,
    has_usage: bool,
}

/// An event. A chunk of the chat API is a response object itself; an event of the Responses API has a
/// type and often a response object inside.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default, borrow)]
    r#type: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    response: Option<&'a RawValue>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl EventReader {
    /// Reads a chunk of bytes. With `hide_usage` it returns the complete events that the user may see.
    fn read_chunk(&mut self, chunk: &[u8], hide_usage: bool) -> Vec<u8> {
        self.call.chunk_arrived();
        self.splitter.push(chunk);
        let mut visible = Vec::new();
        while let Some(event) = self.splitter.next() {
            let is_usage_alone = self.read_event(&event);
            if hide_usage && !is_usage_alone {
                visible.extend_from_slice(&event);
            }
        }
        visible
    }

    /// Reads an event. Returns whether it is the chunk that has only the usage.
    fn read_event(&mut self, event: &[u8]) -> bool {
        let data = sse::data(event);
        if data.is_empty() || self.call.is_finished() {
            return false;
        }
        if data == b"[DONE]" {
            self.finish();
            return false;
        }
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&data) else { return false };
        match event.r#type.as_deref() {
            Some("response.created" | "response.in_progress") => {
                self.read_nested(event.response);
                false
            }
            Some("response.completed" | "response.incomplete" | "response.failed") => {
                self.read_nested(event.response);
                self.finish();
                false
            }
            Some("error") => {
                self.error_type = Some(event.code.unwrap_or_else(|| "stream_error".to_owned()));
                self.call.set_error_message(event.message);
                false
            }
            // The last event of a stream of images or audio is itself an object with the usage.
            Some(
                "image_generation.completed"
                | "image_edit.completed"
                | "speech.audio.done"
                | "transcript.text.done",
            ) => {
                if let Ok(object) = serde_json::from_slice::<ResponseObject<'_>>(&data) {
                    self.read_object(object);
                }
                self.finish();
                false
            }
            Some(_) => false,
            None => {
                let Ok(object) = serde_json::from_slice::<ResponseObject<'_>>(&data) else { return false };
                let is_usage_alone = object.has_usage() && !object.has_choices();
                self.read_object(object);
                is_usage_alone
            }
        }
    }

    fn read_nested(&mut self, response: Option<&RawValue>) {
        if let Some(object) = response.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
            self.read_object(object);
        }
    }

    fn read_object(&mut self, object: ResponseObject<'_>) {
        self.has_usage |= object.has_usage();
        if let Some(error) = object.error() {
            self.error_type = Some(error.error_type().unwrap_or_else(|| "_OTHER".to_owned()));
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

    fn fail(&mut self, error: &reqwest::Error) {
        let outcome = CallOutcome::Incomplete(request_error_type(error).to_owned());
        self.call.fail(outcome, Some(error.to_string()));
    }

    /// Reads the rest of the body at its end, and finishes the call.
    ///
    /// Some compatible servers never send `[DONE]`. A stream that reported its usage is complete without
    /// it; any other stream was cut off.
    fn read_end(&mut self) -> Vec<u8> {
        let rest = self.splitter.rest();
        if !rest.is_empty() {
            self.read_event(&rest);
        }
        if !self.call.is_finished() {
            if self.error_type.is_none() && !self.has_usage {
                self.error_type = Some("stream_cut".to_owned());
            }
            self.finish();
        }
        rest
    }
}

struct OpaqueStream {
    inner: Inner,
    call: CallInFlight,
}

impl Stream for OpaqueStream {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let item = std::task::ready!(this.inner.as_mut().poll_next(cx));
        match &item {
            Some(Ok(_)) => this.call.chunk_arrived(),
            Some(Err(error)) => {
                let outcome = CallOutcome::Incomplete(request_error_type(error).to_owned());
                this.call.fail(outcome, Some(error.to_string()));
            }
            None => this.call.finish(CallOutcome::Success),
        }
        Poll::Ready(item)
    }
}
