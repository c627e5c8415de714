//! From a configuration to the sinks that it names.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, de::DeserializeOwned};
use toml::Table;

use crate::Sink;

#[cfg(test)]
mod tests;

/// The configuration of one kind of sink.
///
/// It is a struct in the sink's folder with one documented field for each option, and with
/// `#[serde(deny_unknown_fields)]`, so that a misspelled option is an error. The fields are listed in
/// the table of options of the sink's README; a test compares the two.
pub trait SinkConfig: DeserializeOwned {
    /// Makes the sink. `name` is the name of its cursor.
    ///
    /// This does no I/O that can fail or block: `check` calls it beside a running `serve`, and a
    /// destination that is down must not keep `serve` from receiving. The sink connects when it
    /// delivers its first batch.
    fn build(self, name: String) -> Result<Box<dyn Sink>, OptionError>;
}

/// An option whose value has the right type, but cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{option}`: {problem}")]
pub struct OptionError {
    /// The name of the option.
    pub option: &'static str,
    /// What is wrong with its value, and what to write instead.
    pub problem: String,
}

/// A row of a table of sinks: all that a program knows of a kind of sink before it makes one.
#[derive(Clone, Copy)]
pub struct SinkKind {
    /// The name in `--sink` and in the configuration.
    pub name: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// The page for users: when to use the sink, its options, what it guarantees.
    pub readme: &'static str,
    /// Reads the options and makes the sink. The type of the configuration is erased here.
    build: fn(String, Table) -> Result<Box<dyn Sink>, String>,
}

impl SinkKind {
    /// A row for the sinks that `C` configures.
    pub const fn new<C: SinkConfig>(name: &'static str, summary: &'static str, readme: &'static str) -> Self {
        Self { name, summary, readme, build: build_with::<C> }
    }
}

fn build_with<C: SinkConfig>(name: String, options: Table) -> Result<Box<dyn Sink>, String> {
    let config: C = options.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    config.build(name).map_err(|error| error.to_string())
}

impl fmt::Debug for SinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkKind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A sink as a user names it: a `[[sink]]` table of the configuration, or only its kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SinkSpec {
    /// The name of a row of the table.
    pub kind: String,
    /// The name under which the cursor is kept. The default is the kind.
    pub name: Option<String>,
    /// All other keys: the options of the kind.
    #[serde(flatten)]
    pub options: Table,
}

impl SinkSpec {
    /// A sink of this kind with the default of each option.
    pub fn of_kind(kind: &str) -> Self {
        Self { kind: kind.to_owned(), name: None, options: Table::new() }
    }
}

/// A sink that was made from a [`SinkSpec`].
#[derive(Debug)]
pub struct ConfiguredSink {
    /// The name of its kind.
    pub kind: &'static str,
    /// The sink.
    pub sink: Box<dyn Sink>,
}

impl fmt::Display for ConfiguredSink {
    /// The sink's name; where that does not say the kind, the kind beside it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.sink.name();
        if name == self.kind { f.write_str(name) } else { write!(f, "{name} ({})", self.kind) }
    }
}

/// Why a configuration of sinks cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkConfigError {
    /// No row of the table has this name.
    #[error("`{kind}` is not a sink of this program; its sinks are: {known}")]
    UnknownKind {
        /// The kind that was given.
        kind: String,
        /// The names of the table, separated by commas.
        known: String,
    },
    /// The name cannot be the name of a cursor.
    #[error("`{name}` cannot be the name of a sink: use 1 to 64 characters of a-z, 0-9, `_` and `-`")]
    Name {
        /// The name that was given.
        name: String,
    },
    /// Two sinks have the same name.
    #[error(
        "two sinks are named `{name}`: give each [[sink]] a `name` of its own, because the ledger remembers \
         under that name which events the sink has"
    )]
    DuplicateName {
        /// The name that was given twice.
        name: String,
    },
    /// An option is unknown, is missing, or has a value that cannot be used.
    #[error(
        "the sink `{name}` of kind `{kind}`: {problem}; options are set in a [[sink]] table of the configuration"
    )]
    Options {
        /// The sink's name.
        name: String,
        /// The sink's kind.
        kind: &'static str,
        /// What is wrong with which option.
        problem: String,
    },
}

/// Makes the sinks that a configuration names, in its order.
///
/// `table` holds the kinds that the program knows, usually [`SINKS`](crate::SINKS).
pub fn build(table: &[SinkKind], specs: &[SinkSpec]) -> Result<Vec<ConfiguredSink>, SinkConfigError> {
    let mut names = BTreeSet::new();
    specs
        .iter()
        .map(|spec| {
            let configured = build_one(table, spec)?;
            let name = configured.sink.name();
            if !names.insert(name.to_owned()) {
                return Err(SinkConfigError::DuplicateName { name: name.to_owned() });
            }
            Ok(configured)
        })
        .collect()
}

fn build_one(table: &[SinkKind], spec: &SinkSpec) -> Result<ConfiguredSink, SinkConfigError> {
    let kind = table.iter().find(|kind| kind.name == spec.kind).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|kind| kind.name).collect();
        SinkConfigError::UnknownKind { kind: spec.kind.clone(), known: known.join(", ") }
    })?;
    let name = spec.name.clone().unwrap_or_else(|| kind.name.to_owned());
    if !is_cursor_name(&name) {
        return Err(SinkConfigError::Name { name });
    }
    let sink = (kind.build)(name.clone(), spec.options.clone())
        .map_err(|problem| SinkConfigError::Options { name, kind: kind.name, problem })?;
    Ok(ConfiguredSink { kind: kind.name, sink })
}

fn is_cursor_name(name: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(is_legal)
}
