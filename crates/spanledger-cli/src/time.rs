//! Parses the moments that people write on the command line. Days, weeks and months are in UTC.

use jiff::{SignedDuration, Timestamp as Moment, civil::Date, tz::TimeZone};
use spanledger_event::Timestamp;

/// The length of `2026-11-01`. A longer text also has a time, which the parser of days would ignore.
const DAY_LEN: usize = 10;
/// The length of `2026-11`.
const MONTH_LEN: usize = 7;

/// The error for a text that is not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a moment: write a day (2026-11-01, today, yesterday), a month (2026-11), a time \
     (2026-11-01T10:00:00Z), or how long ago (90m, 24h, 7d, 1w); all in UTC"
)]
pub(crate) struct MomentError;

/// Parses a moment as [`absolute`] does, or a moment relative to now: `today`, `yesterday`, `90m`, `24h`,
/// `7d`, `1w`. A day or a month means its first moment.
pub(crate) fn parse(text: &str, now: Moment) -> Result<Timestamp, MomentError> {
    let moment = absolute(text).or_else(|| named_day(text, now)).or_else(|| ago(text, now));
    moment.and_then(timestamp).ok_or(MomentError)
}

/// Parses a day, a month or a moment that does not depend on the current time: `2026-11-01`, `2026-11`,
/// `2026-11-01T10:00:00Z`.
pub(crate) fn absolute(text: &str) -> Option<Moment> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let day: Date = match text.len() {
        DAY_LEN => text.parse().ok()?,
        MONTH_LEN => format!("{text}-01").parse().ok()?,
        _ => return None,
    };
    midnight(day)
}

/// Whether a text is a day, such as `2026-11-01`.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == DAY_LEN && text.parse::<Date>().is_ok()
}

fn midnight(day: Date) -> Option<Moment> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn named_day(text: &str, now: Moment) -> Option<Moment> {
    let today = now.to_zoned(TimeZone::UTC).date();
    match text {
        "today" => midnight(today),
        "yesterday" => midnight(today.yesterday().ok()?),
        _ => None,
    }
}

fn ago(text: &str, now: Moment) -> Option<Moment> {
    let (unit_at, unit) = text.char_indices().last()?;
    let number: i64 = text.get(..unit_at)?.parse().ok().filter(|&number| number >= 0)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    now.checked_sub(SignedDuration::from_secs(number.checked_mul(seconds)?)).ok()
}

fn timestamp(moment: Moment) -> Option<Timestamp> {
    i64::try_from(moment.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Moment {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn moments_are_written_in_many_ways() {
        for (text, expected) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
            ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
            ("today", "2026-11-21T00:00:00Z"),
            ("yesterday", "2026-11-20T00:00:00Z"),
            ("90m", "2026-11-21T10:30:00Z"),
            ("24h", "2026-11-20T12:00:00Z"),
            ("7d", "2026-11-14T12:00:00Z"),
            ("1w", "2026-11-14T12:00:00Z"),
            ("0d", "2026-11-21T12:00:00Z"),
        ] {
            assert_eq!(
                parse(text, now()).map(|moment| moment.to_string()).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn a_day_is_neither_a_month_nor_a_time() {
        assert!(is_day("2026-11-01"));
        for text in ["2026-11", "2026-11-01T10:00:00Z", "2026-11-31", "today", ""] {
            assert!(!is_day(text), "{text}");
        }
    }

    #[test]
    fn the_error_for_an_invalid_moment_has_examples() {
        for text in [
            "",
            "tomorrow",
            "7y",
            "-1h",
            "d",
            "2026",
            "2026-13",
            "2026-13-01",
            "2026-11-01T10:00:00",
            "99999999999999m",
            "999999999999999999w",
        ] {
            let error = parse(text, now()).expect_err(text).to_string();
            assert!(error.contains("2026-11-01") && error.contains("yesterday"), "{error}");
        }
    }
}
