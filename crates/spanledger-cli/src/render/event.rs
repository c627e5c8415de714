//! Formats one event for `tail`.

use spanledger_event::{CostEvent, EventState, Flag, Timestamp, Usd};

use super::{
    amount::{Bound, dollars, grouped},
    text::{fit, printable},
};

/// The width from which an event is shown completely on one line.
const WIDE_MIN: usize = 130;

/// Formats one event. In a narrow terminal the line is shortened to 80 columns and remarks follow on a
/// second line. Without a width, for example in a pipe, an event is one line.
pub(crate) fn event(event: &CostEvent, width: Option<usize>) -> String {
    match width {
        Some(width) if width < WIDE_MIN => narrow(event, width),
        _ => wide(event),
    }
}

fn wide(event: &CostEvent) -> String {
    let mut line = format!(
        "{}  {:<14} {:<22} {:<12} {:<18} {:>8} in {:>7} out  {}",
        millis(event.timestamp),
        name(event.feature.as_deref(), "(no feature)"),
        name(event.route.as_deref(), "(no route)"),
        name(event.customer_id.as_deref(), "(no customer)"),
        models(event),
        input(event),
        output(event),
        cost(event).join(" "),
    );
    for remark in remarks(event) {
        line.push_str("  ");
        line.push_str(&remark);
    }
    line
}

fn narrow(event: &CostEvent, width: usize) -> String {
    let (cost, reason) = match cost(event).as_slice() {
        [cost, reason @ ..] => (cost.clone(), reason.join(" ")),
        [] => Default::default(),
    };
    // `11-21 14:03:22`
    let time: String = millis(event.timestamp).chars().skip(5).take(14).collect();
    let mut line = format!(
        "{} {:<12} {:<10} {:<13} {:>9} {:>6} {:>10}",
        time.replace('T', " "),
        fit(&name(event.feature.as_deref(), "(no feature)"), 12),
        fit(&name(event.customer_id.as_deref(), "(none)"), 10),
        fit(&models(event), 13),
        input(event),
        output(event),
        cost,
    );
    let mut remarks = remarks(event);
    if !reason.is_empty() {
        remarks.insert(0, format!("unpriced {reason}"));
    }
    if !remarks.is_empty() {
        let indent = "               ";
        line.push_str(&format!("\n{indent}{}", fit(&remarks.join(", "), width.saturating_sub(indent.len()))));
    }
    line
}

/// The cost or, if it is unknown, `unpriced` and the reason in parentheses.
fn cost(event: &CostEvent) -> Vec<String> {
    let known = event.retry_cost_usd.filter(|retry| *retry > Usd::ZERO);
    match (event.state, event.billed_usd.or(event.cost_usd).or(known)) {
        (EventState::Void, _) => vec!["void".to_owned()],
        (_, Some(amount)) => vec![dollars(amount, bound(event))],
        (_, None) => {
            let reason = name(event.cost_reason.as_deref(), "no reason");
            vec!["unpriced".to_owned(), format!("({reason})")]
        }
    }
}

/// How the cost that is shown relates to the real one.
fn bound(event: &CostEvent) -> Bound {
    let has = |flag| event.flags.contains(&flag);
    let is_uncertain = has(Flag::CostUncertain);
    Bound::new(event.billed_usd.is_none() || is_uncertain, has(Flag::CostUpperBound) || is_uncertain)
}

fn remarks(event: &CostEvent) -> Vec<String> {
    let failed = event.error_code.as_deref().map(|error| format!("failed: {}", printable(error)));
    let attempts = (event.attempts > 1).then(|| format!("{} attempts", event.attempts));
    failed.into_iter().chain(attempts).collect()
}

fn name(text: Option<&str>, fallback: &str) -> String {
    printable(text.unwrap_or(fallback))
}

fn input(event: &CostEvent) -> String {
    grouped(event.prompt_tokens.unwrap_or_default())
}

fn output(event: &CostEvent) -> String {
    grouped(event.completion_tokens.unwrap_or_default() + event.reasoning_tokens.unwrap_or_default())
}

/// A moment to the millisecond, always of the same width.
fn millis(at: Timestamp) -> String {
    const MILLI: i64 = 1_000_000;
    let whole = Timestamp::from_nanos(at.nanos().div_euclid(1_000 * MILLI).saturating_mul(1_000 * MILLI));
    let text = whole.to_string();
    let seconds = text.strip_suffix('Z').unwrap_or(&text);
    format!("{seconds}.{:03}Z", at.nanos().rem_euclid(1_000 * MILLI) / MILLI)
}

/// The requested model; if another model answered, both.
fn models(event: &CostEvent) -> String {
    let requested = event.model.as_deref().filter(|name| !name.is_empty());
    let responding = event.response_model.as_deref().filter(|name| !name.is_empty());
    match (requested, responding) {
        (Some(requested), Some(responding)) if !is_dated(responding, requested) => {
            printable(&format!("{requested}→{responding}"))
        }
        (requested, responding) => printable(requested.or(responding).unwrap_or("(no model)")),
    }
}

/// Whether `name` equals `base`, or is `base` followed by a date or a version number.
fn is_dated(name: &str, base: &str) -> bool {
    let digits = |rest: &str| {
        let rest = rest.strip_prefix(['-', '@']);
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
    };
    name == base || name.strip_prefix(base).is_some_and(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: &str, responding: Option<&str>) -> CostEvent {
        CostEvent {
            timestamp: Timestamp::parse(at).unwrap(),
            model: Some("gpt-5.5".to_owned()),
            response_model: responding.map(str::to_owned),
            ..CostEvent::default()
        }
    }

    #[test]
    fn an_event_is_a_line_of_aligned_columns() {
        let text = |at: &str, responding: Option<&str>| event(&sample(at, responding), None);
        let whole = text("2026-11-01T10:00:00Z", None);
        assert!(whole.starts_with("2026-11-01T10:00:00.000Z  (no feature)"), "{whole}");
        let dated = text("2026-11-01T10:00:00.1239Z", Some("gpt-5.5-2026-04-23"));
        assert!(dated.starts_with("2026-11-01T10:00:00.123Z  (no feature)"), "{dated}");
        assert!(dated.contains(" gpt-5.5  "), "{dated}");
        assert!(text("2026-11-01T10:00:00Z", Some("gpt-5-mini")).contains(" gpt-5.5→gpt-5-mini "));
    }

    #[test]
    fn a_narrow_terminal_gets_narrow_lines() {
        let failed = CostEvent {
            feature: Some("support-chat-for-everyone".to_owned()),
            customer_id: Some("customer-with-a-long-name".to_owned()),
            error_code: Some("insufficient_quota".to_owned()),
            cost_reason: Some("no_usage".to_owned()),
            prompt_tokens: Some(1_234_567),
            attempts: 4,
            ..sample("2026-11-01T10:00:00Z", Some("gpt-5-mini"))
        };
        let text = event(&failed, Some(80));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let [line, remarks] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(line.starts_with("11-01 10:00:00 support-cha…"), "{text}");
        assert_eq!(remarks.trim(), "unpriced (no_usage), failed: insufficient_quota, 4 attempts");
        let fine = sample("2026-11-01T10:00:00Z", None);
        assert_eq!(event(&CostEvent { cost_usd: Some(Usd::ZERO), ..fine }, Some(80)).lines().count(), 1);
    }

    #[test]
    fn a_cost_that_is_not_exact_is_marked() {
        let cost = Some(Usd::from_picos(11_000_000_000));
        let shown = |flags: &[Flag], billed_usd| {
            let sample = sample("2026-11-01T10:00:00Z", None);
            let event = CostEvent { cost_usd: cost, billed_usd, flags: flags.to_vec(), ..sample };
            super::cost(&event).join(" ")
        };
        assert_eq!(shown(&[], cost), "0.011000");
        assert_eq!(shown(&[], None), "≥ 0.011000");
        assert_eq!(shown(&[Flag::CostUpperBound], cost), "≤ 0.011000");
        assert_eq!(shown(&[Flag::CostUpperBound], None), "≈ 0.011000");
        assert_eq!(shown(&[Flag::CostUncertain], cost), "≈ 0.011000");
    }

    #[test]
    fn control_characters_of_a_sender_do_not_reach_the_terminal() {
        let hostile = CostEvent {
            feature: Some("\u{1b}[2J\u{202e}".to_owned()),
            error_code: Some("\u{9b}31m".to_owned()),
            cost_reason: Some("\u{7}".to_owned()),
            ..sample("2026-11-01T10:00:00Z", Some("\u{1b}]0;x\u{7}"))
        };
        for width in [None, Some(80)] {
            let text = event(&hostile, width);
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{text:?}");
        }
    }
}
