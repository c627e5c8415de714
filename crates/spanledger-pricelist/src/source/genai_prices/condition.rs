//! Reads the conditions under which a price of the file applies.

use spanledger_event::Timestamp;

use super::json::{self, Object};
use spanledger_price::Hours;

/// The period and the hours of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) hours: Option<Hours>,
}

/// Which price is used if several apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precedence {
    First,
    Last,
}

impl Span {
    pub(super) const ALWAYS: Self = Self { from: None, until: None, hours: None };

    /// Reads a constraint.
    pub(super) fn read(constraint: Option<&Object<'_>>) -> Result<Self, String> {
        let Some(constraint) = constraint else { return Ok(Self::ALWAYS) };
        let text = |key| json::text(constraint, key);
        if let Some(day) = text("start_date") {
            let from = Timestamp::parse(&format!("{day}T00:00:00Z"));
            return from
                .map(|from| Self { from: Some(from), ..Self::ALWAYS })
                .ok_or_else(|| format!("the start date `{day}` is not a day"));
        }
        let (Some(start), Some(end)) = (text("start_time"), text("end_time")) else {
            return Err("the condition is neither a start date nor hours".to_owned());
        };
        let hours = minutes(&start).zip(minutes(&end)).and_then(|(a, b)| Hours::parse(&format!("{a}-{b}")));
        hours
            .map(|hours| Self { hours: Some(hours), ..Self::ALWAYS })
            .ok_or_else(|| format!("the hours {start} to {end} are not whole minutes of UTC"))
    }
}

/// Shortens `00:30:00Z` to `00:30`. `None` if the time has seconds or another time zone.
fn minutes(time: &str) -> Option<&str> {
    let bare = ["Z", "+00:00"].iter().find_map(|zone| time.strip_suffix(zone)).unwrap_or(time);
    let (minutes, rest) = bare.split_at_checked(5)?;
    matches!(rest, "" | ":00").then_some(minutes)
}

/// Ends each price where a price with precedence begins. `Err` for a price that never applies, or whose hours
/// the book cannot represent.
pub(super) fn resolve(spans: &[Span], wins: Precedence) -> Vec<Result<Span, String>> {
    let ended = |(index, span): (usize, &Span)| {
        let preceding = match wins {
            Precedence::First => &spans[..index],
            Precedence::Last => &spans[index + 1..],
        };
        let mut until = None;
        for other in preceding {
            match (other.hours, span.hours) {
                // As in the book, a price for certain hours replaces the price for all hours only in its hours.
                (Some(_), None) => {}
                (Some(a), Some(b)) if a != b && a.overlap(b) => {
                    return Err(format!("the hours {a} and {b} of two prices overlap"));
                }
                (Some(a), Some(b)) if a != b => {}
                _ if other.from.is_none() || other.from <= span.from => {
                    return Err("a price never applies, because another one always has precedence".to_owned());
                }
                _ => until = [until, other.from].into_iter().flatten().min(),
            }
        }
        Ok(Span { until, ..*span })
    };
    spans.iter().enumerate().map(ended).collect()
}
