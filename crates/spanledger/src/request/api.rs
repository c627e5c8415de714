//! Tells from the path of a request whether it can be billed.

use http::Method;
use spanledger_event::Endpoint;

#[cfg(test)]
mod tests;

/// Whether a request can be billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Billing {
    /// The provider bills it, or begins something with it that is billed.
    Billed(Endpoint),
    /// A model answers it, and the provider does not bill it.
    FreeCall(Endpoint),
    /// It reads, lists, uploads, changes or cancels something.
    Free,
    /// It is a POST that is not in the table. It may be billed.
    Unknown,
}

use Billing::{Billed, Free, FreeCall};

/// The ends of the paths to which `async-openai` sends a POST, segment by segment; `*` is any one segment. The
/// first row that matches is used. Source: OpenAI's API reference.
const POSTS: &[(&str, Billing)] = &[
    ("chat/completions", Billed(Endpoint::Chat)),
    ("completions", Billed(Endpoint::Completions)),
    ("responses", Billed(Endpoint::Responses)),
    ("responses/compact", Billed(Endpoint::Responses)),
    ("embeddings", Billed(Endpoint::Embeddings)),
    ("images/generations", Billed(Endpoint::Images)),
    ("images/edits", Billed(Endpoint::Images)),
    ("images/variations", Billed(Endpoint::Images)),
    ("audio/speech", Billed(Endpoint::AudioSpeech)),
    ("audio/transcriptions", Billed(Endpoint::AudioTranscription)),
    ("audio/translations", Billed(Endpoint::AudioTranslation)),
    ("moderations", FreeCall(Endpoint::Moderations)),
    ("batches", Billed(Endpoint::Batch)),
    ("decisions", Billed(Endpoint::Other)),
    ("fine_tuning/jobs", Billed(Endpoint::Other)),
    ("evals/*/runs", Billed(Endpoint::Other)),
    ("videos", Billed(Endpoint::Other)),
    ("videos/edits", Billed(Endpoint::Other)),
    ("videos/extensions", Billed(Endpoint::Other)),
    ("videos/*/remix", Billed(Endpoint::Other)),
    ("containers", Billed(Endpoint::Other)),
    ("vector_stores", Billed(Endpoint::Other)),
    ("realtime/calls", Billed(Endpoint::Realtime)),
    ("realtime/calls/*/accept", Billed(Endpoint::Realtime)),
    ("audio/voices", Free),
    ("audio/voice_consents", Free),
    ("audio/voice_consents/*", Free),
    ("batches/*/cancel", Free),
    ("chat/completions/*", Free),
    ("chatkit/sessions", Free),
    ("chatkit/sessions/*/cancel", Free),
    ("containers/*/files", Free),
    ("conversations", Free),
    ("conversations/*", Free),
    ("conversations/*/items", Free),
    ("evals", Free),
    ("evals/*", Free),
    ("evals/*/runs/*", Free),
    ("evals/*/runs/*/cancel", Free),
    ("files", Free),
    ("fine_tuning/checkpoints/*/permissions", Free),
    ("fine_tuning/jobs/*/cancel", Free),
    ("fine_tuning/jobs/*/pause", Free),
    ("fine_tuning/jobs/*/resume", Free),
    ("fine_tuning/alpha/graders/validate", Free),
    ("realtime/calls/*/hangup", Free),
    ("realtime/calls/*/refer", Free),
    ("realtime/calls/*/reject", Free),
    ("realtime/client_secrets", Free),
    ("realtime/sessions", Free),
    ("realtime/transcription_sessions", Free),
    ("responses/*/cancel", Free),
    ("responses/input_tokens", Free),
    ("skills", Free),
    ("skills/*", Free),
    ("skills/*/versions", Free),
    ("uploads", Free),
    ("uploads/*/cancel", Free),
    ("uploads/*/complete", Free),
    ("uploads/*/parts", Free),
    ("vector_stores/*", Free),
    ("vector_stores/*/file_batches", Free),
    ("vector_stores/*/file_batches/*/cancel", Free),
    ("vector_stores/*/files", Free),
    ("vector_stores/*/files/*", Free),
    ("vector_stores/*/search", Free),
];

/// Whether a request can be billed, by its method and path.
///
/// Only a POST can be: everything that is billed is created. A path below `organization` is administration.
pub(crate) fn billing_of(method: &Method, path: &str) -> Billing {
    if method != Method::POST {
        return Free;
    }
    let path = path.trim_end_matches('/');
    if let Some((_, billing)) = POSTS.iter().find(|(end, _)| path_ends_with(path, end)) {
        return *billing;
    }
    let is_administration = path.split('/').any(|segment| segment == "organization");
    if is_administration { Free } else { Billing::Unknown }
}

/// Whether the last segments of a path are those of `end`.
pub(crate) fn path_ends_with(path: &str, end: &str) -> bool {
    let mut segments = path.rsplit('/');
    end.rsplit('/').all(|wanted| {
        let segment = segments.next();
        segment.is_some_and(|segment| segment == wanted || (wanted == "*" && !segment.is_empty()))
    })
}
