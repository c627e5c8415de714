//! `spanledger report`.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use jiff::{Span, Timestamp as Moment, civil::Date, tz::TimeZone};
use spanledger_event::Timestamp;
use spanledger_ledger::{GroupBy, LedgerReader, Query};

use crate::{
    args::{By, ReportArguments},
    render, terminal,
};

pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let now = Moment::now();
    let moment = |text: &Option<String>, flag: &str| -> anyhow::Result<Option<Timestamp>> {
        text.as_deref().map(|text| parse(text, now).with_context(|| format!("--{flag} {text}"))).transpose()
    };
    let query = Query {
        group_by: group_by(arguments.by),
        since: moment(&arguments.since, "since")?,
        until: moment(&arguments.until, "until")?,
        environment: arguments.environment.clone(),
    };
    let report = open(&arguments.ledger.ledger)?.report(&query)?;
    terminal::data(&render::report(&report, arguments.by, arguments.format)?)?;
    if report.total.requests == 0 {
        terminal::say("no requests match; `spanledger tail` shows what the ledger has");
    }
    Ok(ExitCode::SUCCESS)
}

/// A ledger to read.
pub(crate) fn open(path: &Path) -> anyhow::Result<LedgerReader> {
    anyhow::ensure!(
        path.exists(),
        "no ledger at {} yet: start `spanledger serve`, or choose another file with --ledger",
        path.display()
    );
    Ok(LedgerReader::open(path)?)
}

pub(crate) fn group_by(by: By) -> GroupBy {
    match by {
        By::Feature => GroupBy::Feature,
        By::Route => GroupBy::Route,
        By::Customer => GroupBy::Customer,
        By::Model => GroupBy::Model,
        By::Day => GroupBy::Day,
    }
}

/// `2026-11-01`. A longer text names a time as well, which a day's parser would forget.
const DAY_LEN: usize = 10;

/// A day (UTC), a moment, or a span back from now.
pub(crate) fn parse(text: &str, now: Moment) -> anyhow::Result<Timestamp> {
    let moment = if let Some(moment) = absolute(text) {
        moment
    } else if let Some(back) = back(text) {
        now.checked_sub(back)?
    } else {
        anyhow::bail!("is no time: write 2026-11-01, 2026-11-01T10:00:00Z, or 90m, 24h, 7d for so long ago");
    };
    Ok(Timestamp::from_nanos(i64::try_from(moment.as_nanosecond())?))
}

/// A day (UTC) or a moment.
pub(crate) fn absolute(text: &str) -> Option<Moment> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let day: Date = (text.len() == DAY_LEN).then(|| text.parse().ok())??;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn back(text: &str) -> Option<Span> {
    let (unit_at, unit) = text.char_indices().last()?;
    let number: i64 = text.get(..unit_at)?.parse().ok().filter(|&n| n >= 0)?;
    match unit {
        'm' => Span::new().try_minutes(number).ok(),
        'h' => Span::new().try_hours(number).ok(),
        'd' => Span::new().try_hours(number.checked_mul(24)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_moments_or_so_long_ago() {
        let now: Moment = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
            ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
            ("90m", "2026-11-21T10:30:00Z"),
            ("7d", "2026-11-14T12:00:00Z"),
        ] {
            assert_eq!(parse(text, now).unwrap().to_string(), expected, "{text}");
        }
        for text in
            ["", "yesterday", "7w", "-1h", "d", "2026-13-01", "2026-11-01T10:00:00", "99999999999999m"]
        {
            assert!(parse(text, now).is_err(), "{text}");
        }
    }
}
