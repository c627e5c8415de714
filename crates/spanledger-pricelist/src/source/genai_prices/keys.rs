//! Maps the price keys of the file to meters.

use std::collections::BTreeSet;

use spanledger_event::Bucket;
use spanledger_price::{Meter, Origin, Period, Rate, Tier};

use super::{
    ForeignLine, Object, Span,
    json::{self, Raw},
};
use crate::source::number::{self, Scale};

const SAME: Scale = Scale::SAME;

/// The meters of the keys. If a price has several keys with the same meter, the first of this list is used.
const KEYS: [(&str, Meter, Scale); 22] = [
    ("input_mtok", Meter::Tokens(Bucket::Input), SAME),
    ("input_text_mtok", Meter::Tokens(Bucket::Input), SAME),
    ("cache_read_mtok", Meter::Tokens(Bucket::CachedInput), SAME),
    ("cache_text_read_mtok", Meter::Tokens(Bucket::CachedInput), SAME),
    ("cache_write_mtok", Meter::Tokens(Bucket::CacheWrite), SAME),
    ("cache_write_5m_mtok", Meter::Tokens(Bucket::CacheWrite), SAME),
    ("cache_text_write_mtok", Meter::Tokens(Bucket::CacheWrite), SAME),
    ("cache_write_1h_mtok", Meter::Tokens(Bucket::CacheWrite1h), SAME),
    ("input_audio_mtok", Meter::Tokens(Bucket::AudioInput), SAME),
    ("cache_audio_read_mtok", Meter::Tokens(Bucket::CachedAudioInput), SAME),
    ("input_image_mtok", Meter::Tokens(Bucket::ImageInput), SAME),
    ("cache_image_read_mtok", Meter::Tokens(Bucket::CachedImageInput), SAME),
    ("output_mtok", Meter::Tokens(Bucket::Output), SAME),
    ("output_text_mtok", Meter::Tokens(Bucket::Output), SAME),
    ("output_reasoning_mtok", Meter::Tokens(Bucket::Reasoning), SAME),
    ("output_audio_mtok", Meter::Tokens(Bucket::AudioOutput), SAME),
    ("output_image_mtok", Meter::Tokens(Bucket::ImageOutput), SAME),
    ("input_audio_hours", Meter::AudioSeconds, Scale::PerHour),
    ("audio_hours", Meter::AudioSeconds, Scale::PerHour),
    ("input_mchars", Meter::Characters, SAME),
    ("web_searches_kcount", Meter::WebSearch, SAME),
    ("storage_searches_kcount", Meter::FileSearch, SAME),
];

/// The thresholds and notes of a model, collected while its lines are read.
#[derive(Default)]
pub(super) struct Sheet {
    pub(super) thresholds: BTreeSet<u64>,
    pub(super) notes: BTreeSet<String>,
}

impl Sheet {
    /// Reads a line. A rate without a step applies to prompts of any length, so it is on both sides.
    pub(super) fn line(&mut self, prices: &Object<'_>, tier: Tier, span: Span) -> Option<ForeignLine> {
        for key in prices.keys().filter(|key| !KEYS.iter().any(|(known, ..)| known == key)) {
            self.notes.insert(format!("`{key}`: the book has no meter for this price"));
        }
        let (mut short, mut long) = (Vec::new(), Vec::new());
        let mut steps = false;
        for (key, meter, scale) in KEYS {
            let raw = prices.get(key).filter(|raw| !json::is_null(raw));
            let Some(raw) = raw else { continue };
            if short.iter().any(|rate: &Rate| rate.meter == meter) {
                continue;
            }
            match self.steps(raw, scale) {
                Ok((base, beyond)) => {
                    steps |= beyond.is_some();
                    let rate = |usd| Rate::new(meter, None, usd, Origin::Listed);
                    short.push(rate(base));
                    long.push(rate(beyond.unwrap_or(base)));
                }
                Err(reason) => {
                    self.notes.insert(format!("`{key}`: {reason}"));
                }
            }
        }
        if short.iter().any(|rate| rate.meter.is_tokens()) {
            for rates in [&mut short, &mut long] {
                rates.retain(|rate| {
                    let beside = matches!(rate.meter, Meter::AudioSeconds | Meter::Characters);
                    if beside {
                        self.notes.insert(format!("a rate of {} beside rates of tokens", rate.meter.name()));
                    }
                    !beside
                });
            }
        }
        if short.is_empty() {
            return None;
        }
        let (rates, long) = (short.into_iter().collect(), steps.then(|| long.into_iter().collect()));
        let Span { from, until, hours } = span;
        Some(ForeignLine { tier, period: Period::new(from, until), hours, rates, long })
    }

    /// Reads the rate up to the step and, if there is a step, the rate beyond it.
    fn steps(
        &mut self,
        raw: Raw<'_>,
        scale: Scale,
    ) -> Result<(rust_decimal::Decimal, Option<rust_decimal::Decimal>), String> {
        let Some(tiered) = json::object(raw) else { return Ok((number::rate(raw.get(), scale)?, None)) };
        let get = |object: &Object<'_>, key: &str| {
            let raw = object.get(key).ok_or_else(|| format!("a price without `{key}`"))?;
            number::rate(raw.get(), scale)
        };
        let base = get(&tiered, "base")?;
        let mut beyond = None;
        for raw in json::items(&tiered, "tiers") {
            let step = json::object(raw).ok_or("a step that is not an object")?;
            let start = step.get("start").and_then(|raw| raw.get().parse::<u64>().ok());
            self.thresholds.insert(start.ok_or("a step that does not start at a number of tokens")?);
            beyond = Some(get(&step, "price")?);
        }
        Ok((base, beyond))
    }
}
