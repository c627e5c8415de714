//! Streams: read as they pass, recorded when they end, however they end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use serde::Deserialize;
use serde_json::value::RawValue;
use spanledger_event::CallOutcome;

use super::{
    Object,
    sse::{self, Splitter},
};
use crate::call::Call;

type Inner = Pin<Box<dyn Stream<Item = Result<Bytes, reqwest::Error>> + Send>>;

/// A body of server-sent events.
pub(super) fn events(body: reqwest::Body, call: Call, hide_usage: bool) -> reqwest::Body {
    let inner: Inner = Box::pin(reqwest::Response::from(http::Response::new(body)).bytes_stream());
    let reader = EventReader { call, splitter: Splitter::default(), error: None, usage_seen: false };
    reqwest::Body::wrap_stream(Tee { inner, reader, hide_usage })
}

/// A body of which nothing is known but its end.
pub(super) fn opaque(body: reqwest::Body, call: Call) -> reqwest::Body {
    let inner: Inner = Box::pin(reqwest::Response::from(http::Response::new(body)).bytes_stream());
    reqwest::Body::wrap_stream(Opaque { inner, call })
}

struct Tee {
    inner: Inner,
    reader: EventReader,
    /// Whether the usage chunk was our wish and not the user's.
    hide_usage: bool,
}

impl Stream for Tee {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match std::task::ready!(this.inner.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => {
                    let passed = this.reader.chunk(&chunk, this.hide_usage);
                    if !this.hide_usage {
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    if !passed.is_empty() {
                        return Poll::Ready(Some(Ok(passed.into())));
                    }
                }
                Some(Err(error)) => {
                    this.reader.broke(&error);
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let rest = this.reader.end();
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
    call: Call,
    splitter: Splitter,
    /// An error that the stream itself reported.
    error: Option<String>,
    usage_seen: bool,
}

/// An event of either API: a chat chunk is an object, a Responses event has one inside.
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
    /// Reads a chunk; what may be passed on, where something is hidden.
    fn chunk(&mut self, chunk: &[u8], hide_usage: bool) -> Vec<u8> {
        self.call.first_chunk();
        self.splitter.push(chunk);
        let mut passed = Vec::new();
        while let Some(event) = self.splitter.next() {
            let is_usage_alone = self.event(&event);
            if hide_usage && !is_usage_alone {
                passed.extend_from_slice(&event);
            }
        }
        passed
    }

    /// Reads an event; whether it is the chunk that carries nothing but the usage.
    fn event(&mut self, event: &[u8]) -> bool {
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
                self.object(event.response);
                false
            }
            Some("response.completed" | "response.incomplete" | "response.failed") => {
                self.object(event.response);
                self.finish();
                false
            }
            Some("error") => {
                self.error = Some(event.code.unwrap_or_else(|| "stream_error".to_owned()));
                self.call.answered.message = event.message;
                false
            }
            // Streams of images and audio say their usage in an object without a response around it.
            Some(
                "image_generation.completed"
                | "image_edit.completed"
                | "speech.audio.done"
                | "transcript.text.done",
            ) => {
                if let Ok(object) = serde_json::from_slice::<Object<'_>>(&data) {
                    self.read(object);
                }
                self.finish();
                false
            }
            Some(_) => false,
            None => {
                let Ok(object) = serde_json::from_slice::<Object<'_>>(&data) else { return false };
                let is_usage_alone = object.has_usage() && !object.has_choices();
                self.read(object);
                is_usage_alone
            }
        }
    }

    fn object(&mut self, raw: Option<&RawValue>) {
        if let Some(object) = raw.and_then(|raw| serde_json::from_str::<Object<'_>>(raw.get()).ok()) {
            self.read(object);
        }
    }

    fn read(&mut self, object: Object<'_>) {
        self.usage_seen |= object.has_usage();
        if let Some(code) = object.error_code() {
            self.error = Some(code);
        }
        self.call.answered.object(object);
    }

    fn finish(&mut self) {
        let outcome = match self.error.take() {
            Some(error) => CallOutcome::Incomplete(error),
            None => CallOutcome::Success,
        };
        self.call.finish(outcome);
    }

    fn broke(&mut self, error: &reqwest::Error) {
        if !self.call.is_finished() {
            self.call.answered.message = Some(error.to_string());
            self.call.finish(CallOutcome::Incomplete(super::request_error(error).to_owned()));
        }
    }

    /// The body is over. Compatible servers leave the last event out, but say the usage.
    fn end(&mut self) -> Vec<u8> {
        let rest = self.splitter.rest();
        if !rest.is_empty() {
            self.event(&rest);
        }
        if !self.call.is_finished() {
            if self.error.is_none() && !self.usage_seen {
                self.error = Some("stream_cut".to_owned());
            }
            self.finish();
        }
        rest
    }
}

struct Opaque {
    inner: Inner,
    call: Call,
}

impl Stream for Opaque {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let item = std::task::ready!(this.inner.as_mut().poll_next(cx));
        match &item {
            Some(Ok(_)) => this.call.first_chunk(),
            Some(Err(error)) => {
                this.call.finish(CallOutcome::Incomplete(super::request_error(error).to_owned()))
            }
            None => this.call.finish(CallOutcome::Success),
        }
        Poll::Ready(item)
    }
}
