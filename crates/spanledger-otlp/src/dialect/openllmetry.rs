//! `OpenLLMetry` (Traceloop). Its spans follow the convention.

use super::Dialect;
use crate::quirks::Quirks;

pub(super) const DIALECT: Dialect = Dialect {
    reader: None,
    quirks: Quirks {
        // Users of `OpenLLMetry` set these as association properties.
        feature: &["traceloop.association.properties.feature"],
        route: &["traceloop.association.properties.route"],
        customer_id: &["traceloop.association.properties.customer_id"],
        ..Quirks::NONE
    },
};
