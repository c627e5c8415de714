//! What stands in the book, with its sources, for programs.

use serde::Serialize;
use spanledger_price::{Discount, Fee, Price, Source};

use crate::render::parts::day;

/// Something of the book: when it holds and who says so.
#[derive(Serialize)]
pub(crate) struct Cited<'a> {
    /// Which one, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<String>,
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

fn sources(sources: &[Source]) -> Vec<JsonSource<'_>> {
    sources.iter().map(|source| JsonSource { id: &source.id, text: &source.text }).collect()
}

impl<'a> Cited<'a> {
    pub(crate) fn price(price: &'a Price) -> Self {
        Self {
            kind: None,
            percent: None,
            from: price.from().map(day),
            until: price.until().map(day),
            hours: price.hours().map(|hours| hours.to_string()),
            sources: sources(price.sources()),
            checked: price.checked(),
        }
    }

    pub(crate) fn fee(fee: &'a Fee) -> Self {
        Self {
            kind: Some(fee.meter().name()),
            percent: None,
            from: fee.from().map(day),
            until: fee.until().map(day),
            hours: None,
            sources: sources(fee.sources()),
            checked: fee.checked(),
        }
    }

    pub(crate) fn discount(discount: &'a Discount) -> Self {
        Self {
            kind: None,
            percent: Some(discount.percent().normalize().to_string()),
            from: discount.from().map(day),
            until: discount.until().map(day),
            hours: None,
            sources: sources(discount.sources()),
            checked: discount.checked(),
        }
    }
}
