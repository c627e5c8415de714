//! Passes streams on, and records the call when its stream ends, fails or is dropped.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use spanledger_event::CallOutcome;

use super::{
    frames::{next_data, poll_data},
    reader::EventReader,
};
use crate::{call::CallInFlight, error::request_error_type};

/// How long and how far a stream is read on after its caller has left between the finish reason and the usage.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
const DRAIN_BYTES_MAX: usize = 256 << 10;

/// A body of server-sent events.
pub(super) fn events(body: reqwest::Body, call: CallInFlight, hide_usage: bool) -> reqwest::Body {
    let events = Events { inner: body, reader: EventReader::new(call) };
    reqwest::Body::wrap_stream(EventStream { events: Some(events), hide_usage })
}

/// A body that is not read; only its end is observed.
pub(super) fn opaque(body: reqwest::Body, call: CallInFlight) -> reqwest::Body {
    reqwest::Body::wrap_stream(OpaqueStream { inner: body, call })
}

struct Events {
    inner: reqwest::Body,
    reader: EventReader,
}

impl Events {
    /// Reads on until the usage has come. The time and the bytes are bounded, because the caller has left.
    async fn drain(mut self) {
        let reading = async {
            let mut left = DRAIN_BYTES_MAX;
            while !self.reader.has_all() {
                match next_data(&mut self.inner).await {
                    Some(Ok(chunk)) => match left.checked_sub(chunk.len()) {
                        Some(rest) => {
                            left = rest;
                            drop(self.reader.read_chunk(chunk, false));
                        }
                        None => break,
                    },
                    Some(Err(_)) | None => break,
                }
            }
        };
        // After the time limit the call is recorded with what was read.
        drop(tokio::time::timeout(DRAIN_TIME_MAX, reading).await);
        self.reader.leave();
    }
}

struct EventStream {
    /// `None` after the stream was dropped.
    events: Option<Events>,
    /// Whether the chunk that has only the usage is withheld, because the user did not request it.
    hide_usage: bool,
}

impl Stream for EventStream {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(Events { inner, reader }) = &mut this.events else { return Poll::Ready(None) };
        loop {
            match std::task::ready!(poll_data(inner, cx)) {
                Some(Ok(chunk)) => {
                    let visible = reader.read_chunk(chunk, this.hide_usage);
                    // A chunk that completes no event which the user may see is followed by one that may.
                    if !visible.is_empty() {
                        return Poll::Ready(Some(Ok(visible)));
                    }
                }
                Some(Err(error)) => {
                    let outcome = CallOutcome::Incomplete(request_error_type(&error).to_owned());
                    reader.fail(outcome, error.to_string());
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let rest = reader.read_end();
                    if this.hide_usage && !rest.is_empty() {
                        return Poll::Ready(Some(Ok(rest)));
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let Some(mut events) = self.events.take() else { return };
        // The caller's loop often ends at the finish reason. The usage comes after it.
        if events.reader.awaits_usage()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            drop(runtime.spawn(events.drain()));
            return;
        }
        events.reader.leave();
    }
}

struct OpaqueStream {
    inner: reqwest::Body,
    call: CallInFlight,
}

impl Stream for OpaqueStream {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let item = std::task::ready!(poll_data(&mut this.inner, cx));
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
