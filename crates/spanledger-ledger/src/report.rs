//! Reports: sums of the measures by one dimension.

use std::{collections::BTreeMap, fmt::Write as _};

use rusqlite::{params_from_iter, types::Value};
use spanledger_event::Timestamp;

use crate::{
    LedgerError, LedgerReader, Totals, datum, measure,
    rollup::{self, CUSTOMER, DAY, ENVIRONMENT, FEATURE, HOUR, MODEL, ROUTE, behind},
    words::Words,
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
    /// Sums the events of a query. Whole buckets between the query's bounds are read from the roll-ups, the
    /// rest from the events. Both give the same sums.
    pub fn report(&self, query: &Query) -> Result<Report, LedgerError> {
        let rollup = match query.group_by {
            GroupBy::Customer => DAY,
            _ => HOUR,
        };
        let nanos = rollup.bucket_nanos;
        let down = |at: i64| at.div_euclid(nanos).saturating_mul(nanos);
        let up = |at: i64| down(at.saturating_add(nanos - 1));
        let (since, until) = (query.since.map(Timestamp::nanos), query.until.map(Timestamp::nanos));
        let (first, last) = (since.map(up), until.map(down));
        let events = format!("({})", rollup::sql_over_events());
        if first.zip(last).is_some_and(|(first, last)| first >= last) {
            return self.report_from(query, &[(&events, since, until)]);
        }
        let behind = format!("({})", behind::sql_over_events_behind());
        let mut sources = vec![(rollup.name, first, last), (&behind, first, last)];
        if first != since {
            sources.push((&events, since, first));
        }
        if last != until {
            sources.push((&events, last, until));
        }
        self.report_from(query, &sources)
    }

    /// Computes the same report only from the events. It is slower; tests compare it with the report from
    /// the roll-ups.
    pub fn report_from_events(&self, query: &Query) -> Result<Report, LedgerError> {
        let (since, until) = (query.since.map(Timestamp::nanos), query.until.map(Timestamp::nanos));
        self.report_from(query, &[(&format!("({})", rollup::sql_over_events()), since, until)])
    }

    /// Sums several sources, each between two bounds.
    fn report_from(
        &self,
        query: &Query,
        sources: &[(&str, Option<i64>, Option<i64>)],
    ) -> Result<Report, LedgerError> {
        // One transaction, so that all sources are of one moment. The caller may have begun it.
        let transaction =
            self.connection.is_autocommit().then(|| self.connection.unchecked_transaction()).transpose()?;
        let words = self.words()?;
        let mut groups: BTreeMap<String, Totals> = BTreeMap::new();
        for (source, since, until) in sources {
            self.sum(query, source, (*since, *until), &words, &mut groups)?;
        }
        if let Some(transaction) = transaction {
            transaction.commit()?;
        }
        let rows = groups.into_iter().filter(|(_, totals)| totals.requests != 0);
        let mut rows: Vec<ReportRow> = rows
            .map(|(name, totals)| ReportRow { name: Some(name).filter(|name| !name.is_empty()), totals })
            .collect();
        if query.group_by != GroupBy::Day {
            rows.sort_by(|a, b| b.totals.billed.cmp(&a.totals.billed).then_with(|| a.name.cmp(&b.name)));
        }
        let total = rows.iter().fold(Totals::default(), |sum, row| sum.plus(&row.totals));
        Ok(Report { rows, total })
    }

    fn sum(
        &self,
        query: &Query,
        source: &str,
        (since, until): (Option<i64>, Option<i64>),
        words: &Words,
        groups: &mut BTreeMap<String, Totals>,
    ) -> Result<(), LedgerError> {
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
        if let Some(since) = since {
            condition("bucket >= ?", since.into());
        }
        if let Some(until) = until {
            condition("bucket < ?", until.into());
        }
        if let Some(environment) = &query.environment {
            // The environment is stored as its text or as the number of its word.
            let number = words.number(environment).map_or(Value::Null, Value::from);
            condition(&format!("({0} = ? OR {0} = ?)", ENVIRONMENT.name), environment.clone().into());
            values.push(number);
        }
        sql.push_str(" GROUP BY name");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let name = datum::read_word(row.get_ref(0)?, words)?;
            let mut sums = 1..;
            let totals = Totals::read(|| row.get(sums.next().unwrap_or_default()))?;
            let group = groups.entry(name.to_owned()).or_default();
            *group = group.plus(&totals);
        }
        Ok(())
    }
}
