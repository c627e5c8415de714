//! The tokens of a call: totals that contain their parts, and the exclusive buckets that follow from them.

use spanledger_event::{NestedUsage, Usage, UsageError};

use super::error::{Result, UsageReadError};

/// The tokens of a call as totals that contain their parts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    pub(super) nested: NestedUsage,
    /// Text tokens, if they are stated. The buckets of text are the rest of the totals without the other
    /// modalities, so this count is only checked: it must not exceed that rest.
    pub(super) text: Sides,
    /// Video tokens, which have no bucket.
    pub(super) video: Sides,
    /// Tokens of unknown modalities, which have no bucket either.
    pub(super) other: Sides,
}

/// The tokens of one modality. The cached tokens are part of the input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sides {
    pub(super) input: u64,
    pub(super) cached: u64,
    pub(super) output: u64,
}

impl Tokens {
    /// The tokens of modalities without a bucket, by the names of their units.
    pub(super) fn without_bucket(&self) -> Result<Vec<(&'static str, u64)>> {
        let rest = |side, Sides { input, cached, .. }: Sides| {
            input.checked_sub(cached).ok_or(UsageReadError::Contradictory(UsageError::PartsExceedWhole {
                side,
                parts: cached,
                whole: input,
            }))
        };
        let units = [
            ("video_tokens", rest("video input", self.video)?),
            ("cached_video_tokens", self.video.cached),
            ("video_output_tokens", self.video.output),
            ("other_modality_tokens", rest("input of other modalities", self.other)?),
            ("cached_other_modality_tokens", self.other.cached),
            ("other_modality_output_tokens", self.other.output),
        ];
        Ok(units.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    /// The exclusive buckets, without the modalities that have none. First checks that no parts exceed their
    /// whole.
    pub(super) fn exclusive(&self) -> std::result::Result<Usage, UsageError> {
        let Self { nested, text, video, other } = self;
        // `nested.exclusive()` below also rejects counts that are out of range.
        let within = |side, whole: u64, parts: &[u64]| {
            let parts = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(*part));
            if parts > whole { Err(UsageError::PartsExceedWhole { side, parts, whole }) } else { Ok(()) }
        };
        nested.exclusive()?;
        let (n, t, v, o) = (nested, text, video, other);
        within("input", n.input, &[t.input, n.audio_input, n.image_input, v.input, o.input])?;
        within("output", n.output, &[t.output, n.audio_output, n.image_output, v.output, o.output])?;
        within("cached input", n.cached, &[t.cached, n.cached_audio, n.cached_image, v.cached, o.cached])?;
        NestedUsage {
            input: n.input - v.input - o.input,
            cached: n.cached - v.cached - o.cached,
            output: n.output - v.output - o.output,
            total: None,
            ..*n
        }
        .exclusive()
    }

    /// Adds the hidden output to the output, unless the output already includes it. The stated total decides,
    /// because some providers do both. If it does not decide, `is_beside_by_default` says what the provider
    /// documents.
    pub(super) fn add_hidden_output(&mut self, is_beside_by_default: bool) {
        let NestedUsage { input, output, reasoning, total, .. } = self.nested;
        let visible = input.saturating_add(output);
        let is_beside = match total {
            Some(total) if total == visible.saturating_add(reasoning) => true,
            Some(total) if total == visible => false,
            _ => is_beside_by_default,
        };
        if is_beside {
            self.nested.output = output.saturating_add(reasoning);
        }
    }
}

/// The cache writes of the ordinary lifetime: the total minus the longer lifetimes, or the stated count if
/// there is no total. `names` are the fields of the total and of the ordinary lifetime.
pub(super) fn ordinary_writes(
    names: [&str; 2],
    total: Option<u64>,
    ordinary: Option<u64>,
    longer: u64,
) -> Result<u64> {
    let Some(total) = total else { return Ok(ordinary.unwrap_or_default()) };
    let rest =
        total.checked_sub(longer).ok_or(UsageReadError::Contradictory(UsageError::PartsExceedWhole {
            side: "cache writes",
            parts: longer,
            whole: total,
        }))?;
    match ordinary {
        // The total includes an unknown lifetime, which must not be billed like a known one.
        Some(ordinary) if ordinary != rest => Err(UsageReadError::Disagreement {
            a: names[1].to_owned(),
            a_value: ordinary.into(),
            b: format!("{} without the longer ones", names[0]),
            b_value: rest.into(),
        }),
        _ => Ok(rest),
    }
}
