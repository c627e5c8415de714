//! Combines a reply with the request that it answers. The result is the same for
//! every wire format; each format writes it in its own way.

use crate::openai::generate::{self, Rng};
use crate::openai::models;
use crate::openai::reply::{FinishReason, Reply, ReplyKind, Setting};
use crate::openai::request::ApiRequest;
use crate::openai::usage::Usage;

/// The creation time of the first call, in Unix seconds; each request is one
/// second later. No clock is read, so that the same test gives the same bytes.
pub(crate) const CREATED_BASE: u64 = 1_780_000_000;
/// The requests in the input file of a batch count in the bits above these.
pub(crate) const BATCH_LINE_SHIFT: u32 = 32;

/// A resolved answer.
#[derive(Debug)]
pub(crate) struct ResolvedReply<'a> {
    pub(crate) request: &'a ApiRequest,
    pub(crate) id: String,
    pub(crate) model: String,
    /// `None` if the answer has no usage, or if the reply of a failed call sets none.
    pub(crate) usage: Option<Usage>,
    /// Whether the answer has a field for the usage at all.
    pub(crate) usage_present: bool,
    pub(crate) service_tier: Option<String>,
    pub(crate) text: String,
    /// The text, split into the deltas of a stream.
    pub(crate) pieces: Vec<String>,
    pub(crate) finish: FinishReason,
    /// Code and message of a response that failed.
    pub(crate) failure: Option<(&'a str, &'a str)>,
    pub(crate) web_searches: u32,
    /// The length of the audio in a transcription's usage.
    pub(crate) audio_seconds: f64,
    pub(crate) without_done: bool,
    pub(crate) created: u64,
    ids: Rng,
}

impl<'a> ResolvedReply<'a> {
    /// Resolves `reply` for the request with this number.
    pub(crate) fn new(seed: u64, number: u64, request: &'a ApiRequest, reply: &'a Reply) -> Self {
        let failure = match &reply.kind {
            ReplyKind::Failed { code, message } => Some((code.as_str(), message.as_str())),
            _ => None,
        };
        let generated = generate::usage(seed, request, reply.text.as_deref());
        let usage = match reply.usage {
            Setting::Generated if failure.is_some() => None,
            Setting::Generated => Some(generated),
            Setting::Is(usage) => Some(usage),
            Setting::Absent => None,
        };
        let text = match &reply.text {
            Some(text) => text.clone(),
            None => generate::text(seed, request, usage.unwrap_or(generated)),
        };
        let mut ids = Rng::new(seed, "id", number);
        let id = request.endpoint.id(&mut ids);
        Self {
            request,
            id: reply.id.clone().unwrap_or(id),
            model: match &reply.model {
                Some(model) => model.clone(),
                None => models::snapshot(&request.model).to_owned(),
            },
            usage,
            usage_present: !matches!(reply.usage, Setting::Absent),
            service_tier: match &reply.service_tier {
                Setting::Generated => Some(served(request.service_tier.as_deref()).to_owned()),
                Setting::Is(tier) => Some(tier.clone()),
                Setting::Absent => None,
            },
            pieces: pieces(&text, reply.chunks),
            text,
            finish: reply.finish.clone(),
            failure,
            web_searches: reply.web_searches,
            audio_seconds: reply.audio_seconds.unwrap_or(1.0),
            without_done: reply.without_done,
            created: CREATED_BASE + number % (1 << BATCH_LINE_SHIFT),
            ids,
        }
    }

    /// A generator of the ids of the answer's parts. It always gives the same ids in the same order.
    pub(crate) fn part_ids(&self) -> Rng {
        self.ids.clone()
    }
}

/// The tier that serves a request for `tier`.
fn served(tier: Option<&str>) -> &str {
    match tier {
        None | Some("auto") => "default",
        Some("fast") => "priority",
        Some(tier) => tier,
    }
}

/// Splits the text into `count` pieces of nearly equal length, or into words.
fn pieces(text: &str, count: Option<usize>) -> Vec<String> {
    let Some(count) = count else {
        return text.split_inclusive(' ').map(str::to_owned).collect();
    };
    let chars: Vec<char> = text.chars().collect();
    let bound = |piece: usize| chars.len() * piece / count;
    (0..count).map(|piece| chars[bound(piece)..bound(piece + 1)].iter().collect()).collect()
}

#[cfg(test)]
mod tests;
