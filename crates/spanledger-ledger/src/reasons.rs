//! Why requests failed, have no price, or lack attribution.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};
use spanledger_event::{Timestamp, Usd};

use crate::{LedgerError, LedgerReader, Query, datum};

/// The reasons behind a report's numbers of failed, unpriced, quarantined and retried requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Failed requests, by the error code of the last attempt.
    pub failed: Vec<Reason>,
    /// Unpriced requests, by `cost_reason` and `cost_detail`.
    pub unpriced: Vec<Reason>,
    /// Quarantined requests, by the required fields that are missing, separated by commas.
    pub quarantined: Vec<Reason>,
    /// Requests with more than one attempt.
    pub retried: i64,
    /// Requests with more than one billed response, as far as their costs are known and not zero.
    pub billed_again: i64,
    /// The sum of the known costs of those further responses.
    pub retry_cost: Usd,
}

/// A reason, and how many requests have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The error code, the `cost_reason`, or the names of the missing fields.
    pub name: String,
    /// A sentence for people.
    pub detail: Option<String>,
    /// How many requests have it.
    pub requests: i64,
}

/// The number of requests by name and detail of their reason.
type Counts = BTreeMap<(String, Option<String>), i64>;

/// Sorts the reasons; the most frequent comes first.
fn sorted(counts: Counts) -> Vec<Reason> {
    let mut reasons: Vec<Reason> =
        counts.into_iter().map(|((name, detail), requests)| Reason { name, detail, requests }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.requests));
    reasons
}

/// The condition of the events that failed, have an unknown cost, lack attribution or were retried.
macro_rules! explained {
    () => {
        "error_code IS NOT NULL OR billed_usd_micros IS NULL OR state = 2 OR attempts > 1"
    };
}

/// The index of these events, so that a report over a large ledger reads only them. SQLite uses the index
/// for a query that has the same condition.
pub(crate) const INDEX: &str =
    concat!("CREATE INDEX event_explained ON event (timestamp) WHERE ", explained!());

/// The condition of a query's events. `?1` and `?2` are its bounds, `?3` is its environment, and `?4` the
/// number of the environment's word. State 3 is void.
const MATCHES: &str = "state <> 3 AND timestamp >= ?1 AND timestamp < ?2
    AND (?3 IS NULL OR environment = ?3 OR environment = ?4)";

impl LedgerReader {
    /// Why requests of this query failed, have no price, lack attribution or were retried. The grouping of
    /// the query is ignored.
    pub fn reasons(&self, query: &Query) -> Result<Reasons, LedgerError> {
        let words = self.words()?;
        let (since, until) = bounds(query);
        let environment = query.environment.as_deref().and_then(|name| words.number(name));
        let mut statement = self.connection.prepare_cached(&sql())?;
        let mut rows = statement.query(params![since, until, query.environment, environment])?;
        let mut reasons = Reasons::default();
        let (mut failed, mut unpriced, mut quarantined) = (Counts::new(), Counts::new(), Counts::new());
        while let Some(row) = rows.next()? {
            let requests: i64 = row.get(9)?;
            let text = |index: usize| -> Result<Option<String>, LedgerError> {
                let value = row.get_ref(index)?;
                let is_null = value == rusqlite::types::ValueRef::Null;
                Ok(if is_null { None } else { Some(datum::read_word(value, &words)?.to_owned()) })
            };
            if let Some(code) = text(0)? {
                *failed.entry((code, None)).or_default() += requests;
            }
            if row.get(1)? {
                let key = match text(2)? {
                    Some(reason) => (reason, text(3)?),
                    // The first billed response has a price, and another one does not.
                    None => ("retry_unpriced".to_owned(), None),
                };
                *unpriced.entry(key).or_default() += requests;
            }
            if row.get(4)? {
                let fields = ["feature", "route", "customer_id", "environment"];
                let missing: Vec<&str> = (5..9)
                    .zip(fields)
                    .filter_map(|(index, field)| {
                        row.get(index).map(|is: bool| is.then_some(field)).transpose()
                    })
                    .collect::<Result<_, _>>()?;
                *quarantined.entry((missing.join(", "), None)).or_default() += requests;
            }
            reasons.retried += row.get::<_, i64>(10)?;
            reasons.billed_again += row.get::<_, i64>(11)?;
            reasons.retry_cost = reasons.retry_cost + Usd::from_parts(row.get(12)?, row.get(13)?);
        }
        reasons.failed = sorted(failed);
        reasons.unpriced = sorted(unpriced);
        reasons.quarantined = sorted(quarantined);
        Ok(reasons)
    }

    /// When the first and the last event of this query began; `None` if there are no events.
    pub fn period(&self, query: &Query) -> Result<Option<(Timestamp, Timestamp)>, LedgerError> {
        let (since, until) = bounds(query);
        let environment =
            query.environment.as_deref().map(|name| self.words().map(|words| words.number(name)));
        let environment = environment.transpose()?.flatten();
        let at = |order: &str| {
            let sql =
                format!("SELECT timestamp FROM event WHERE {MATCHES} ORDER BY timestamp {order} LIMIT 1");
            let mut statement = self.connection.prepare_cached(&sql)?;
            statement
                .query_row(params![since, until, query.environment, environment], |row| row.get(0))
                .optional()
        };
        let (first, last): (Option<i64>, Option<i64>) = (at("ASC")?, at("DESC")?);
        Ok(first.zip(last).map(|(first, last)| (Timestamp::from_nanos(first), Timestamp::from_nanos(last))))
    }
}

fn sql() -> String {
    format!(
        "SELECT error_code, billed_usd_micros IS NULL, cost_reason, cost_detail,
            state = 2, feature IS NULL, route IS NULL, customer_id IS NULL, environment IS NULL,
            count(*), sum(attempts > 1),
            sum(coalesce(retry_cost_usd_micros, 0) > 0 OR coalesce(retry_cost_usd_picos, 0) > 0),
            sum(coalesce(retry_cost_usd_micros, 0)), sum(coalesce(retry_cost_usd_picos, 0))
         FROM event WHERE {MATCHES}
            AND ({explained})
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9",
        explained = explained!()
    )
}

fn bounds(query: &Query) -> (i64, i64) {
    let nanos = |at: Option<Timestamp>| at.map(Timestamp::nanos);
    (nanos(query.since).unwrap_or(i64::MIN), nanos(query.until).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
