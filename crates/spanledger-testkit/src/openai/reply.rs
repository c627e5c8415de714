//! The scripted reply to one call.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::openai::errors::ApiError;
use crate::openai::usage::Usage;

/// The reply of the provider to one call: an answer, a refusal, or a failure.
///
/// A reply is a value, so that a test can keep, clone and repeat it. Values that are
/// not set are generated from the request and the provider's seed, or have the
/// format's default. One reply is valid for any endpoint, for unary and for streamed
/// calls. If a setting has no meaning for one of them, its documentation says what
/// happens.
///
/// ```
/// use std::time::Duration;
/// use spanledger_testkit::{ApiError, Reply, Usage};
///
/// // A slow stream that breaks off after three deltas.
/// let cut = Reply::answer("one two three four").chunk_delay(Duration::from_millis(5)).cut_after(3);
/// // A call that is served by a tier that clients do not know.
/// let odd = Reply::new().service_tier("hyperdrive");
/// // A usage that contradicts itself.
/// let wrong = Reply::new().usage(Usage::new(100, 10).cached(200));
/// // An error in the middle of a stream.
/// let error = Reply::new().error_after(2, ApiError::for_status(500));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub(crate) kind: ReplyKind,
    pub(crate) usage: Setting<Usage>,
    pub(crate) service_tier: Setting<String>,
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) finish: FinishReason,
    pub(crate) web_searches: u32,
    pub(crate) chunks: Option<usize>,
    pub(crate) chunk_delay: Duration,
    pub(crate) first_byte_delay: Duration,
    pub(crate) fault: Option<Fault>,
    pub(crate) retry_after_secs: Option<u64>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) audio_seconds: Option<f64>,
    pub(crate) polls: Option<usize>,
    pub(crate) without_done: bool,
    /// Fields of the body to replace: JSON pointers and values.
    pub(crate) replaced: Vec<(String, Value)>,
    pub(crate) trailing: Bytes,
}

/// Why the model stopped: `finish_reason` in chat.
///
/// Responses has no such field: `Length` and `ContentFilter` make the response
/// `incomplete` with `max_output_tokens` and `content_filter` as the reason,
/// `Stop` and `ToolCalls` make it `completed`, and `Other` becomes the value of
/// `status`, on an event of type `response.completed`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FinishReason {
    /// `stop`: the answer is complete.
    #[default]
    Stop,
    /// `length`: the limit of output tokens was reached.
    Length,
    /// `content_filter`: the provider left content out.
    ContentFilter,
    /// `tool_calls`: the model called a tool.
    ToolCalls,
    /// A value that clients do not know.
    Other(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) enum ReplyKind {
    #[default]
    Answer,
    /// The status is 200, and the response has the status `failed`.
    Failed {
        code: String,
        message: String,
    },
    Error(ApiError),
    /// The status is 200, and the body is an error.
    OkWithError(ApiError),
    Raw {
        status: u16,
        content_type: HeaderValue,
        body: Bytes,
    },
    Hang,
    Close,
}

/// The state of a field of the reply.
#[derive(Debug, Clone, Default)]
pub(crate) enum Setting<T> {
    /// The value is generated from the request and the seed.
    #[default]
    Generated,
    Is(T),
    /// The body does not have the field.
    Absent,
}

/// The way in which a body fails, and the place.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) at: FaultPosition,
    pub(crate) kind: FaultKind,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultPosition {
    /// After this many text deltas.
    Deltas(usize),
    /// Before the last message of the stream.
    LastMessage,
}

#[derive(Debug, Clone)]
pub(crate) enum FaultKind {
    /// The connection drops inside the body.
    Cut,
    /// The body ends properly, but too early.
    End,
    /// The connection stays open, and nothing more is sent.
    Stall,
    /// An error event is sent, and the body ends.
    Error(ApiError),
}

impl Reply {
    /// An answer whose values are all generated.
    pub fn new() -> Self {
        Self::default()
    }

    /// An answer with this text.
    pub fn answer(text: impl Into<String>) -> Self {
        Self::new().text(text)
    }

    /// A refusal.
    pub fn error(error: ApiError) -> Self {
        Self { kind: ReplyKind::Error(error), ..Self::default() }
    }

    /// The refusal that the provider sends with this status
    /// ([`ApiError::for_status`]).
    pub fn status(status: u16) -> Self {
        Self::error(ApiError::for_status(status))
    }

    /// 400, with this message.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::error(ApiError::invalid_request(message))
    }

    /// 429 for too many requests; clients retry it.
    pub fn rate_limited() -> Self {
        Self::error(ApiError::rate_limited())
    }

    /// 429 for an account whose quota is used up; clients do not retry it.
    pub fn insufficient_quota() -> Self {
        Self::error(ApiError::insufficient_quota())
    }

    /// A response that is accepted with 200 and then has the status `failed`:
    /// a `response.failed` event when streamed. A job ends as failed. The usage is null unless set.
    /// The other endpoints have no such thing and answer 500 instead.
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        let kind = ReplyKind::Failed { code: code.into(), message: message.into() };
        Self { kind, ..Self::default() }
    }

    /// 200 with an error as the body, which some gateways and compatible servers send: the object
    /// `{"error": …}`, or a stream that has only this message.
    pub fn ok_with_error(error: ApiError) -> Self {
        Self { kind: ReplyKind::OkWithError(error), ..Self::default() }
    }

    /// 200 and a page of HTML, as a proxy between client and provider sends it.
    pub fn not_json() -> Self {
        let page = HeaderValue::from_static("text/html; charset=utf-8");
        Self::raw(200, page, "<!doctype html><title>Please sign in</title>")
    }

    /// Exactly these bytes, whether the call is streamed or not.
    pub fn raw(status: u16, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        let kind = ReplyKind::Raw { status, content_type, body: body.into() };
        Self { kind, ..Self::default() }
    }

    /// Never answers; the connection stays open until the provider stops.
    pub fn hang() -> Self {
        Self { kind: ReplyKind::Hang, ..Self::default() }
    }

    /// Closes the connection without a byte of answer.
    pub fn close() -> Self {
        Self { kind: ReplyKind::Close, ..Self::default() }
    }

    /// Sets the text of the answer. The bytes of generated images and speech are this text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the usage.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = Setting::Is(usage);
        self
    }

    /// Leaves the usage out of the answer, even if it was requested.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.usage = Setting::Absent;
        self
    }

    /// Sets the id of the answer, which is otherwise unique for each request.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the model of the answer. The default is the dated snapshot of the
    /// requested model, or the requested model if it has none.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the tier that served the call; it need not exist. The default is the
    /// requested tier, with `default` for `auto` and for none, and `priority` for
    /// `fast`.
    #[must_use]
    pub fn service_tier(mut self, tier: impl Into<String>) -> Self {
        self.service_tier = Setting::Is(tier.into());
        self
    }

    /// Leaves the tier out of the answer.
    #[must_use]
    pub fn without_service_tier(mut self) -> Self {
        self.service_tier = Setting::Absent;
        self
    }

    /// Sets why the model stopped.
    #[must_use]
    pub fn finish(mut self, reason: FinishReason) -> Self {
        self.finish = reason;
        self
    }

    /// Makes the response contain this many billed web searches: output items
    /// and `tool_usage` in Responses, nothing in chat.
    #[must_use]
    pub fn web_searches(mut self, count: u32) -> Self {
        self.web_searches = count;
        self
    }

    /// Sets the length of the audio that a transcription reports. The default is one second.
    #[must_use]
    pub fn audio_seconds(mut self, seconds: f64) -> Self {
        self.audio_seconds = Some(seconds);
        self
    }

    /// Sets how many reads of a job (a batch, a background response, a fine-tuning job, a run of an
    /// evaluation, a video) find it in work. The next read finds it finished. The default is one.
    #[must_use]
    pub fn polls(mut self, reads: usize) -> Self {
        self.polls = Some(reads);
        self
    }

    /// Ends a stream of chat or completions without `[DONE]`, as some compatible servers do.
    #[must_use]
    pub fn without_done(mut self) -> Self {
        self.without_done = true;
        self
    }

    /// Replaces a field of the JSON answer, for odd values: a number as the id, an object as the finish
    /// reason. `pointer` is a JSON pointer (`/choices/0/finish_reason`). In a stream, the field is replaced in
    /// every message in which it is present and not null.
    #[must_use]
    pub fn replace(mut self, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        self.replaced.push((pointer.into(), value.into()));
        self
    }

    /// Sends these bytes after the end of the answer, inside the body.
    #[must_use]
    pub fn trailing(mut self, bytes: impl Into<Bytes>) -> Self {
        self.trailing = bytes.into();
        self
    }

    /// Sets the number of text deltas of a stream. One delta with a long [text](Reply::text) is a large
    /// event. The default is one per word. If
    /// there are more deltas than characters, some are empty.
    #[must_use]
    pub fn chunks(mut self, count: usize) -> Self {
        self.chunks = Some(count);
        self
    }

    /// Sets the pause before each text delta but the first.
    #[must_use]
    pub fn chunk_delay(mut self, delay: Duration) -> Self {
        self.chunk_delay = delay;
        self
    }

    /// Sets the pause before anything is sent, headers included.
    #[must_use]
    pub fn first_byte_delay(mut self, delay: Duration) -> Self {
        self.first_byte_delay = delay;
        self
    }

    /// Sets the header `retry-after`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_secs = Some(seconds);
        self
    }

    /// Sets a response header. It replaces the provider's header of that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Drops the connection after this many text deltas, inside the body. If there
    /// are fewer deltas, the connection drops before the last message. The call
    /// itself succeeds at the provider: it can be fetched if it was stored. A unary
    /// answer ends after its first half.
    #[must_use]
    pub fn cut_after(self, deltas: usize) -> Self {
        self.fault(FaultPosition::Deltas(deltas), FaultKind::Cut)
    }

    /// Drops the connection before the last message of the stream: `[DONE]` in
    /// chat (so the usage has been sent), the closing event in Responses.
    #[must_use]
    pub fn cut_before_last_message(self) -> Self {
        self.fault(FaultPosition::LastMessage, FaultKind::Cut)
    }

    /// Ends the body properly after this many text deltas, without the closing
    /// messages. A unary answer is cut after its first half.
    #[must_use]
    pub fn end_after(self, deltas: usize) -> Self {
        self.fault(FaultPosition::Deltas(deltas), FaultKind::End)
    }

    /// Sends nothing more after this many text deltas, and keeps the connection
    /// open. A unary answer stalls after its first half.
    #[must_use]
    pub fn stall_after(self, deltas: usize) -> Self {
        self.fault(FaultPosition::Deltas(deltas), FaultKind::Stall)
    }

    /// Sends an error event after this many text deltas, and ends. The call is
    /// not stored. A call that is not streamed is refused with the error.
    #[must_use]
    pub fn error_after(self, deltas: usize, error: ApiError) -> Self {
        self.fault(FaultPosition::Deltas(deltas), FaultKind::Error(error))
    }

    fn fault(mut self, at: FaultPosition, kind: FaultKind) -> Self {
        self.fault = Some(Fault { at, kind });
        self
    }
}
