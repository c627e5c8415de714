//! The tokens of a call: totals with their parts, and the exclusive buckets of them.

use spanledger_event::{NestedUsage, Usage, UsageError};

use super::error::{Result, UsageReadError};

/// The tokens of a call as totals that contain their parts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    pub(super) nested: NestedUsage,
    /// Text, where it is stated. Text is what the other modalities leave of a whole, so this count is
    /// only checked: it must not be more than that.
    pub(super) text: Sides,
    /// Video has no bucket.
    pub(super) video: Sides,
    /// Modalities that are not known here, which have no bucket either.
    pub(super) other: Sides,
}

/// The tokens of one modality; the cached ones are part of the input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sides {
    pub(super) input: u64,
    pub(super) cached: u64,
    pub(super) output: u64,
}

impl Tokens {
    /// The tokens of modalities that have no bucket, by the names of their units.
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

    /// The exclusive buckets, without the modalities that have none. All parts are checked against
    /// their wholes first.
    pub(super) fn exclusive(&self) -> std::result::Result<Usage, UsageError> {
        let Self { nested, text, video, other } = self;
        // Also looks for counts out of range, so that the sums here cannot overflow.
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

    /// Adds hidden output that is counted beside the visible output and not in it. The stated total
    /// decides, because some providers do both; without a total the documented meaning holds.
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

/// The cache writes of the ordinary lifetime: the total without the longer ones, or the split where no
/// total is stated. `names` are the fields of the total and of the ordinary lifetime.
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
        // A lifetime that is not known here must not be billed as one of the others.
        Some(ordinary) if ordinary != rest => Err(UsageReadError::Disagreement {
            a: names[1].to_owned(),
            a_value: ordinary.into(),
            b: format!("{} without the longer ones", names[0]),
            b_value: rest.into(),
        }),
        _ => Ok(rest),
    }
}
