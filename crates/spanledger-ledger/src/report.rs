//! Spend by one dimension, exactly.

use std::fmt::Write as _;

use rusqlite::{Row, params_from_iter, types::Value};
use spanledger_event::{Timestamp, Usd};

use crate::{
    LedgerError, LedgerReader,
    rollup::{DAY, DAY_NANOS, HOUR, HOUR_NANOS, MEASURES},
};

/// What a report is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The product feature.
    Feature,
    /// The route or job.
    Route,
    /// The paying account.
    Customer,
    /// The model asked for.
    Model,
    /// The day, UTC.
    Day,
}

/// Which events a report adds up.
#[derive(Clone, Debug)]
pub struct Query {
    /// What to group by.
    pub group_by: GroupBy,
    /// From this moment, inclusive.
    pub since: Option<Timestamp>,
    /// To this moment, exclusive.
    pub until: Option<Timestamp>,
    /// Only this environment.
    pub environment: Option<String>,
}

impl Query {
    /// Everything, by one dimension.
    pub fn by(group_by: GroupBy) -> Self {
        Self { group_by, since: None, until: None, environment: None }
    }
}

/// Sums over events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Logical requests.
    pub requests: i64,
    /// HTTP attempts.
    pub attempts: i64,
    /// Requests of which no attempt succeeded.
    pub failed: i64,
    /// Requests with more than one attempt.
    pub retried: i64,
    /// Requests whose cost is not, or not wholly, known: `billed` is a lower bound then.
    pub unpriced: i64,
    /// All input tokens.
    pub prompt_tokens: i64,
    /// The part of them that came from a cache.
    pub cached_tokens: i64,
    /// Visible output tokens.
    pub completion_tokens: i64,
    /// Hidden output tokens.
    pub reasoning_tokens: i64,
    /// What the provider bills.
    pub billed: Usd,
    /// The part of it that paid for billed retries.
    pub retry: Usd,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// The group's name; `None` for events without attribution (quarantined).
    pub name: Option<String>,
    /// Its sums.
    pub totals: Totals,
}

/// Spend by one dimension, dearest first (days in their order).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The groups.
    pub rows: Vec<ReportRow>,
    /// All of them together.
    pub total: Totals,
}

impl LedgerReader {
    /// Adds up spend. Reads the roll-ups where the query's bounds fall on theirs, else the events;
    /// the answers are the same.
    pub fn report(&self, query: &Query) -> Result<Report, LedgerError> {
        let (rollup, size) = match query.group_by {
            GroupBy::Customer => (&DAY, DAY_NANOS),
            _ => (&HOUR, HOUR_NANOS),
        };
        let whole = |bound: Option<Timestamp>| bound.is_none_or(|at| at.nanos() % size == 0);
        if whole(query.since) && whole(query.until) {
            self.report_from(query, rollup.name)
        } else {
            self.report_from_events(query)
        }
    }

    /// The same from the events themselves: slower, and the yardstick for the roll-ups.
    pub fn report_from_events(&self, query: &Query) -> Result<Report, LedgerError> {
        let source = "(SELECT timestamp AS bucket, coalesce(environment, '') AS environment,
                coalesce(feature, '') AS feature, coalesce(route, '') AS route,
                coalesce(customer_id, '') AS customer_id, coalesce(model, response_model, '') AS model,
                1 AS requests, attempts, error_code IS NOT NULL AS failed, attempts > 1 AS retried,
                billed_usd_micros IS NULL AS unpriced,
                coalesce(prompt_tokens, 0) AS prompt_tokens, coalesce(cached_tokens, 0) AS cached_tokens,
                coalesce(completion_tokens, 0) AS completion_tokens, coalesce(reasoning_tokens, 0) AS reasoning_tokens,
                coalesce(billed_usd_micros, coalesce(cost_usd_micros, 0) + coalesce(retry_cost_usd_micros, 0)) AS billed_micros,
                coalesce(billed_usd_picos, coalesce(cost_usd_picos, 0) + coalesce(retry_cost_usd_picos, 0)) AS billed_picos,
                coalesce(retry_cost_usd_micros, 0) AS retry_micros, coalesce(retry_cost_usd_picos, 0) AS retry_picos
             FROM event WHERE state <> 'void')";
        self.report_from(query, source)
    }

    fn report_from(&self, query: &Query, source: &str) -> Result<Report, LedgerError> {
        let group = match query.group_by {
            GroupBy::Feature => "feature",
            GroupBy::Route => "route",
            GroupBy::Customer => "customer_id",
            GroupBy::Model => "model",
            GroupBy::Day => "strftime('%Y-%m-%d', bucket / 1000000000, 'unixepoch')",
        };
        let sums: Vec<String> = MEASURES.iter().map(|measure| format!("sum({measure})")).collect();
        let mut sql = format!("SELECT {group} AS name, {} FROM {source} WHERE true", sums.join(", "));
        let mut values = Vec::new();
        let mut condition = |text: &str, value: Value| {
            write!(sql, " AND {text}").unwrap_or_default();
            values.push(value);
        };
        if let Some(since) = query.since {
            condition("bucket >= ?", since.nanos().into());
        }
        if let Some(until) = query.until {
            condition("bucket < ?", until.nanos().into());
        }
        if let Some(environment) = &query.environment {
            condition("environment = ?", environment.clone().into());
        }
        sql.push_str(" GROUP BY name HAVING sum(requests) <> 0");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            let name: String = row.get(0)?;
            Ok(ReportRow { name: Some(name).filter(|name| !name.is_empty()), totals: totals(row)? })
        })?;
        let mut rows: Vec<ReportRow> = rows.collect::<Result<_, _>>()?;
        if query.group_by == GroupBy::Day {
            rows.sort_by(|a, b| a.name.cmp(&b.name));
        } else {
            rows.sort_by(|a, b| b.totals.billed.cmp(&a.totals.billed).then_with(|| a.name.cmp(&b.name)));
        }
        let total = rows.iter().fold(Totals::default(), |sum, row| sum.plus(&row.totals));
        Ok(Report { rows, total })
    }
}

fn totals(row: &Row<'_>) -> rusqlite::Result<Totals> {
    Ok(Totals {
        requests: row.get(1)?,
        attempts: row.get(2)?,
        failed: row.get(3)?,
        retried: row.get(4)?,
        unpriced: row.get(5)?,
        prompt_tokens: row.get(6)?,
        cached_tokens: row.get(7)?,
        completion_tokens: row.get(8)?,
        reasoning_tokens: row.get(9)?,
        billed: Usd::from_parts(row.get(10)?, row.get(11)?),
        retry: Usd::from_parts(row.get(12)?, row.get(13)?),
    })
}

impl Totals {
    fn plus(self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            attempts: self.attempts + other.attempts,
            failed: self.failed + other.failed,
            retried: self.retried + other.retried,
            unpriced: self.unpriced + other.unpriced,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
            reasoning_tokens: self.reasoning_tokens + other.reasoning_tokens,
            billed: self.billed + other.billed,
            retry: self.retry + other.retry,
        }
    }
}
