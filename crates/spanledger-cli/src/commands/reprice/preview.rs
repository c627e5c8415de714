//! What a repricing would change: the change is made in a copy, and both are compared.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use serde::Serialize;
use spanledger_event::Usd;
use spanledger_ledger::{GroupBy, Ledger, LedgerReader, Query, Totals};
use spanledger_price::PriceBook;
use spanledger_receiver::{Pace, RepriceSelection, reprice};

use super::folder::PreviewFolder;
use crate::{
    args::LedgerFormat,
    render::parts::{self, counted},
};

/// The change of every model whose sums differ.
#[derive(Debug, Serialize)]
pub(super) struct Preview {
    /// Events that would have a new cost.
    pub(super) events: usize,
    models: Vec<ModelChange>,
    total: ModelChange,
}

#[derive(Debug, Serialize)]
struct ModelChange {
    model: Option<String>,
    unpriced_before: i64,
    unpriced_after: i64,
    billed_usd_before: Usd,
    billed_usd_after: Usd,
}

/// Makes the change in a copy of the ledger.
pub(super) async fn make(
    reader: &LedgerReader,
    book: &PriceBook,
    selection: RepriceSelection,
) -> anyhow::Result<Preview> {
    let beside = reader.path().parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = beside.unwrap_or(Path::new("."));
    let folder = PreviewFolder::create(beside).with_context(|| {
        format!(
            "a copy of the ledger is needed for the preview, and no folder can be created in {}",
            beside.display()
        )
    })?;
    let copy = folder.path().join("copy.db");
    reader.backup(&copy)?;
    let ledger = Ledger::open(&copy)?;
    let before = sums(&ledger)?;
    let done = reprice(&ledger, book, selection, Pace::alone()).await?;
    let after = sums(&ledger)?;
    drop(ledger);
    Ok(Preview::new(done.events, &before, &after))
}

/// The sums of all events by model, and of all models.
fn sums(ledger: &Ledger) -> anyhow::Result<BTreeMap<Option<String>, Totals>> {
    let report = ledger.reader()?.report(&Query::by(GroupBy::Model))?;
    Ok(report.rows.into_iter().map(|row| (row.name, row.totals)).collect())
}

impl Preview {
    fn new(
        events: usize,
        before: &BTreeMap<Option<String>, Totals>,
        after: &BTreeMap<Option<String>, Totals>,
    ) -> Self {
        let all = |sums: &BTreeMap<Option<String>, Totals>| {
            sums.values().fold(Totals::default(), |sum, totals| sum.plus(totals))
        };
        let model = |model: Option<String>, before: &Totals, after: &Totals| ModelChange {
            model,
            unpriced_before: before.unpriced,
            unpriced_after: after.unpriced,
            billed_usd_before: before.billed,
            billed_usd_after: after.billed,
        };
        let none = Totals::default();
        let names = before.iter().filter(|(name, totals)| after.get(*name) != Some(*totals));
        let models =
            names.map(|(name, totals)| model(name.clone(), totals, after.get(name).unwrap_or(&none)));
        Self { events, models: models.collect(), total: model(None, &all(before), &all(after)) }
    }

    pub(super) fn text(&self, format: LedgerFormat) -> anyhow::Result<String> {
        if format == LedgerFormat::Json {
            return parts::json(self);
        }
        let mut text = format!("{} would have a new cost\n", counted(self.events, "event"));
        if self.models.is_empty() {
            return Ok(text);
        }
        let row = |name: &str, model: &ModelChange| {
            vec![
                parts::clean(name),
                model.unpriced_before.to_string(),
                model.unpriced_after.to_string(),
                model.billed_usd_before.to_string(),
                model.billed_usd_after.to_string(),
            ]
        };
        let mut rows: Vec<_> = self
            .models
            .iter()
            .map(|model| row(model.model.as_deref().unwrap_or("(no model)"), model))
            .collect();
        rows.push(row("all models", &self.total));
        let titles = ["model", "unpriced", "unpriced after", "billed USD", "billed USD after"];
        text.push_str(&parts::grid(&titles, &[1, 2, 3, 4], rows, true));
        Ok(text)
    }
}
