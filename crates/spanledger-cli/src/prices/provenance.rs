//! Writes the period and the sources of a book entry as JSON.

use serde::Serialize;
use serde_json::value::RawValue;
use spanledger_event::Timestamp;
use spanledger_price::{Discount, Fee, Price, Source};

use crate::render::parts::{day, number};

/// The period and the sources of an entry.
#[derive(Serialize)]
pub(crate) struct Provenance<'a> {
    /// The meter of a fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<Box<RawValue>>,
    from: Option<String>,
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<String>,
    sources: Vec<JsonSource<'a>>,
    checked: &'a str,
}

#[derive(Serialize)]
struct JsonSource<'a> {
    id: &'a str,
    text: &'a str,
}

impl<'a> Provenance<'a> {
    fn new(
        from: Option<Timestamp>,
        until: Option<Timestamp>,
        sources: &'a [Source],
        checked: &'a str,
    ) -> Self {
        let source = |source: &'a Source| JsonSource { id: &source.id, text: &source.text };
        Self {
            kind: None,
            percent: None,
            from: from.map(day),
            until: until.map(day),
            hours: None,
            sources: sources.iter().map(source).collect(),
            checked,
        }
    }

    pub(crate) fn price(price: &'a Price) -> Self {
        let hours = price.hours().map(|hours| hours.to_string());
        Self { hours, ..Self::new(price.from(), price.until(), price.sources(), price.checked()) }
    }

    pub(crate) fn fee(fee: &'a Fee) -> Self {
        let kind = Some(fee.meter().name());
        Self { kind, ..Self::new(fee.from(), fee.until(), fee.sources(), fee.checked()) }
    }

    pub(crate) fn discount(discount: &'a Discount) -> Self {
        let percent = number(discount.percent());
        let (from, until) = (discount.from(), discount.until());
        Self { percent, ..Self::new(from, until, discount.sources(), discount.checked()) }
    }
}
