//! Reads the billable units of a request that its answer may not count: characters to speak, images to make.

use rust_decimal::Decimal;
use serde_json::value::RawValue;
use spanledger_event::{Endpoint, Usage};

#[cfg(test)]
mod tests;

/// The part of a request that decides its price if the answer has no usage object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestUnits {
    /// Characters to speak.
    pub(super) characters: u64,
    /// Quality of the images.
    pub(super) quality: Option<String>,
    /// Size of the images.
    pub(super) size: Option<String>,
}

impl RequestUnits {
    /// Reads the fields by which `endpoint` is priced. `input` is read as text only for speech.
    pub(super) fn read(
        endpoint: Endpoint,
        input: Option<&RawValue>,
        quality: Option<&RawValue>,
        size: Option<&RawValue>,
    ) -> Self {
        let text = |raw: Option<&RawValue>| serde_json::from_str::<String>(raw?.get()).ok();
        match endpoint {
            Endpoint::AudioSpeech => {
                let characters = text(input).map_or(0, |input| input.chars().count());
                Self { characters: u64::try_from(characters).unwrap_or(u64::MAX), ..Self::default() }
            }
            Endpoint::Images => Self { quality: text(quality), size: text(size), ..Self::default() },
            _ => Self::default(),
        }
    }

    /// The usage of a successful call whose answer has no usage object, from the request and from the number of
    /// images or the length of the audio that the answer states.
    ///
    /// Models that are billed by tokens have no rate for these units, so such a call stays unpriced.
    pub(crate) fn estimate(
        &self,
        endpoint: Endpoint,
        images: u64,
        audio_seconds: Option<Decimal>,
    ) -> Option<Usage> {
        let mut usage = Usage::default();
        match endpoint {
            Endpoint::AudioSpeech if self.characters > 0 => usage.characters = self.characters,
            Endpoint::Images if images > 0 => {
                usage.images = images;
                // The defaults of the API.
                let size = self.size.as_deref().filter(|size| *size != "auto").unwrap_or("1024x1024");
                let quality = self.quality.as_deref().filter(|q| *q != "auto").unwrap_or("standard");
                usage.variant = Some(format!("{quality} {size}"));
            }
            Endpoint::AudioTranscription | Endpoint::AudioTranslation => {
                usage.audio_seconds = Some(audio_seconds.filter(|seconds| *seconds > Decimal::ZERO)?);
            }
            _ => return None,
        }
        Some(usage)
    }
}
