//! Writes each batch as one insert for each month.

use std::{collections::BTreeMap, fmt, time::Duration};

use reqwest::Url;
use spanledger_event::{COLUMNS, Cell, Column, ColumnKind, CostEvent, Timestamp};

use super::{ClickHouseConfig, http::Server, native, prepare};
use crate::{
    Batch, BatchShape, Fault, Opened, Opening, Rejection, Sink, Written,
    table::{DECIMAL_SCALE, Table, USD_PRECISION},
};

/// The settings of each insert. An asynchronous insert would be acknowledged before it is stored, or be merged with
/// others.
const SETTINGS: &str = "async_insert = 0, insert_deduplicate = 1";

/// The events of each month.
type Months<'a> = BTreeMap<String, Vec<&'a CostEvent>>;

/// Writes events to ClickHouse.
pub struct ClickHouseSink {
    config: ClickHouseConfig,
    url: Url,
    table: Table,
    server: Option<Server>,
}

impl fmt::Debug for ClickHouseSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClickHouseSink").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl ClickHouseSink {
    pub(super) fn new(config: ClickHouseConfig, url: Url, table: Table) -> Self {
        Self { config, url, table, server: None }
    }

    /// The insert of the rows of one month. The token has the identity of the batch, so that the server recognizes the
    /// insert if it is repeated.
    fn insert(&self, batch: &Batch, month: &str) -> String {
        let dialect = self.table.dialect;
        let names: Vec<String> = self.table.columns.iter().map(|column| dialect.quote(column.name)).collect();
        let mut settings = SETTINGS.to_owned();
        for (name, value) in &self.config.settings {
            settings.push_str(&format!(", {name} = {}", dialect.literal(value)));
        }
        let token = dialect.literal(&format!("{}/{month}", batch.id));
        format!(
            "INSERT INTO {} ({}) SETTINGS {settings}, insert_deduplication_token = {token} FORMAT Native",
            self.table.quoted_name(),
            names.join(", ")
        )
    }
}

/// The events of each month, and those that ClickHouse cannot store exactly.
fn by_month(batch: &Batch) -> (Months<'_>, Vec<Rejection>) {
    let mut months = Months::new();
    let mut rejected = Vec::new();
    for (index, event) in batch.events().enumerate() {
        match is_exact(event) {
            Ok(()) => months.entry(month(event.timestamp)).or_default().push(event),
            Err(reason) => rejected.push(Rejection { index, reason }),
        }
    }
    (months, rejected)
}

/// The year and month of a moment, UTC: the partition of its event.
fn month(moment: Timestamp) -> String {
    moment.to_string().chars().take(7).collect()
}

/// Whether the types of the table hold the numbers exactly. ClickHouse would cut off the digits that are too many.
fn is_exact(event: &CostEvent) -> Result<(), String> {
    let is_number = |column: &&Column| matches!(column.kind, ColumnKind::Usd | ColumnKind::Decimal);
    for column in COLUMNS.iter().filter(is_number) {
        match (column.get)(event) {
            Cell::Usd(usd) if usd.picos().unsigned_abs() >= 10_u128.pow(u32::from(USD_PRECISION)) => {
                return Err(format!("`{}` is {usd} and has more digits than a DECIMAL(24,12)", column.name));
            }
            Cell::Decimal(number) if number.normalize().scale() > u32::from(DECIMAL_SCALE) => {
                return Err(format!(
                    "`{}` is {number} and has more than {DECIMAL_SCALE} digits behind the point",
                    column.name
                ));
            }
            Cell::Decimal(number) if number.trunc().mantissa().unsigned_abs() >= 10_u128.pow(20) => {
                return Err(format!(
                    "`{}` is {number} and has more than 20 digits before the point",
                    column.name
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Sink for ClickHouseSink {
    /// ClickHouse makes a part of each insert, so that few large ones are better than many small ones.
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(50_000).bytes(64 << 20).linger(Duration::from_secs(1))
    }

    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        self.server = None;
        let (config, url) = (self.config.clone(), self.url.clone());
        let server =
            tokio::task::spawn_blocking(move || Server::new(&config, &url)).await.map_err(Fault::retry)??;
        let remarks = prepare::prepare(&server, &self.config, &self.table, opening.purpose).await?;
        self.server = Some(server);
        Ok(Opened { cursor: None, remarks })
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let server = self.server.as_ref().ok_or_else(|| Fault::retry("ClickHouse is not open"))?;
        let (months, rejected) = by_month(batch);
        // If an insert fails, those before it are repeated with their tokens, and the server leaves them out.
        for (month, events) in months {
            let rows = native::block(&self.table.columns, &events);
            server.insert("insert", &self.insert(batch, &month), rows).await?;
        }
        Ok(Written { rejected })
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn close(&mut self) {
        self.server = None;
    }
}
