//! What went wrong, and what it cost.

use std::{collections::BTreeMap, fmt::Write as _};

use spanledger_event::{CostEvent, Usd};

use crate::render;

/// What failed, what was retried, what is unpriced.
pub(super) fn tell(events: &[CostEvent]) -> String {
    let mut text = String::new();
    let failed = count(events.iter().filter_map(|e| e.error_code.clone()));
    section(&mut text, "Failed", &failed, "by the provider's error");
    let unpriced = count(events.iter().filter(|e| e.cost_usd.is_none()).map(|e| {
        let words = [e.cost_reason.as_deref(), e.cost_detail.as_deref()];
        words.into_iter().flatten().collect::<Vec<_>>().join(": ")
    }));
    section(&mut text, "Unpriced", &unpriced, "never counted as zero");
    let retried = events.iter().filter(|e| e.attempts > 1).count();
    let twice: Vec<&CostEvent> =
        events.iter().filter(|e| e.retry_cost_usd.is_some_and(|cost| cost > Usd::ZERO)).collect();
    let extra: Usd = twice.iter().filter_map(|e| e.retry_cost_usd).sum();
    writeln!(
        text,
        "Retried   {retried} requests needed more than one attempt and count once; {} of them had a second billed\n          response, which adds {} USD to the invoice",
        twice.len(),
        render::dollars(extra, false),
    )
    .unwrap_or_default();
    text.push('\n');
    text
}

fn count(items: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    items.fold(BTreeMap::new(), |mut counts, item| {
        *counts.entry(item).or_default() += 1;
        counts
    })
}

fn section(text: &mut String, title: &str, counts: &BTreeMap<String, usize>, note: &str) {
    writeln!(text, "{title:<9} {} requests, {note}", counts.values().sum::<usize>()).unwrap_or_default();
    for (name, number) in counts {
        writeln!(text, "          {number:>4} × {name}").unwrap_or_default();
    }
}
