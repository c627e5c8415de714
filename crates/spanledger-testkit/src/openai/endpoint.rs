//! The endpoints that answer a call at once, and the data that tells them apart.
//!
//! Source: the paths of the API reference.

use crate::openai::generate::{BASE62, HEX, Rng};

/// An endpoint that answers a call at once. Jobs and stored objects are in [`resources`](super::resources).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Completions,
    Responses,
    Compact,
    InputTokens,
    Embeddings,
    ImageGenerations,
    ImageEdits,
    ImageVariations,
    Speech,
    Transcriptions,
    Translations,
    Moderations,
    Decisions,
    /// A path that the provider does not have. It answers only if a test scripted a reply for the path.
    Unknown,
}

impl Endpoint {
    /// The endpoint at this path below the base URL.
    pub(crate) fn at(path: &[&str]) -> Option<Self> {
        Some(match path {
            ["chat", "completions"] => Self::Chat,
            ["completions"] => Self::Completions,
            ["responses"] => Self::Responses,
            ["responses", "compact"] => Self::Compact,
            ["responses", "input_tokens"] => Self::InputTokens,
            ["embeddings"] => Self::Embeddings,
            ["images", "generations"] => Self::ImageGenerations,
            ["images", "edits"] => Self::ImageEdits,
            ["images", "variations"] => Self::ImageVariations,
            ["audio", "speech"] => Self::Speech,
            ["audio", "transcriptions"] => Self::Transcriptions,
            ["audio", "translations"] => Self::Translations,
            ["moderations"] => Self::Moderations,
            ["decisions"] => Self::Decisions,
            _ => return None,
        })
    }

    /// The field of a JSON request that must be there.
    pub(crate) const fn required_input(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("messages"),
            Self::Responses | Self::Embeddings | Self::Speech | Self::Moderations | Self::Decisions => {
                Some("input")
            }
            Self::Completions | Self::ImageGenerations | Self::ImageEdits => Some("prompt"),
            Self::Compact
            | Self::InputTokens
            | Self::ImageVariations
            | Self::Transcriptions
            | Self::Translations
            | Self::Unknown => None,
        }
    }

    /// The file of a form that must be there.
    pub(crate) const fn required_file(self) -> Option<&'static str> {
        match self {
            Self::ImageEdits | Self::ImageVariations => Some("image"),
            Self::Transcriptions | Self::Translations => Some("file"),
            _ => None,
        }
    }

    /// The model of a request that names none. `None` if the request must name one.
    pub(crate) const fn default_model(self) -> Option<&'static str> {
        match self {
            Self::ImageGenerations | Self::ImageEdits => Some("gpt-image-2"),
            Self::ImageVariations => Some("dall-e-2"),
            Self::Moderations => Some("omni-moderation-latest"),
            Self::InputTokens | Self::Unknown => Some(""),
            _ => None,
        }
    }

    /// Whether streams report the usage only if `stream_options` requests it.
    pub(crate) const fn has_usage_option(self) -> bool {
        matches!(self, Self::Chat | Self::Completions)
    }

    pub(crate) const fn is_image(self) -> bool {
        matches!(self, Self::ImageGenerations | Self::ImageEdits | Self::ImageVariations)
    }

    /// A new id of an answer.
    pub(crate) fn id(self, rng: &mut Rng) -> String {
        match self {
            Self::Chat => format!("chatcmpl-{}", rng.string(29, BASE62)),
            Self::Completions => format!("cmpl-{}", rng.string(29, BASE62)),
            Self::Moderations => format!("modr-{}", rng.string(29, BASE62)),
            _ => format!("resp_{}", rng.string(48, HEX)),
        }
    }
}
