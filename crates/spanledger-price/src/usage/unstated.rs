//! What it means that a usage lacks a part.

use spanledger_event::{Endpoint, Unstated};

/// The parts that the usage of a call to this endpoint does not state if it lacks them. The other parts do not
/// exist at the endpoint: a usage that lacks them used none.
///
/// OpenAI documents that every chat and Responses answer states its cached tokens, also if they are zero
/// (guide *Prompt caching*). A usage without them went through a gateway, a server or an instrumentation that
/// drops them. The usage objects of the endpoints without generated text have no place for these parts (API
/// reference).
pub const fn unstated_if_absent(endpoint: Endpoint) -> Unstated {
    match endpoint {
        Endpoint::Embeddings
        | Endpoint::Images
        | Endpoint::AudioSpeech
        | Endpoint::AudioTranscription
        | Endpoint::AudioTranslation
        | Endpoint::Moderations => Unstated::NONE,
        Endpoint::Chat
        | Endpoint::Responses
        | Endpoint::Completions
        | Endpoint::Batch
        | Endpoint::Realtime
        | Endpoint::Other => Unstated::ALL,
    }
}
