//! Server-sent events: framing, timing and faults.
//!
//! Source: "Streaming" of the chat API reference (`data:` lines that end with
//! `data: [DONE]`) and "Streaming events" of the Responses reference (an
//! `event:` line that repeats the `type` of the data, and no `[DONE]`). The events of
//! images have both forms of a type, those of audio only the one in the data.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;

use crate::openai::connection::ConnectionControl;
use crate::openai::errors::ApiError;
use crate::openai::json;
use crate::openai::reply::{Fault, FaultKind, FaultPosition};

/// One message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    /// Whether it carries text. Faults and pauses count only such messages.
    pub(crate) delta: bool,
}

impl Frame {
    /// `data: {json}`.
    pub(crate) fn data(value: &impl Serialize) -> Self {
        Self { bytes: framed(&[b"data: ", &json::bytes(value)]), delta: false }
    }

    /// `event: name` and `data: {json}`.
    pub(crate) fn event(name: &str, value: &impl Serialize) -> Self {
        let data = json::bytes(value);
        let bytes = framed(&[b"event: ", name.as_bytes(), b"\ndata: ", &data]);
        Self { bytes, delta: false }
    }

    /// `data: [DONE]`.
    pub(crate) fn done() -> Self {
        Self { bytes: framed(&[b"data: [DONE]"]), delta: false }
    }

    /// Marks a frame that carries text.
    pub(crate) fn into_delta(mut self) -> Self {
        self.delta = true;
        self
    }
}

fn framed(parts: &[&[u8]]) -> Bytes {
    let mut message = parts.concat();
    message.extend_from_slice(b"\n\n");
    message.into()
}

/// What happens after the last byte of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The body ends properly.
    Proper,
    /// The connection drops, and the client sees an incomplete body.
    Cut,
    /// Nothing more is sent for as long as the provider runs.
    Stall,
}

/// Applies a fault to a whole stream. `error_frame` writes an error in the
/// stream's own format, given the number of messages before it.
pub(crate) fn break_off(
    mut frames: Vec<Frame>,
    fault: Option<&Fault>,
    error_frame: impl Fn(&ApiError, usize) -> Frame,
) -> (Vec<Frame>, Ending) {
    let Some(fault) = fault else { return (frames, Ending::Proper) };
    frames.truncate(position(&frames, fault.at));
    let ending = match &fault.kind {
        FaultKind::Cut => Ending::Cut,
        FaultKind::Stall => Ending::Stall,
        FaultKind::End => Ending::Proper,
        FaultKind::Error(error) => {
            frames.push(error_frame(error, frames.len()));
            Ending::Proper
        }
    };
    (frames, ending)
}

/// The number of frames before the fault. If the stream has fewer deltas than the
/// fault names, that is all frames but the last.
fn position(frames: &[Frame], at: FaultPosition) -> usize {
    let last = frames.len().saturating_sub(1);
    let FaultPosition::Deltas(count) = at else { return last };
    let mut deltas = frames.iter().enumerate().filter(|(_, frame)| frame.delta);
    let found = match count.checked_sub(1) {
        None => deltas.next().map(|(index, _)| index),
        Some(before) => deltas.nth(before).map(|(index, _)| index + 1),
    };
    found.unwrap_or(last)
}

/// A body that sends the frames one by one, with a pause of `delay` before each delta
/// but the first.
pub(crate) fn body(frames: Vec<Frame>, delay: Duration, ending: Ending, control: ConnectionControl) -> Body {
    let steps = Steps { frames: frames.into_iter(), delay, seen_delta: false, ending, control };
    Body::from_stream(stream::unfold(steps, Steps::next))
}

struct Steps {
    frames: std::vec::IntoIter<Frame>,
    delay: Duration,
    seen_delta: bool,
    ending: Ending,
    control: ConnectionControl,
}

impl Steps {
    async fn next(mut self) -> Option<(std::io::Result<Bytes>, Self)> {
        // Lets the connection send its buffered bytes before the next message, and
        // above all before an abort, which would discard them.
        tokio::task::yield_now().await;
        if let Some(frame) = self.frames.next() {
            if frame.delta && self.seen_delta && !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            self.seen_delta |= frame.delta;
            return Some((Ok(frame.bytes), self));
        }
        match self.ending {
            Ending::Proper => None,
            Ending::Cut => Some((Err(std::io::ErrorKind::ConnectionAborted.into()), self)),
            Ending::Stall => self.control.hang().await,
        }
    }
}

#[cfg(test)]
mod tests;
