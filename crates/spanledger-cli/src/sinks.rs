//! The sinks of this program.

use clap::builder::{PossibleValue, PossibleValuesParser};
use spanledger_sinks::{SinkKind, table::Dialect};

/// The table of sinks that the command line, the configuration, `serve` and `check` share. A program with
/// additional sinks would define another table.
pub(crate) const SINKS: &[SinkKind] = spanledger_sinks::SINKS;

/// The values of `--sink`.
pub(crate) fn names() -> PossibleValuesParser {
    SINKS.iter().map(|kind| PossibleValue::new(kind.name).help(kind.summary)).collect::<Vec<_>>().into()
}

/// The databases and the kinds of sinks that may have a table.
pub(crate) fn tables() -> PossibleValuesParser {
    let kinds = SINKS.iter().map(|kind| kind.name);
    let databases = Dialect::ALL.iter().map(|dialect| dialect.name());
    let mut names: Vec<&str> = kinds.chain(databases).collect();
    names.sort_unstable();
    names.dedup();
    names.into()
}
