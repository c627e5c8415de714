//! The price book in force, the user's price files, and their reload.

mod current;
mod files;
mod watch;

pub use current::{Prices, Reloads};
pub use files::{PriceFileError, PriceFiles, PriceFilesError, read_price_file};
pub use watch::{PriceReload, PriceWatch};
