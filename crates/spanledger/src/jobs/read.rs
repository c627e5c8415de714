//! Reads the answer to a read of a job as it passes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use reqwest::Response;

use super::{JobRead, send_all};
use crate::{
    Recorder,
    body::{Splitter, event_data, poll_data, with_body},
    lenient::{self, lenient_object, text},
};

/// The largest job that is read. A larger answer passes unread.
const JOB_BYTES_MAX: usize = 16 << 20;

lenient_object! {
    /// An event of a stream of a response.
    struct Event {
        kind: "type",
        response: "response",
    }
}

/// Observes the answer to a read of a job. The caller receives the bytes that the provider sent.
pub(crate) fn observe(response: Response, read: JobRead, recorder: Recorder) -> Response {
    if !response.status().is_success() {
        return response;
    }
    let content_type = response.headers().get(http::header::CONTENT_TYPE);
    let is_stream = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    with_body(response, |body| {
        let content =
            if is_stream { Content::Events(Splitter::default()) } else { Content::Object(Vec::new()) };
        reqwest::Body::wrap_stream(ObservedJob { body, content, read, recorder })
    })
}

struct ObservedJob {
    body: reqwest::Body,
    content: Content,
    read: JobRead,
    recorder: Recorder,
}

enum Content {
    /// The job as JSON, as far as it has arrived.
    Object(Vec<u8>),
    /// The events of a response. The last one has the whole response.
    Events(Splitter),
    /// Nothing more is read.
    Unread,
}

impl ObservedJob {
    fn chunk(&mut self, chunk: &Bytes) {
        match &mut self.content {
            Content::Object(bytes) if bytes.len() + chunk.len() <= JOB_BYTES_MAX => {
                bytes.extend_from_slice(chunk);
            }
            Content::Events(splitter) => {
                splitter.push(chunk.clone());
                while let Some(event) = splitter.next() {
                    let data = event_data(&event);
                    let Some(event) = lenient::object::<Event<'_>>(&data) else { continue };
                    let kind = text(event.kind).unwrap_or_default();
                    let is_last = matches!(
                        kind.as_str(),
                        "response.completed" | "response.incomplete" | "response.failed"
                    );
                    if let Some(response) = event.response.filter(|_| is_last) {
                        send_all(&self.recorder, &self.read, response.get().as_bytes());
                    }
                }
            }
            Content::Object(_) | Content::Unread => self.content = Content::Unread,
        }
    }

    fn end(&mut self) {
        if let Content::Object(bytes) = std::mem::replace(&mut self.content, Content::Unread) {
            send_all(&self.recorder, &self.read, &bytes);
        }
    }
}

impl Stream for ObservedJob {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let item = std::task::ready!(poll_data(&mut this.body, cx));
        match &item {
            Some(Ok(chunk)) => this.chunk(chunk),
            Some(Err(_)) => this.content = Content::Unread,
            None => this.end(),
        }
        Poll::Ready(item)
    }
}
