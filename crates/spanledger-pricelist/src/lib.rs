//! Keeping the price book current: foreign price lists read, compared, linted and written as entries.
//!
//! For the binary and for `xtask`; a service that records its calls does not contain it.

pub mod diff;
pub mod import;
pub mod lint;

use spanledger_price::{
    BookErrors, Discount, Fee, Hours, Meter, Model, Price, PriceBook, Provider, Rate, Rates, Tier, covers,
    without_date,
};
