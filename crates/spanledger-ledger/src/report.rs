//! Reports: sums of the measures by one dimension.

use std::fmt::Write as _;

use rusqlite::{params_from_iter, types::Value};
use spanledger_event::Timestamp;

use crate::{
    LedgerError, LedgerReader, Totals, measure,
    rollup::{self, CUSTOMER, DAY, ENVIRONMENT, FEATURE, HOUR, MODEL, ROUTE},
};

/// What a report is grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupBy {
    /// The product feature.
    Feature,
    /// The route or job.
    Route,
    /// The paying account.
    Customer,
    /// The requested model, or the model that answered if the requested one is unknown.
    Model,
    /// The day, UTC.
    Day,
}

/// The events of a report, and the dimension of its groups.
#[derive(Clone, Debug)]
pub struct Query {
    /// The dimension of the groups.
    pub group_by: GroupBy,
    /// The report has only events from this moment on.
    pub since: Option<Timestamp>,
    /// The report has only events before this moment.
    pub until: Option<Timestamp>,
    /// The report has only events of this environment.
    pub environment: Option<String>,
}

impl Query {
    /// All events, by one dimension.
    pub fn by(group_by: GroupBy) -> Self {
        Self { group_by, since: None, until: None, environment: None }
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// The group's name; `None` for events that lack it, such as quarantined ones.
    pub name: Option<String>,
    /// Its sums.
    pub totals: Totals,
}

/// The sums of every group. The group with the greatest billed amount comes first; days are sorted by date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The groups.
    pub rows: Vec<ReportRow>,
    /// The sums of all groups together.
    pub total: Totals,
}

impl LedgerReader {
    /// Sums the events of a query. Reads the roll-ups if the query's bounds are bounds of their buckets,
    /// and the events otherwise. Both give the same sums.
    pub fn report(&self, query: &Query) -> Result<Report, LedgerError> {
        let rollup = match query.group_by {
            GroupBy::Customer => DAY,
            _ => HOUR,
        };
        let falls_on_bucket =
            |bound: Option<Timestamp>| bound.is_none_or(|at| at.nanos() % rollup.bucket_nanos == 0);
        if falls_on_bucket(query.since) && falls_on_bucket(query.until) {
            self.report_from(query, rollup.name)
        } else {
            self.report_from_events(query)
        }
    }

    /// Computes the same report only from the events, for any bounds. It is slower; tests compare it with
    /// the report from the roll-ups.
    pub fn report_from_events(&self, query: &Query) -> Result<Report, LedgerError> {
        self.report_from(query, &format!("({})", rollup::sql_over_events()))
    }

    fn report_from(&self, query: &Query, source: &str) -> Result<Report, LedgerError> {
        let group = match query.group_by {
            GroupBy::Feature => FEATURE.name,
            GroupBy::Route => ROUTE.name,
            GroupBy::Customer => CUSTOMER.name,
            GroupBy::Model => MODEL.name,
            GroupBy::Day => "strftime('%Y-%m-%d', bucket / 1000000000, 'unixepoch')",
        };
        let sums: Vec<String> = measure::sql_columns().map(|column| format!("sum({column})")).collect();
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
            condition(&format!("{} = ?", ENVIRONMENT.name), environment.clone().into());
        }
        sql.push_str(" GROUP BY name HAVING sum(requests) <> 0");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            let name: String = row.get(0)?;
            let mut sums = 1..;
            let totals = Totals::read(|| row.get(sums.next().unwrap_or_default()))?;
            Ok(ReportRow { name: Some(name).filter(|name| !name.is_empty()), totals })
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
